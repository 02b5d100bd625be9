#include "tests/support/test_node.h"

#include <cstdlib>
#include <stdexcept>

#include "storage/store_schema.h"

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

server::NodeKeys keysOf(const std::filesystem::path& directory) {
  const crypto::KeySlots slots(server::Node::keyFile(directory));
  const crypto::Secret master = slots.open(crypto::SlotKind::kPassphrase, kTestPassphrase).master;
  return {master, slots.storeId()};
}

void makeNodeOfVersion(const std::filesystem::path& directory, std::size_t version,
                       const std::map<std::string, std::string>& rows) {
  makeNode(directory, server::Role::kOffice, "NBO").reset();
  const crypto::Secret key = keysOf(directory).database.clone();
  const std::filesystem::path file = directory / server::kRecordsFile;
  std::map<std::string, std::string> all = rows;
  {
    storage::Database current(file, key, storage::OpenMode::kReadWrite);
    storage::Statement query = current.statement("SELECT name, value FROM meta");
    while (query.step()) all.emplace(query.text(0), query.text(1));
  }
  for (const char* suffix : {"", "-wal"}) std::filesystem::remove(file.string() + suffix);
  storage::Database old(file, key, storage::OpenMode::kCreate);
  const auto steps = storage::storeMigrations().begin();
  storage::migrate(old, {steps, steps + static_cast<std::ptrdiff_t>(version)});
  storage::Transaction transaction(old);
  for (const auto& [name, value] : all) storage::Store(old).setMeta(name, value);
  transaction.commit();
}

std::unique_ptr<server::Node> openNode(const std::filesystem::path& directory) {
  const crypto::SlotSecret passphrase{crypto::SlotKind::kPassphrase,
                                      crypto::Secret::copyOf(kTestPassphrase)};
  return std::make_unique<server::Node>(directory, passphrase, programmes());
}

}  // namespace waystation::testing
