#include "storage/page_format.h"

#include <algorithm>
#include <cstring>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"

namespace waystation::storage {

namespace {

constexpr std::size_t kPrefixAndNonce = kPageBodySize;
constexpr std::size_t kTag = kPrefixAndNonce + crypto::kPageNonceSize;
constexpr std::size_t kEpoch = kTag + crypto::kPageTagSize;
constexpr std::uint32_t kCurrentEpoch = 1;
constexpr std::size_t kLogSealSize = 12;

// Magic for little-endian checksums, version 3007000, page size: what every log begins with here.
constexpr std::string_view kLogConstants{"\x37\x7f\x06\x82\x00\x2d\xe2\x18\x00\x00\x10\x00", 12};

crypto::Secret derived(const crypto::Secret& key, std::string_view purpose, std::size_t size) {
  return crypto::hkdfSha256(key.view(), "", purpose, size);
}

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

StoreKeys::StoreKeys(const crypto::Secret& databaseKey) {
  if (databaseKey.size() != 32) {
    throw Failure("key.malformed", "A database key has 32 bytes; this one has " +
                                       std::to_string(databaseKey.size()) + ".");
  }
  page = derived(databaseKey, "waystation store page key v1", 32);
  seal = derived(databaseKey, "waystation store header seal key v1", 32);
  mask = derived(databaseKey, "waystation store header mask key v1", 32);
  id = derived(databaseKey, "waystation store database id v1", 16).view();
  check = derived(databaseKey, "waystation store key check v1", kKeyCheckSize).view();
}

PageFormat::PageFormat(const StoreKeys& keys, crypto::Random& random)
    : keys_(keys), pages_(keys.page.view(), random), headers_(keys.seal.view(), keys.mask.view()) {}

bool PageFormat::isOfOurShape(std::uint32_t number, const char* plain) {
  const char* tail = plain + kPageBodySize;
  if (std::any_of(tail, tail + kReservedSize, [](char byte) { return byte != 0; })) return false;
  if (number != 1) return number != 0;
  return std::string_view(plain, kSqliteMagic.size()) == kSqliteMagic && plain[16] == 0x10 &&
         plain[17] == 0 && plain[20] == static_cast<char>(kReservedSize);
}

std::array<char, 28> PageFormat::associatedData(PageDomain domain, std::uint32_t number) const {
  std::array<char, 28> data{};
  std::memcpy(data.data(), domain == PageDomain::kStore ? "WSP1" : "WSJ1", 4);
  storeBigEndian32(data.data() + 4, number);
  storeBigEndian32(data.data() + 8, kCurrentEpoch);
  std::memcpy(data.data() + 12, keys_.id.data(), 16);
  return data;
}

void PageFormat::sealPage(PageDomain domain, std::uint32_t number, const char* plain,
                          char* sealed) {
  const std::array<char, 28> data = associatedData(domain, number);
  const std::size_t start = bodyStart(number);
  std::memcpy(sealed, keys_.check.data(), start);
  pages_.seal({data.data(), data.size()}, {plain + start, kPageBodySize - start}, sealed + start,
              sealed + kPrefixAndNonce, sealed + kTag);
  storeBigEndian32(sealed + kEpoch, kCurrentEpoch);
  std::memset(sealed + kEpoch + 4, 0, kPageSize - kEpoch - 4);
  if (domain == PageDomain::kStore) setStoreTail(number, sealed);
}

bool PageFormat::openPage(PageDomain domain, std::uint32_t number, const char* sealed,
                          char* plain) {
  const std::array<char, 28> data = associatedData(domain, number);
  const std::size_t start = bodyStart(number);
  std::memset(plain + kPageBodySize, 0, kReservedSize);
  const bool opened =
      loadBigEndian32(sealed + kEpoch) == kCurrentEpoch &&
      pages_.open({sealed + kPrefixAndNonce, crypto::kPageNonceSize}, {data.data(), data.size()},
                  {sealed + start, kPageBodySize - start}, {sealed + kTag, crypto::kPageTagSize},
                  plain + start);
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
  if (number == 1) std::memcpy(tail, keys_.check.data(), kKeyCheckSize);
}

void PageFormat::sealFrameHeader(std::int64_t offset, const char* header, char* frame) {
  const auto message = withContext<kFrameHeaderSize>("WSF1", offset, header);
  const crypto::MacBlock seal = headers_.mac({message.data(), message.size()});
  std::memcpy(frame, header, kFrameHeaderSize);
  headers_.mask(seal, frame, kFrameHeaderSize);
  std::memcpy(frame + kFrameHeaderSize + kPageSealedSize, seal.data(), seal.size());
}

bool PageFormat::openFrameHeader(std::int64_t offset, const char* frame, char* header) {
  crypto::MacBlock seal;
  std::memcpy(seal.data(), frame + kFrameHeaderSize + kPageSealedSize, seal.size());
  std::memcpy(header, frame, kFrameHeaderSize);
  headers_.mask(seal, header, kFrameHeaderSize);
  const auto message = withContext<kFrameHeaderSize>("WSF1", offset, header);
  const crypto::MacBlock expected = headers_.mac({message.data(), message.size()});
  if (crypto::equalConstantTime({seal.data(), seal.size()}, {expected.data(), expected.size()})) {
    return true;
  }
  std::memset(header, 0, kFrameHeaderSize);
  return false;
}

bool PageFormat::sealLogHeader(const char* plain, char* sealed) {
  if (std::string_view(plain, kLogConstants.size()) != kLogConstants) return false;
  constexpr std::size_t kRest = kLogHeaderSize - kLogSealSize;
  const auto message = withContext<kRest>("WSW1", 0, plain + kLogSealSize);
  crypto::MacBlock seal = headers_.mac({message.data(), message.size()});
  std::fill(seal.begin() + kLogSealSize, seal.end(), '\0');
  std::memcpy(sealed, seal.data(), kLogSealSize);
  std::memcpy(sealed + kLogSealSize, plain + kLogSealSize, kRest);
  headers_.mask(seal, sealed + kLogSealSize, kRest);
  return true;
}

bool PageFormat::openLogHeader(const char* sealed, char* plain) {
  constexpr std::size_t kRest = kLogHeaderSize - kLogSealSize;
  crypto::MacBlock seal{};
  std::memcpy(seal.data(), sealed, kLogSealSize);
  std::memcpy(plain, kLogConstants.data(), kLogSealSize);
  std::memcpy(plain + kLogSealSize, sealed + kLogSealSize, kRest);
  headers_.mask(seal, plain + kLogSealSize, kRest);
  const auto message = withContext<kRest>("WSW1", 0, plain + kLogSealSize);
  const crypto::MacBlock expected = headers_.mac({message.data(), message.size()});
  if (crypto::equalConstantTime({seal.data(), kLogSealSize}, {expected.data(), kLogSealSize})) {
    return true;
  }
  std::memset(plain, 0, kLogHeaderSize);
  return false;
}

crypto::MacBlock PageFormat::journalHeaderSeal(std::int64_t offset, const char* header) {
  const auto message = withContext<16>("WSR1", offset, header + 12);
  return headers_.mac({message.data(), message.size()});
}

bool PageFormat::isOurJournalHeader(std::int64_t offset, const char* header) {
  const crypto::MacBlock seal = journalHeaderSeal(offset, header);
  return crypto::equalConstantTime({header + kJournalSealOffset, seal.size()},
                                   {seal.data(), seal.size()});
}

void PageFormat::maskJournalChecksum(const char* sealedPage, char* checksum) {
  std::array<char, 8 + crypto::kPageNonceSize> message{'W', 'S', 'C', '1'};
  std::memcpy(message.data() + 8, sealedPage + kPrefixAndNonce, crypto::kPageNonceSize);
  const crypto::MacBlock stream = headers_.mac({message.data(), message.size()});
  for (std::size_t i = 0; i < 4; ++i) {
    checksum[i] = static_cast<char>(checksum[i] ^ stream[i]);
  }
}

}  // namespace waystation::storage
