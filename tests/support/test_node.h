#pragma once

#include <filesystem>
#include <map>
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
// An office NBO whose records an earlier version of the program wrote, with these rows in `meta`.
// `version`: the count of migrations that its schema has seen.
void makeNodeOfVersion(const std::filesystem::path& directory, std::size_t version,
                       const std::map<std::string, std::string>& rows);
// Of a node made by one of these.
server::NodeKeys keysOf(const std::filesystem::path& directory);
// Opens it again, as after a restart.
std::unique_ptr<server::Node> openNode(const std::filesystem::path& directory);

}  // namespace waystation::testing
