#include "storage/page_format.h"

#include <algorithm>
#include <cstring>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::storage {

namespace {

constexpr std::size_t kPrefixAndNonce = kPageBodySize;
constexpr std::size_t kTag = kPrefixAndNonce + crypto::kPageNonceSize;
constexpr std::size_t kEpoch = kTag + crypto::kPageTagSize;
// A rotation goes from one epoch to the next: no third one is ever in use.
constexpr std::uint32_t kMostEpochsOpen = 2;
constexpr std::size_t kLogSealSize = 12;

// Magic for little-endian checksums, version 3007000, page size: what every log begins with here.
constexpr std::string_view kLogConstants{"\x37\x7f\x06\x82\x00\x2d\xe2\x18\x00\x00\x10\x00", 12};

// A context of 16 bytes in front of what is authenticated, so that no two kinds can be confused.
template <std::size_t Size>
std::array<char, 16 + Size> withContext(const char* kind, std::int64_t offset, const char* bytes) {
  std::array<char, 16 + Size> message{};
  std::memcpy(message.data(), kind, 4);
  storeBigEndian32(message.data() + 8, static_cast<std::uint32_t>(offset >> 32));
  storeBigEndian32(message.data() + 12, static_cast<std::uint32_t>(offset));
  std::memcpy(message.data() + 16, bytes, Size);
  return message;
}

// The bytes of a page that are encrypted: page 1 keeps its first 16 for the key check.
std::size_t bodyStart(std::uint32_t number) {
  return number == 1 ? kKeyCheckSize : 0;
}

}  // namespace

std::uint32_t loadBigEndian32(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

void storeBigEndian32(char* bytes, std::uint32_t value) {
  for (int i = 3; i >= 0; --i, value >>= 8) bytes[i] = static_cast<char>(value & 0xffU);
}

PageFormat::Ciphers* PageFormat::find(std::uint32_t epoch) {
  if (const std::uint64_t generation = keys_.generation(); generation != generation_) {
    ciphers_.clear();  // a key that was destroyed must not live on here
    generation_ = generation;
  }
  for (const auto& ciphers : ciphers_) {
    if (ciphers->epoch == epoch) return ciphers.get();
  }
  const std::shared_ptr<const StoreKeys> keys = keys_.find(epoch);
  if (!keys) return nullptr;
  return ciphers_.emplace_back(std::make_unique<Ciphers>(epoch, *keys, random_)).get();
}

PageFormat::Ciphers& PageFormat::current() {
  if (Ciphers* ciphers = find(keys_.current())) return *ciphers;
  // The epoch went between the two calls above; another one is current now.
  if (Ciphers* ciphers = find(keys_.current())) return *ciphers;
  throw Failure("store.wrong-key", "The store has no key to write with.");
}

template <typename Opens>
bool PageFormat::anyHeader(Opens opens) {
  const std::uint32_t newest = keys_.current();
  for (std::uint32_t epoch = newest; epoch > 0 && newest - epoch < kMostEpochsOpen; --epoch) {
    Ciphers* const ciphers = find(epoch);
    if (ciphers != nullptr && opens(ciphers->headers)) return true;
  }
  return false;
}

std::uint32_t PageFormat::epochOf(const char* sealed) {
  return loadBigEndian32(sealed + kEpoch);
}

bool PageFormat::isOfOurShape(std::uint32_t number, const char* plain) {
  const char* tail = plain + kPageBodySize;
  if (std::any_of(tail, tail + kReservedSize, [](char byte) { return byte != 0; })) return false;
  if (number != 1) return number != 0;
  return std::string_view(plain, kSqliteMagic.size()) == kSqliteMagic && plain[16] == 0x10 &&
         plain[17] == 0 && plain[20] == static_cast<char>(kReservedSize);
}

std::array<char, 28> PageFormat::associatedData(PageDomain domain, std::uint32_t number,
                                                std::uint32_t epoch) const {
  std::array<char, 28> data{};
  std::memcpy(data.data(), domain == PageDomain::kStore ? "WSP1" : "WSJ1", 4);
  storeBigEndian32(data.data() + 4, number);
  storeBigEndian32(data.data() + 8, epoch);
  std::memcpy(data.data() + 12, keys_.id().data(), 16);
  return data;
}

void PageFormat::sealPage(PageDomain domain, std::uint32_t number, const char* plain,
                          char* sealed) {
  Ciphers& ciphers = current();
  const std::array<char, 28> data = associatedData(domain, number, ciphers.epoch);
  const std::size_t start = bodyStart(number);
  std::memcpy(sealed, keys_.check().data(), start);
  ciphers.pages.seal({data.data(), data.size()}, {plain + start, kPageBodySize - start},
                     sealed + start, sealed + kPrefixAndNonce, sealed + kTag);
  storeBigEndian32(sealed + kEpoch, ciphers.epoch);
  std::memset(sealed + kEpoch + 4, 0, kPageSize - kEpoch - 4);
  if (domain == PageDomain::kStore) setStoreTail(number, sealed);
}

bool PageFormat::openPage(PageDomain domain, std::uint32_t number, const char* sealed,
                          char* plain) {
  const std::uint32_t epoch = epochOf(sealed);
  Ciphers* const ciphers = find(epoch);
  const std::array<char, 28> data = associatedData(domain, number, epoch);
  const std::size_t start = bodyStart(number);
  std::memset(plain + kPageBodySize, 0, kReservedSize);
  const bool opened =
      ciphers != nullptr &&
      ciphers->pages.open({sealed + kPrefixAndNonce, crypto::kPageNonceSize},
                          {data.data(), data.size()}, {sealed + start, kPageBodySize - start},
                          {sealed + kTag, crypto::kPageTagSize}, plain + start);
  if (!opened) {
    std::memset(plain, 0, kPageBodySize);
    return false;
  }
  std::memcpy(plain, kSqliteMagic.data(), start);
  return true;
}

void PageFormat::setStoreTail(std::uint32_t number, char* sealed) const {
  char* tail = sealed + kPageSealedSize;
  std::memset(tail, 0, kPageSize - kPageSealedSize);
  if (number == 1) std::memcpy(tail, keys_.check().data(), kKeyCheckSize);
}

void PageFormat::sealFrameHeader(std::int64_t offset, const char* header, char* frame) {
  crypto::HeaderCipher& headers = current().headers;
  const auto message = withContext<kFrameHeaderSize>("WSF1", offset, header);
  const crypto::MacBlock seal = headers.mac({message.data(), message.size()});
  std::memcpy(frame, header, kFrameHeaderSize);
  headers.mask(seal, frame, kFrameHeaderSize);
  std::memcpy(frame + kFrameHeaderSize + kPageSealedSize, seal.data(), seal.size());
}

bool PageFormat::openFrameHeader(std::int64_t offset, const char* frame, char* header) {
  crypto::MacBlock seal;
  std::memcpy(seal.data(), frame + kFrameHeaderSize + kPageSealedSize, seal.size());
  const bool opened = anyHeader([&](crypto::HeaderCipher& headers) {
    std::memcpy(header, frame, kFrameHeaderSize);
    headers.mask(seal, header, kFrameHeaderSize);
    const auto message = withContext<kFrameHeaderSize>("WSF1", offset, header);
    const crypto::MacBlock expected = headers.mac({message.data(), message.size()});
    return crypto::equalConstantTime({seal.data(), seal.size()},
                                     {expected.data(), expected.size()});
  });
  if (!opened) std::memset(header, 0, kFrameHeaderSize);
  return opened;
}

bool PageFormat::sealLogHeader(const char* plain, char* sealed) {
  if (std::string_view(plain, kLogConstants.size()) != kLogConstants) return false;
  constexpr std::size_t kRest = kLogHeaderSize - kLogSealSize;
  crypto::HeaderCipher& headers = current().headers;
  const auto message = withContext<kRest>("WSW1", 0, plain + kLogSealSize);
  crypto::MacBlock seal = headers.mac({message.data(), message.size()});
  std::fill(seal.begin() + kLogSealSize, seal.end(), '\0');
  std::memcpy(sealed, seal.data(), kLogSealSize);
  std::memcpy(sealed + kLogSealSize, plain + kLogSealSize, kRest);
  headers.mask(seal, sealed + kLogSealSize, kRest);
  return true;
}

bool PageFormat::openLogHeader(const char* sealed, char* plain) {
  constexpr std::size_t kRest = kLogHeaderSize - kLogSealSize;
  crypto::MacBlock seal{};
  std::memcpy(seal.data(), sealed, kLogSealSize);
  std::memcpy(plain, kLogConstants.data(), kLogSealSize);
  const bool opened = anyHeader([&](crypto::HeaderCipher& headers) {
    std::memcpy(plain + kLogSealSize, sealed + kLogSealSize, kRest);
    headers.mask(seal, plain + kLogSealSize, kRest);
    const auto message = withContext<kRest>("WSW1", 0, plain + kLogSealSize);
    const crypto::MacBlock expected = headers.mac({message.data(), message.size()});
    return crypto::equalConstantTime({seal.data(), kLogSealSize}, {expected.data(), kLogSealSize});
  });
  if (!opened) std::memset(plain, 0, kLogHeaderSize);
  return opened;
}

crypto::MacBlock PageFormat::journalHeaderSeal(std::int64_t offset, const char* header) {
  const auto message = withContext<16>("WSR1", offset, header + 12);
  return current().headers.mac({message.data(), message.size()});
}

bool PageFormat::isOurJournalHeader(std::int64_t offset, const char* header) {
  const auto message = withContext<16>("WSR1", offset, header + 12);
  return anyHeader([&](crypto::HeaderCipher& headers) {
    const crypto::MacBlock seal = headers.mac({message.data(), message.size()});
    return crypto::equalConstantTime({header + kJournalSealOffset, seal.size()},
                                     {seal.data(), seal.size()});
  });
}

bool PageFormat::maskJournalChecksum(const char* sealedPage, char* checksum) {
  Ciphers* const ciphers = find(epochOf(sealedPage));
  if (ciphers == nullptr) return false;
  std::array<char, 8 + crypto::kPageNonceSize> message{'W', 'S', 'C', '1'};
  std::memcpy(message.data() + 8, sealedPage + kPrefixAndNonce, crypto::kPageNonceSize);
  const crypto::MacBlock stream = ciphers->headers.mac({message.data(), message.size()});
  for (std::size_t i = 0; i < 4; ++i) {
    checksum[i] = static_cast<char>(checksum[i] ^ stream[i]);
  }
  return true;
}

}  // namespace waystation::storage
