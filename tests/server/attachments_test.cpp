// The node's database of attachments: beside the records, in their backups and their restores.

#include <gtest/gtest.h>

#include <fstream>

#include "server/node_restore.h"
#include "storage/chunk_store.h"
#include "tests/support/test_node.h"

namespace waystation::server {
namespace {

using waystation::testing::kTestPassphrase;
using waystation::testing::makeNode;
using waystation::testing::openNode;

const auto kQuietly = [](std::uint64_t, std::uint64_t) {};

std::string contentOf(char letter) {
  std::string content(100'000, letter);
  for (std::size_t i = 0; i < content.size(); i += 7) content[i] = static_cast<char>(i >> 5);
  return content;
}

storage::FileManifest manifestOf(const std::string& content) {
  storage::ManifestBuilder builder;
  builder.add(content);
  return builder.finish();
}

// Answers the file's id.
std::string attach(Node& node, const std::string& content) {
  const storage::FileManifest manifest = manifestOf(content);
  const storage::Connections::Lease writer = node.attachments().writer();
  storage::Transaction transaction(*writer);
  storage::ChunkStore chunks(*writer);
  chunks.putManifest(manifest, "a record");
  for (std::uint32_t i = 0; i < manifest.chunks.size(); ++i) {
    chunks.putChunk(manifest.id, i, content.substr(i * storage::kChunkSize, storage::kChunkSize));
  }
  transaction.commit();
  return manifest.id;
}

std::string attached(Node& node, const std::string& id) {
  return storage::ChunkStore(*node.attachments().reader()).read(id, 0, 1'000'000);
}

class Attachments : public ::testing::Test {
 protected:
  std::filesystem::path path(const std::string& name) const { return directory_.path() / name; }

  std::filesystem::path backUp(const std::filesystem::path& target) {
    return makeBackup(node_->backupSource(), {target}, kQuietly).file;
  }

  static void restore(const std::filesystem::path& backup, const std::filesystem::path& to) {
    RestoreOrder order;
    order.directory = to;
    order.file = backup;
    restoreBackup(
        order,
        [] {
          return crypto::SlotSecret{crypto::SlotKind::kPassphrase,
                                    crypto::Secret::copyOf(kTestPassphrase)};
        },
        kQuietly);
  }

  waystation::testing::TempDirectory directory_;
  std::unique_ptr<Node> node_ = makeNode(path("node"), Role::kOffice, "NBO");
};

TEST_F(Attachments, AreThereAfterARestartAndUnreadableOnTheDisk) {
  const std::string content = contentOf('a');
  const std::string id = attach(*node_, content);
  node_.reset();
  std::ifstream file(path("node") / kAttachmentsFile, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_GT(bytes.size(), content.size());
  EXPECT_EQ(bytes.find(content.substr(1, 6)), std::string::npos);
  EXPECT_EQ(bytes.find("CREATE TABLE"), std::string::npos);
  node_ = openNode(path("node"));
  EXPECT_EQ(attached(*node_, id), content);
}

TEST_F(Attachments, WhoseDatabaseIsGoneAreNotSilentlyMadeAnew) {
  node_.reset();
  std::filesystem::remove(path("node") / kAttachmentsFile);
  try {
    openNode(path("node"));
    FAIL() << "an empty database was put in its place";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), "node.attachments-missing");
  }
}

TEST_F(Attachments, ComeBackWithARestore) {
  const std::string content = contentOf('a');
  const std::string id = attach(*node_, content);
  const auto backup = backUp(path("b.wsbackup"));
  attach(*node_, contentOf('b'));
  restore(backup, path("other"));
  const auto other = openNode(path("other"));
  EXPECT_EQ(attached(*other, id), content);
  EXPECT_EQ(storage::ChunkStore(*other->attachments().reader()).countFiles(), 1);
}

TEST_F(Attachments, AreInDifferencesToo) {
  const std::string first = attach(*node_, contentOf('a'));
  std::filesystem::create_directory(path("stick"));
  // Enough that one more is no reason for a whole backup.
  for (char letter = 'd'; letter <= 'm'; ++letter) attach(*node_, contentOf(letter));
  backUp(path("stick"));
  const std::string second = attach(*node_, contentOf('b'));
  const BackupResult made = makeBackup(node_->backupSource(), {path("stick")}, kQuietly);
  EXPECT_FALSE(made.isWhole);
  EXPECT_GT(made.changed, 20U);
  restore(made.file, path("other"));
  const auto other = openNode(path("other"));
  EXPECT_EQ(attached(*other, first), contentOf('a'));
  EXPECT_EQ(attached(*other, second), contentOf('b'));
}

// As the program made them before it kept attachments.
TEST_F(Attachments, AreMadeWhereABackupHasNone) {
  BackupSource source = node_->backupSource();
  source.databases.pop_back();
  {
    const storage::Connections::Lease writer = node_->connections().writer();
    storage::Transaction transaction(*writer);
    writer->execute("DELETE FROM meta WHERE name = 'attachments.made'");
    transaction.commit();
  }
  const auto backup = makeBackup(source, {path("b.wsbackup")}, kQuietly).file;
  restore(backup, path("other"));
  const auto other = openNode(path("other"));
  const std::string id = attach(*other, contentOf('a'));
  EXPECT_EQ(attached(*other, id), contentOf('a'));
}

TEST_F(Attachments, ThatABackupLacksAreMissed) {
  BackupSource source = node_->backupSource();
  source.databases.pop_back();
  const auto backup = makeBackup(source, {path("b.wsbackup")}, kQuietly).file;
  try {
    restore(backup, path("other"));
    FAIL() << "half a node was restored";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), "backup.damaged");
  }
}

}  // namespace
}  // namespace waystation::server
