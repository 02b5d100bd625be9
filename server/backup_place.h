#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace waystation::server {

// Where the system tells of disks.
struct DiskSources {
  std::filesystem::path byLabel = "/dev/disk/by-label";  // a link to the device for each label
  std::filesystem::path mounts = "/proc/self/mountinfo";
};

// Where backups go, as people write it: a folder, a file, or `label:NAME`, the disk with that
// label, wherever it is mounted; `label:NAME/FOLDER` a folder on it.
class BackupPlace {
 public:
  // Throws Failure("backup.place-malformed"): no label, or a folder that leads out of the disk.
  explicit BackupPlace(std::string text, DiskSources sources = {});

  static bool isLabel(std::string_view text) { return text.starts_with("label:"); }
  const std::string& text() const { return text_; }
  bool isByLabel() const { return isLabel(text_); }

  // The path that is meant now. Of a label: never of a folder where that disk is not mounted.
  // Throws Failure: "backup.disk-missing", "backup.disk-not-mounted".
  std::filesystem::path find() const;

 private:
  std::string text_;
  DiskSources sources_;
  std::string label_;
  std::filesystem::path folder_;  // on the disk
};

}  // namespace waystation::server
