#include "tests/support/test_node.h"

#include <cstdlib>
#include <stdexcept>

namespace waystation::testing {
namespace {

std::filesystem::path programmes() {
  return std::filesystem::path(WAYSTATION_SOURCE_DIR) / "server" / "programmes";
}

}  // namespace

TempDirectory::TempDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "waystation-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
  path_ = name;
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::unique_ptr<server::Node> makeNode(const std::filesystem::path& directory, server::Role role,
                                       const std::string& name) {
  server::NodeConfig config;
  config.role = role;
  config.name = name;
  server::Node::create(directory, config, kTestPassphrase, crypto::Argon2Cost{1, 8, 1});
  return openNode(directory);
}

std::unique_ptr<server::Node> openNode(const std::filesystem::path& directory) {
  const crypto::SlotSecret passphrase{crypto::SlotKind::kPassphrase,
                                      crypto::Secret::copyOf(kTestPassphrase)};
  return std::make_unique<server::Node>(directory, passphrase, programmes());
}

}  // namespace waystation::testing
