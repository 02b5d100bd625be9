#include "storage/backup_stream.h"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "crypto/aead.h"
#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"

namespace waystation::storage {

namespace {

constexpr std::string_view kMagic{"WSBACK\r\n", 8};
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kStoreIdSize = 16;
constexpr std::size_t kSaltSize = 32;
constexpr std::size_t kNameSize = crypto::kSha256Size;
constexpr std::size_t kFirstPart = 16;  // magic, version, zeros, size
constexpr std::size_t kFixedPart = 108;
constexpr std::size_t kMostHead = 64 * 1024;
constexpr std::size_t kChunkSize = 256 * 1024;
// Faster than any disk it is written to; the next levels save little.
constexpr int kCompressionLevel = 1;

[[noreturn]] void throwCutShort() {
  throw Failure("backup.cut-short",
                "The backup is not whole: its end is missing. Nothing was changed; take another "
                "copy of it, or an earlier backup.");
}

void requireZstd(std::size_t result) {
  if (ZSTD_isError(result) != 0) {
    throw Failure("backup.failed", std::string("The backup can't be packed: ") +
                                       ZSTD_getErrorName(result) + ". Nothing was changed.");
  }
}

void appendNumber(std::string& out, std::uint64_t value, int size) {
  for (int i = size - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xffU);
}

std::uint64_t numberAt(std::string_view bytes, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[offset + i]);
  }
  return value;
}

std::string readHeadBytes(const ByteSource& source) {
  std::string bytes(kFirstPart, '\0');
  const std::size_t got = source(bytes.data(), bytes.size());
  if (got < kMagic.size() || !bytes.starts_with(kMagic)) {
    throw Failure("backup.foreign-file", "This file is no backup of Waystation's.");
  }
  if (got < bytes.size()) throwCutShort();
  const std::uint64_t size = numberAt(bytes, 12, 4);
  if (size < kFixedPart + kNameSize || size > kMostHead)
    throwDamagedBackup("its head is of no possible size");
  bytes.resize(size);
  if (source(bytes.data() + kFirstPart, size - kFirstPart) < size - kFirstPart) throwCutShort();
  return bytes;
}

std::array<char, crypto::kAeadNonceSize> nonceOf(std::uint64_t chunk, bool isLast) {
  std::array<char, crypto::kAeadNonceSize> nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[i] = static_cast<char>(chunk >> (8 * (7 - i)) & 0xffU);
  nonce.back() = isLast ? 1 : 0;
  return nonce;
}

crypto::Secret fileKeyOf(const crypto::Secret& backupKey, const BackupHead& head) {
  return crypto::hkdfSha256(backupKey.view(), head.name, "waystation backup file key v1",
                            crypto::kAeadKeySize);
}

}  // namespace

void throwDamagedBackup(const std::string& why) {
  throw Failure("backup.damaged", "The backup is damaged or was changed: " + why +
                                      ". Nothing was changed here; take another copy of it, or "
                                      "an earlier backup.");
}

std::string encodeBackupHead(BackupHead& head) {
  std::string bytes(kMagic);
  appendNumber(bytes, kVersion, 2);
  appendNumber(bytes, 0, 2);
  appendNumber(bytes, kFixedPart + head.keySlots.size() + kNameSize, 4);
  bytes += head.storeId + head.salt;
  appendNumber(bytes, static_cast<std::uint64_t>(head.madeMs), 8);
  bytes += head.isWhole() ? std::string(kNameSize, '\0') : head.base;
  appendNumber(bytes, head.keySlots.size(), 4);
  if (bytes.size() != kFixedPart || head.keySlots.size() > kMostHead - kFixedPart - kNameSize) {
    throw Failure("backup.failed", "The key file is too large for a backup. Nothing was written.");
  }
  bytes += head.keySlots;
  head.name = crypto::view(crypto::sha256(bytes));
  return bytes + head.name;
}

BackupHead readBackupHead(const ByteSource& source) {
  const std::string bytes = readHeadBytes(source);
  BackupHead head;
  head.name = bytes.substr(bytes.size() - kNameSize);
  const std::string_view covered(bytes.data(), bytes.size() - kNameSize);
  if (crypto::view(crypto::sha256(covered)) != head.name) {
    throwDamagedBackup("its head is not as it was written");
  }
  if (numberAt(bytes, 8, 2) != kVersion) {
    throw Failure("backup.newer",
                  "The backup was made by a later version of this program. Nothing was changed; "
                  "install that version.");
  }
  if (numberAt(bytes, 10, 2) != 0 ||
      numberAt(bytes, 104, 4) != bytes.size() - kFixedPart - kNameSize) {
    throwDamagedBackup("its head contradicts itself");
  }
  head.storeId = bytes.substr(16, kStoreIdSize);
  head.salt = bytes.substr(32, kSaltSize);
  head.madeMs = static_cast<std::int64_t>(numberAt(bytes, 64, 8));
  head.base = bytes.substr(72, kNameSize);
  if (head.base == std::string(kNameSize, '\0')) head.base.clear();
  head.keySlots = bytes.substr(kFixedPart, bytes.size() - kFixedPart - kNameSize);
  return head;
}

crypto::Secret deriveBackupKey(const crypto::Secret& master, std::string_view storeId) {
  return crypto::hkdfSha256(master.view(), storeId, "waystation backup key v1",
                            crypto::kAeadKeySize);
}

struct BackupOutput::State {
  State(ByteSink out, const crypto::Secret& backupKey, const BackupHead& head)
      : sink(std::move(out)), key(fileKeyOf(backupKey, head)) {}

  void pack(std::string_view plain, ZSTD_EndDirective directive);
  void seal(bool isLast);

  ByteSink sink;
  crypto::Secret key;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> zstd{ZSTD_createCCtx(), ZSTD_freeCCtx};
  std::string chunk = std::string(kChunkSize, '\0');
  std::size_t filled = 0;
  std::uint64_t number = 0;
};

// A full chunk waits until something follows it: it could be the last.
void BackupOutput::State::pack(std::string_view plain, ZSTD_EndDirective directive) {
  ZSTD_inBuffer in{plain.data(), plain.size(), 0};
  for (;;) {
    if (filled == kChunkSize) seal(false);
    ZSTD_outBuffer out{chunk.data(), kChunkSize, filled};
    const std::size_t left = ZSTD_compressStream2(zstd.get(), &out, &in, directive);
    requireZstd(left);
    filled = out.pos;
    const bool done = directive == ZSTD_e_end ? left == 0 : in.pos == in.size;
    if (done) return;
  }
}

void BackupOutput::State::seal(bool isLast) {
  const auto nonce = nonceOf(number++, isLast);
  sink(crypto::aeadSeal(key.view(), {nonce.data(), nonce.size()}, "", {chunk.data(), filled}));
  filled = 0;
}

BackupOutput::BackupOutput(ByteSink sink, const crypto::Secret& backupKey, const BackupHead& head)
    : state_(std::make_unique<State>(std::move(sink), backupKey, head)) {
  requireZstd(
      ZSTD_CCtx_setParameter(state_->zstd.get(), ZSTD_c_compressionLevel, kCompressionLevel));
}

BackupOutput::~BackupOutput() = default;

void BackupOutput::write(std::string_view plain) {
  state_->pack(plain, ZSTD_e_continue);
}

void BackupOutput::finish() {
  state_->pack("", ZSTD_e_end);
  state_->seal(true);
}

struct BackupInput::State {
  State(ByteSource from, const crypto::Secret& backupKey, const BackupHead& head)
      : source(std::move(from)), key(fileKeyOf(backupKey, head)) {}

  std::string take();
  bool open();
  void unpack(ZSTD_outBuffer& out);

  ByteSource source;
  crypto::Secret key;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> zstd{ZSTD_createDCtx(), ZSTD_freeDCtx};
  std::string ahead;  // the next sealed chunk; empty: there is none
  bool isStarted = false;
  std::string packed;
  std::size_t used = 0;
  bool frameEnded = false;
  std::uint64_t number = 0;
};

std::string BackupInput::State::take() {
  std::string sealed(kChunkSize + crypto::kAeadTagSize, '\0');
  sealed.resize(source(sealed.data(), sealed.size()));
  return sealed;
}

// The next chunk; false when the last one has been opened.
bool BackupInput::State::open() {
  if (!std::exchange(isStarted, true)) {
    ahead = take();
    if (ahead.empty()) throwCutShort();
  }
  if (ahead.empty()) return false;
  const std::string sealed = std::exchange(ahead, take());
  const bool isLast = ahead.empty();
  auto nonce = nonceOf(number, isLast);
  std::optional<std::string> plain =
      crypto::aeadOpen(key.view(), {nonce.data(), nonce.size()}, "", sealed);
  if (!plain) {
    // A whole chunk that opens as one in the middle: the file was cut between two.
    nonce = nonceOf(number, false);
    if (isLast && crypto::aeadOpen(key.view(), {nonce.data(), nonce.size()}, "", sealed)) {
      throwCutShort();
    }
    throwDamagedBackup("part " + std::to_string(number + 1) + " does not authenticate" +
                       (isLast ? ", or is not whole" : ""));
  }
  ++number;
  packed = std::move(*plain);
  used = 0;
  return true;
}

void BackupInput::State::unpack(ZSTD_outBuffer& out) {
  while (out.pos < out.size) {
    if (frameEnded) throwDamagedBackup("it ends too early");
    ZSTD_inBuffer in{packed.data(), packed.size(), used};
    const std::size_t left = ZSTD_decompressStream(zstd.get(), &out, &in);
    if (ZSTD_isError(left) != 0) throwDamagedBackup("it can't be unpacked");
    used = in.pos;
    frameEnded = left == 0;
    if (out.pos < out.size && !frameEnded && used == packed.size() && !open()) {
      throwDamagedBackup("it ends too early");
    }
  }
}

BackupInput::BackupInput(ByteSource source, const crypto::Secret& backupKey, const BackupHead& head)
    : state_(std::make_unique<State>(std::move(source), backupKey, head)) {}

BackupInput::~BackupInput() = default;

void BackupInput::read(char* out, std::size_t size) {
  if (size == 0) return;
  ZSTD_outBuffer buffer{out, size, 0};
  state_->unpack(buffer);
}

void BackupInput::requireEnd() {
  State& state = *state_;
  char more = 0;
  ZSTD_outBuffer out{&more, 1, 0};
  // The frame's own end may still be unread.
  while (!state.frameEnded) {
    ZSTD_inBuffer in{state.packed.data(), state.packed.size(), state.used};
    const std::size_t left = ZSTD_decompressStream(state.zstd.get(), &out, &in);
    if (ZSTD_isError(left) != 0 || out.pos != 0) throwDamagedBackup("it goes on beyond its end");
    state.used = in.pos;
    state.frameEnded = left == 0;
    if (!state.frameEnded && state.used == state.packed.size() && !state.open()) {
      throwDamagedBackup("it ends too early");
    }
  }
  if (state.used != state.packed.size() || state.open()) {
    throwDamagedBackup("it goes on beyond its end");
  }
}

}  // namespace waystation::storage
