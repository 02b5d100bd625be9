#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "server/node.h"

namespace waystation::testing {

// A directory of its own, removed at the end.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline constexpr const char* kTestPassphrase = "correct horse battery staple";

// A real node with its encrypted store on disk, with a cheap passphrase slot.
std::unique_ptr<server::Node> makeNode(const std::filesystem::path& directory, server::Role role,
                                       const std::string& name);
// Opens it again, as after a restart.
std::unique_ptr<server::Node> openNode(const std::filesystem::path& directory);

}  // namespace waystation::testing
