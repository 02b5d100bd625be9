#include "storage/high_water_mark.h"

#include <algorithm>
#include <utility>

#include "crypto/aead.h"
#include "crypto/failure.h"
#include "crypto/kdf.h"
#include "crypto/key_file.h"
#include "storage/store.h"

namespace waystation::storage {

namespace {

constexpr std::string_view kHead{"WSMARK\r\n\0\1", 10};
constexpr std::size_t kCountSize = 8;
constexpr std::size_t kFileSize =
    kHead.size() + crypto::kAeadNonceSize + kCountSize + crypto::kAeadTagSize;
constexpr std::string_view kCountRow = "mark.count";
constexpr std::string_view kFindingRow = "mark.finding";

std::uint64_t numberFrom(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

std::string bytesOf(std::uint64_t number) {
  std::string bytes(kCountSize, '\0');
  for (std::size_t i = kCountSize; i-- > 0; number >>= 8)
    bytes[i] = static_cast<char>(number & 0xffU);
  return bytes;
}

}  // namespace

HighWaterMark::HighWaterMark(std::filesystem::path file, const crypto::Secret& key,
                             std::string storeId)
    : file_(std::move(file)),
      key_(key.clone()),
      associated_("waystation high-water mark v1" + std::move(storeId)) {}

std::optional<std::uint64_t> HighWaterMark::read(bool& isMissing) {
  isMissing = !std::filesystem::exists(file_);
  previous_.clear();
  if (isMissing) return std::nullopt;
  previous_ = crypto::readKeyFile(file_, kFileSize);
  if (previous_.size() != kFileSize || !previous_.starts_with(kHead)) return std::nullopt;
  const std::optional<std::string> count = crypto::openWithLeadingNonce(
      key_.view(), associated_, std::string_view(previous_).substr(kHead.size()));
  if (!count) return std::nullopt;
  return numberFrom(*count);
}

void HighWaterMark::write(std::uint64_t count, crypto::Random& random) {
  const std::string content =
      std::string(kHead) +
      crypto::sealWithRandomNonce(random, key_.view(), associated_, bytesOf(count));
  try {
    if (std::filesystem::exists(file_)) {
      crypto::replaceKeyFile(file_, previous_, content);
    } else {
      crypto::createKeyFile(file_, content);
    }
  } catch (const Failure&) {
    throw Failure("mark.write-failed",
                  "The file " + file_.string() +
                      " could not be written, so an older copy of the store would not be noticed. "
                      "The store itself is whole. Check the disk's free space and health.");
  }
  previous_ = content;
}

HighWaterMark::Finding HighWaterMark::raise(Database& writer, crypto::Random& random) {
  Store store(writer);
  bool isMissing = false;
  const std::optional<std::uint64_t> marked = read(isMissing);
  const std::optional<std::string> row = store.meta(kCountRow);
  const std::uint64_t counted = row ? numberFrom(*row) : 0;
  Finding found = standing(writer);
  if (isMissing && row) found = Finding::kMissing;
  if (!isMissing && !marked) found = Finding::kUnreadable;
  if (marked && *marked > counted) found = Finding::kOlderCopy;
  const std::uint64_t next = std::max(counted, marked.value_or(0)) + 1;
  Transaction transaction(writer);
  store.setMeta(kCountRow, bytesOf(next));
  if (found != Finding::kCurrent)
    store.setMeta(kFindingRow, bytesOf(static_cast<std::uint64_t>(found)));
  transaction.commit();
  write(next, random);
  return found;
}

void HighWaterMark::accept(Database& writer) {
  Transaction transaction(writer);
  Store(writer).setMeta(kFindingRow, bytesOf(static_cast<std::uint64_t>(Finding::kCurrent)));
  transaction.commit();
}

HighWaterMark::Finding HighWaterMark::standing(Database& database) {
  const std::optional<std::string> row = Store(database).meta(kFindingRow);
  return row ? static_cast<Finding>(numberFrom(*row)) : Finding::kCurrent;
}

crypto::Secret deriveMarkKey(const crypto::Secret& master, std::string_view storeId) {
  return crypto::hkdfSha256(master.view(), storeId, "waystation high-water mark key v1",
                            crypto::kAeadKeySize);
}

std::string sentenceOf(HighWaterMark::Finding finding) {
  switch (finding) {
    case HighWaterMark::Finding::kCurrent:
      return "";
    case HighWaterMark::Finding::kOlderCopy:
      return "An older copy of the store was put in the place of a newer one: what was saved in "
             "between is not here.";
    case HighWaterMark::Finding::kMissing:
      return "The high-water mark of the store is gone: an older copy of the store may have been "
             "put in its place.";
    case HighWaterMark::Finding::kUnreadable:
      return "The high-water mark of the store is damaged: an older copy of the store may have "
             "been put in its place.";
  }
  return "";
}

}  // namespace waystation::storage
