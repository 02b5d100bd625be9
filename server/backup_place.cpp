#include "server/backup_place.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "crypto/failure.h"

namespace waystation::server {
namespace {

constexpr std::string_view kPrefix = "label:";

// A line of mountinfo (proc(5)):
//
//   id parent major:minor root mount-point options optional* - type source more-options
struct Mount {
  std::string device;  // "8:17"
  std::string root;    // what of the file system is mounted: "/" is all
  std::string point;
  std::string source;
};

bool isOctal(char character) {
  return character >= '0' && character <= '7';
}

// Blanks and the like stand there as \040.
std::string withoutEscapes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && isOctal(text[i + 1]) && isOctal(text[i + 2]) &&
        isOctal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                 (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::vector<Mount> mountsIn(const std::filesystem::path& file) {
  std::vector<Mount> mounts;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string id;
    std::string parent;
    std::string word;
    std::string type;
    Mount mount;
    words >> id >> parent >> mount.device >> mount.root >> mount.point;
    while (words >> word && word != "-") {
    }
    if (!(words >> type >> mount.source)) continue;
    mount.root = withoutEscapes(mount.root);
    mount.point = withoutEscapes(mount.point);
    mount.source = withoutEscapes(mount.source);
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

// As udev names the link: what is no plain character is written \x20.
std::string linkName(std::string_view label) {
  constexpr std::string_view kPlain = "#+-.:=@_";
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name;
  for (const char character : label) {
    const auto byte = static_cast<unsigned char>(character);
    const bool isPlain = byte >= 0x80 || (byte >= '0' && byte <= '9') ||
                         (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                         kPlain.find(character) != std::string_view::npos;
    if (isPlain) {
      name += character;
    } else {
      name += std::string("\\x") + kDigits[byte >> 4] + kDigits[byte & 15];
    }
  }
  return name;
}

// The device's number as mountinfo writes it; nothing for what is no block device.
std::optional<std::string> numberOf(const std::filesystem::path& device) {
  struct stat status {};
  if (::stat(device.c_str(), &status) != 0 || !S_ISBLK(status.st_mode)) return std::nullopt;
  return std::to_string(major(status.st_rdev)) + ":" + std::to_string(minor(status.st_rdev));
}

std::string numberOfWhatIsAt(const std::filesystem::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return {};
  return std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
}

// The folder in which the device is mounted whole, and nothing over it.
std::optional<std::filesystem::path> mountPointOf(const std::filesystem::path& device,
                                                  const std::vector<Mount>& mounts) {
  const std::optional<std::string> number = numberOf(device);
  for (auto mount = mounts.begin(); mount != mounts.end(); ++mount) {
    std::error_code ignored;
    // Some file systems (Btrfs) have numbers of their own, which are not the device's.
    const bool isNumber = number && mount->device == *number;
    const bool isSource = mount->source.starts_with('/') &&
                          std::filesystem::canonical(mount->source, ignored) == device;
    if ((!isNumber && !isSource) || mount->root != "/") continue;
    const bool isCovered =
        std::any_of(mount + 1, mounts.end(),
                    [&](const Mount& later) { return later.point == mount->point; }) ||
        (isNumber && numberOfWhatIsAt(mount->point) != *number);
    if (!isCovered) return mount->point;
  }
  return std::nullopt;
}

}  // namespace

BackupPlace::BackupPlace(std::string text, DiskSources sources)
    : text_(std::move(text)), sources_(std::move(sources)) {
  if (!isByLabel()) return;
  const std::string rest = text_.substr(kPrefix.size());
  const std::size_t slash = rest.find('/');
  label_ = rest.substr(0, slash);
  if (slash != std::string::npos) {
    folder_ = std::filesystem::path(rest.substr(slash)).relative_path().lexically_normal();
  }
  const bool leadsOut = !folder_.empty() && *folder_.begin() == "..";
  if (!label_.empty() && label_ != "." && label_ != ".." && !leadsOut) return;
  throw Failure("backup.place-malformed",
                "\"" + text_ + "\" names no disk. Write label:NAME, or label:NAME/FOLDER.");
}

std::filesystem::path BackupPlace::find() const {
  if (!isByLabel()) return text_;
  std::error_code error;
  const std::filesystem::path device =
      std::filesystem::canonical(sources_.byLabel / linkName(label_), error);
  if (error) {
    throw Failure(
        "backup.disk-missing",
        "No disk with the label " + label_ +
            " is plugged in. Nothing was written. Plug it in; `lsblk -f` shows the labels "
            "of those that are.");
  }
  const auto point = mountPointOf(device, mountsIn(sources_.mounts));
  if (!point) {
    throw Failure(
        "backup.disk-not-mounted",
        "The disk with the label " + label_ +
            " is plugged in and not mounted. Nothing was written. Mount it: `sudo mount " +
            device.string() + " /mnt`.");
  }
  return folder_.empty() ? *point : *point / folder_;
}

}  // namespace waystation::server
