#include "server/intake.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "crypto/failure.h"
#include "crypto/hpke.h"
#include "server/access/leaf_certificates.h"
#include "server/audit.h"
#include "sync/hub.h"

namespace waystation::server {
namespace {

constexpr std::string_view kInfo = "waystation intake v1";
constexpr std::size_t kSizeBytes = 4;

std::filesystem::path fileIn(const std::filesystem::path& directory) {
  return directory / "intake.spool";
}

std::string sized(std::string_view bytes) {
  std::string result;
  for (int shift = 24; shift >= 0; shift -= 8) {
    result.push_back(static_cast<char>(bytes.size() >> shift & 0xff));
  }
  return result.append(bytes);
}

std::size_t numberIn(std::string_view head) {
  std::size_t number = 0;
  for (const char c : head.substr(0, kSizeBytes)) {
    number = number << 8 | static_cast<unsigned char>(c);
  }
  return number;
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  const int number_;
};

Failure noRoom() {
  return Failure("store.full",
                 "This office is locked and has no more room for what phones send. Nothing was "
                 "kept; it stays on the phone.");
}

bool syncDirectory(const std::filesystem::path& directory) {
  const Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened.get() >= 0 && ::fsync(opened.get()) == 0;
}

// Goes through the records of the file, up to the first that is not whole.
class SpoolReader {
 public:
  explicit SpoolReader(const std::filesystem::path& file) : in_(file, std::ios::binary) {
    std::error_code missing;
    left_ = std::filesystem::file_size(file, missing);
    if (missing) left_ = 0;
  }

  // The size of the next record; nothing at the end. Then its bytes, or none of them.
  std::optional<std::size_t> next() {
    std::string head(kSizeBytes, '\0');
    if (left_ < kSizeBytes || !in_.read(head.data(), kSizeBytes)) return std::nullopt;
    const std::size_t size = numberIn(head);
    if (left_ - kSizeBytes < size) return std::nullopt;
    left_ -= kSizeBytes + size;
    whole_ += kSizeBytes + size;
    return size;
  }
  std::string bytes(std::size_t size) {
    std::string bytes(size, '\0');
    in_.read(bytes.data(), static_cast<std::streamsize>(size));
    return bytes;
  }
  void skip(std::size_t size) { in_.seekg(static_cast<std::streamoff>(size), std::ios::cur); }

  // How far the file is whole, once next() answered nothing.
  std::size_t whole() const { return whole_; }

 private:
  std::ifstream in_;
  std::uintmax_t left_ = 0;
  std::size_t whole_ = 0;
};

std::size_t wholeSize(const std::filesystem::path& file) {
  SpoolReader records(file);
  while (const auto size = records.next()) records.skip(*size);
  return records.whole();
}

bool appendAt(int descriptor, std::size_t at, std::string_view bytes) {
  if (::ftruncate(descriptor, static_cast<off_t>(at)) != 0) return false;
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (count <= 0) return false;
    at += static_cast<std::size_t>(count);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(descriptor) == 0;
}

// As if the phone sent it now: who may not speak any more is refused, whatever it sent then.
bool applyOne(Node& office, std::string_view sealed) {
  const auto opened = crypto::hpkeOpen(office.sealingKey(), kInfo, office.config().name, sealed);
  if (!opened) return false;
  if (opened->size() < kSizeBytes) return false;
  const std::string_view rest = std::string_view(*opened).substr(kSizeBytes);
  const std::size_t certificateSize = numberIn(*opened);
  if (rest.size() < certificateSize) return false;
  try {
    const storage::LeafRow leaf =
        access::judgeLeaf(office, std::string(rest.substr(0, certificateSize)), true);
    sync::HubExchange exchange(office.replica(), office.connections(), leaf.name,
                               office.admitted());
    exchange.receive(rest.substr(certificateSize));
    return true;
  } catch (const Failure& failure) {
    if (failure.code().starts_with("store.")) throw;
    return false;
  }
}

}  // namespace

IntakeSpool::IntakeSpool(const std::filesystem::path& directory, std::string sealingKey,
                         std::string office)
    : file_(fileIn(directory)), sealingKey_(std::move(sealingKey)), office_(std::move(office)) {}

void IntakeSpool::keep(const std::string& certificatePem, const std::string& body) {
  const std::string record =
      sized(crypto::hpkeSeal(random_, sealingKey_, kInfo, office_, sized(certificatePem) + body));
  const std::lock_guard lock(mutex_);
  if (!size_) size_ = wholeSize(file_);
  const std::size_t at = *size_;
  if (at + record.size() > kMostBytes) throw noRoom();
  const bool isNew = !std::filesystem::exists(file_);
  const Descriptor descriptor(::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (descriptor.get() < 0 || !appendAt(descriptor.get(), at, record) ||
      (isNew && !syncDirectory(file_.parent_path()))) {
    throw noRoom();
  }
  *size_ += record.size();
}

IntakeOutcome applyIntake(Node& office) {
  const std::filesystem::path file = fileIn(office.directory());
  IntakeOutcome outcome;
  if (!std::filesystem::exists(file)) return outcome;
  SpoolReader records(file);
  while (const auto size = records.next()) {
    ++(applyOne(office, records.bytes(*size)) ? outcome.applied : outcome.refused);
  }
  office.write([&](sync::Work& work) {
    noteDeed(
        work.store(), office.clock(),
        {"", "intake-applied", {}, {{"applied", outcome.applied}, {"refused", outcome.refused}}});
  });
  std::filesystem::remove(file);
  syncDirectory(office.directory());
  return outcome;
}

}  // namespace waystation::server
