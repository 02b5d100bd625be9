#include "server/locked_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "server/http/json.h"
#include "storage/whole_file.h"

namespace waystation::server {
namespace {

std::filesystem::path fileIn(const std::filesystem::path& directory) {
  return directory / "locked.json";
}

// Held while the file is changed; as the key file's, on the directory itself.
class Turn {
 public:
  explicit Turn(const std::filesystem::path& directory)
      : descriptor_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (descriptor_ >= 0) ::flock(descriptor_, LOCK_EX);
  }
  ~Turn() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  const int descriptor_;
};

std::string textOf(const LockedFile& file) {
  return http::Json{{"key", file.door.privateKeyPem},
                    {"certificate", file.door.certificatePem},
                    {"authority", file.authorityPem},
                    {"hq", file.hubName},
                    {"hqSealingKey", crypto::toBase64Url(file.hubSealingKey)},
                    {"sealingKey", crypto::toBase64Url(file.sealingKey)},
                    {"phoneAuthority", file.phoneAuthorityPem},
                    {"half", crypto::toBase64Url(file.boxHalf)},
                    {"forHq", crypto::toBase64Url(file.forHub)}}
             .dump(2) +
         '\n';
}

}  // namespace

std::optional<LockedFile> readLockedFile(const std::filesystem::path& directory) {
  std::ifstream in(fileIn(directory));
  if (!in) return std::nullopt;
  try {
    const http::Json json = http::parseJson(std::string{std::istreambuf_iterator<char>(in), {}});
    const auto bytes = [&](const char* name) {
      return crypto::fromBase64Url(json.at(name).get<std::string>());
    };
    LockedFile file;
    file.door = {json.at("key").get<std::string>(), json.at("certificate").get<std::string>()};
    file.authorityPem = json.at("authority").get<std::string>();
    file.hubName = json.at("hq").get<std::string>();
    file.hubSealingKey = bytes("hqSealingKey");
    file.sealingKey = bytes("sealingKey");
    file.phoneAuthorityPem = json.at("phoneAuthority").get<std::string>();
    file.boxHalf = bytes("half");
    file.forHub = bytes("forHq");
    return file;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

void changeLockedFile(const std::filesystem::path& directory,
                      const std::function<void(LockedFile&)>& change) {
  const Turn turn(directory);
  const std::optional<LockedFile> before = readLockedFile(directory);
  LockedFile file = before.value_or(LockedFile{});
  change(file);
  if (before && file == *before) return;
  if (storage::replaceFile(fileIn(directory), textOf(file)) != 0) {
    throw Failure("node.unwritable", "The file locked.json can't be written in " +
                                         directory.string() +
                                         ". What it held is whole. Is the disk full?");
  }
}

void forgetBoxHalf(const std::filesystem::path& directory) {
  if (!readLockedFile(directory)) return;
  changeLockedFile(directory, [](LockedFile& file) {
    file.boxHalf.clear();
    file.forHub.clear();
  });
}

}  // namespace waystation::server
