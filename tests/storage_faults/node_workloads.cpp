// What a node does to its whole data directory: a backup put in the place of what is there, and the
// data brought up to the program's version.

#include <stdexcept>

#include "server/node_restore.h"
#include "storage/backup_file.h"
#include "storage/verify.h"
#include "storage/whole_file.h"
#include "tests/storage_faults/workload.h"
#include "tests/support/test_node.h"

namespace waystation::testing {

namespace {

using server::Node;

crypto::SlotSecret secret() {
  return {crypto::SlotKind::kPassphrase, crypto::Secret::copyOf(kTestPassphrase)};
}

void save(const std::filesystem::path& directory, const std::string& entry) {
  const std::unique_ptr<Node> node = openNode(directory);
  const storage::Connections::Lease writer = node->connections().writer();
  storage::Transaction transaction(*writer);
  storage::Store(*writer).setMeta("entry", entry);
  transaction.commit();
}

std::string entryIn(Node& node) {
  return node.read([](storage::Store& store) { return store.meta("entry").value_or("nothing"); }) +
         "\n";
}

void requireNoDamage(Node& node, const std::filesystem::path& directory) {
  for (const server::NodeDatabase& database : node.databases()) {
    const auto damage = storage::verifyPages(directory / database.name, database.key);
    if (!damage.empty()) throw std::runtime_error(damage.front());
  }
}

// As the program opens it at its start.
std::string contentOf(const std::filesystem::path& directory) {
  const std::unique_ptr<Node> node = openNode(directory);
  requireNoDamage(*node, directory);
  return entryIn(*node);
}

void goOnIn(const std::filesystem::path& directory) {
  save(directory, "later");
  if (contentOf(directory) != "later\n") {
    throw std::runtime_error("what was saved after the power cut is not kept");
  }
}

// An office is restored over its own data, which is set aside, and then once more.
class Restores final : public Workload {
 public:
  std::string name() const override { return "restores"; }

  void run(const std::filesystem::path& directory, Promises& promises) override {
    promises.begin("");
    const auto content = [&] { return contentWithOld(directory); };
    promises.make([&] { settle(directory); }, content);
    promises.make([&] { restore(directory); }, content);
    promises.make([&] { save(directory / "node", "after the restore"); }, content);
    promises.make([&] { restore(directory); }, content);
  }

  std::string recover(const std::filesystem::path& directory, bool isNew) override {
    if (isNew) return "";
    return contentWithOld(directory);
  }

  void goOn(const std::filesystem::path& directory) override {
    if (std::filesystem::exists(directory / "made")) goOnIn(directory / "node");
  }

 private:
  // An office with an entry, a backup of that, and another entry since.
  static void settle(const std::filesystem::path& directory) {
    makeNode(directory / "node", server::Role::kOffice, "NBO").reset();
    save(directory / "node", "before the backup");
    server::BackupOrder order;
    order.target = directory / "backup";
    server::makeBackup(openNode(directory / "node")->backupSource(), order,
                       [](std::uint64_t, std::uint64_t) {});
    save(directory / "node", "after the backup");
    storage::syncDirectory(directory);
    storage::syncDirectory(directory / "node");
    storage::replaceFile(directory / "made", "");
  }

  static void restore(const std::filesystem::path& directory) {
    server::RestoreOrder order;
    order.directory = directory / "node";
    order.file = directory / "backup";
    order.setAside = true;
    server::restoreBackup(order, secret, [](std::uint64_t, std::uint64_t) {});
  }

  // What the node holds, and then what was set aside.
  static std::string contentWithOld(const std::filesystem::path& directory) {
    std::string content = contentOf(directory / "node");
    for (const std::filesystem::path& aside : server::dataSetAside(directory / "node")) {
      content += "aside: " + entryIn(*openNode(aside));
    }
    return content;
  }
};

// The first start after the program was upgraded.
class Upgrades final : public Workload {
 public:
  std::string name() const override { return "upgrades"; }

  void run(const std::filesystem::path& directory, Promises& promises) override {
    const std::filesystem::path node = directory / "node";
    promises.begin("");
    promises.make(
        [&] {
          makeNodeOfVersion(node, kOld, {{"entry", "of old"}});
          storage::syncDirectory(node);
          storage::replaceFile(directory / "made", "");
        },
        [] { return "of old\n"; });
    promises.make([&] { openNode(node); }, [] { return "of old\n"; });
    promises.make([&] { save(node, "after the upgrade"); }, [&] { return contentOf(node); });
  }

  std::string recover(const std::filesystem::path& directory, bool isNew) override {
    if (isNew) return "";
    std::string content = contentOf(directory / "node");
    requireWayBack(directory);
    return content;
  }

  void goOn(const std::filesystem::path& directory) override {
    if (std::filesystem::exists(directory / "made")) goOnIn(directory / "node");
  }

 private:
  static constexpr std::size_t kOld = 4;

  // The backup of before the upgrade, which restores.
  static void requireWayBack(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory / "node")) {
      if (entry.path().extension() == ".wsbackup") found.push_back(entry.path());
    }
    if (found.size() != 1) throw std::runtime_error("not one backup of before the upgrade");
    server::RestoreOrder order;
    order.directory = directory / "back";
    order.file = found.front();
    order.dryRun = true;
    server::restoreBackup(order, secret, [](std::uint64_t, std::uint64_t) {});
  }
};

}  // namespace

std::vector<std::unique_ptr<Workload>> nodeWorkloads() {
  std::vector<std::unique_ptr<Workload>> all;
  all.push_back(std::make_unique<Restores>());
  all.push_back(std::make_unique<Upgrades>());
  return all;
}

}  // namespace waystation::testing
