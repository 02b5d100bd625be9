#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "storage/encrypting_vfs.h"
#include "storage/verify.h"
#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

struct Answer {
  int code = -1;
  std::string text;
};

// Runs a command line of the shell, with both of its outputs.
Answer run(const std::string& command) {
  Answer answer;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return answer;
  std::array<char, 4096> part;
  while (std::fgets(part.data(), part.size(), pipe) != nullptr) answer.text += part.data();
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) answer.code = WEXITSTATUS(status);
  return answer;
}

// Debian's sqlite3 with the extension loaded, and a key file for keyOf('k').
class StockShell : public testing::Test {
 protected:
  StockShell() { writeBytes(directory_ / "key", std::string(32 * 2, '6') + "\n"); }

  Answer shell(const std::vector<std::string>& commands, const std::string& keyFile = "key") {
    std::string line = "WAYSTATION_KEY_FILE='" + (directory_ / keyFile).string() +
                       "' sqlite3 -batch -bail -cmd '.load " WAYSTATION_BINARY_DIR
                       "/lib/waystation_vfs' :memory:";
    for (const std::string& command : commands) line += " \"" + command + "\"";
    return run(line);
  }

  std::string path(const char* name) const { return (directory_ / name).string(); }

  TemporaryDirectory directory_;
};

// keyOf('f') is 32 times 0x66.
TEST_F(StockShell, ReadsAndChangesAStoreOfTheProgram) {
  storeWithRows(directory_ / "store", 50, 'f');
  const Answer answer =
      shell({".open " + path("store"), "SELECT count(*) FROM people", "PRAGMA integrity_check",
             "PRAGMA journal_mode", "INSERT INTO people VALUES (51, 'from the shell')"});
  EXPECT_EQ(answer.text, "50\nok\nwal\n");
  Database database(directory_ / "store", keyOf('f'), OpenMode::kReadWrite);
  EXPECT_EQ(numberFrom(database, "SELECT count(*) FROM people"), 51);
}

TEST_F(StockShell, RecoversTheLogOfAServerThatWasKilled) {
  const auto database = storeWithRows(directory_ / "store", 50, 'f');
  copyAsIfCrashed(directory_ / "store", directory_ / "copy");
  const Answer answer = shell({".open " + path("copy"), "SELECT count(*) FROM people"});
  EXPECT_EQ(answer.text, "50\n");
}

TEST_F(StockShell, BacksUpUnderTheSameKeyAndShowsNoName) {
  {
    const auto database = storeWithRows(directory_ / "store", 300, 'f');
    database->execute("CREATE INDEX by_name ON people(name)");
  }
  const Answer answer = shell({".open " + path("store"), ".backup " + path("backup"),
                               "VACUUM INTO '" + path("vacuumed") + "'", "VACUUM",
                               "ATTACH '" + path("attached") + "' AS a",
                               "CREATE TABLE a.people AS SELECT * FROM main.people",
                               "CREATE TEMP TABLE t AS SELECT * FROM people ORDER BY name || 'x'"});
  EXPECT_EQ(answer.text, "");
  EXPECT_EQ(answer.code, 0);
  for (const char* name : {"store", "backup", "vacuumed", "attached"}) {
    EXPECT_EQ(bytesOf(directory_ / name).find("person"), std::string::npos) << name;
    EXPECT_EQ(verifyPages(directory_ / name, keyOf('f')), std::vector<std::string>{}) << name;
    Database copy(directory_ / name, keyOf('f'), OpenMode::kReadWrite);
    EXPECT_EQ(numberFrom(copy, "SELECT count(*) FROM people"), 300) << name;
    EXPECT_EQ(textFrom(copy, "PRAGMA integrity_check"), "ok") << name;
  }
}

TEST_F(StockShell, RefusesWithoutAKeyWithAWrongOneAndOnPlainFiles) {
  storeWithRows(directory_ / "store", 5, 'f');
  const std::string before = bytesOf(directory_ / "store");
  EXPECT_NE(shell({"SELECT 1"}, "missing").code, 0);
  writeBytes(directory_ / "short", "abc\n");
  EXPECT_NE(shell({"SELECT 1"}, "short").text.find("64 hexadecimal digits"), std::string::npos);
  writeBytes(directory_ / "wrong", std::string(64, '7'));
  EXPECT_NE(shell({".open " + path("store"), "SELECT 1"}, "wrong").text.find("not a database"),
            std::string::npos);
  EXPECT_EQ(bytesOf(directory_ / "store"), before);
  ASSERT_EQ(run("sqlite3 '" + path("plain") + "' 'CREATE TABLE t(x)'").code, 0);
  EXPECT_NE(shell({".open " + path("plain")}).text.find("not a database"), std::string::npos);
  EXPECT_EQ(shell({".open file:" + path("plain") + "?vfs=unix", "SELECT count(*) FROM t"}).text,
            "0\n");
}

TEST_F(StockShell, IsKeptOutWhileTheProgramHasTheStoreOpen) {
  const auto database = storeWithRows(directory_ / "store", 5, 'f');
  EXPECT_NE(shell({".open " + path("store"), "SELECT 1 FROM people"}).text.find("locked"),
            std::string::npos);
  EXPECT_NE(run("sqlite3 '" + path("store") + "' .tables").code, 0) << "without the extension";
  addRow(*database, 6, "still there");
}

TEST_F(StockShell, LoadsTheExtensionTwice) {
  EXPECT_EQ(shell({".load " WAYSTATION_BINARY_DIR "/lib/waystation_vfs", ".open " + path("new"),
                   ".load " WAYSTATION_BINARY_DIR "/lib/waystation_vfs", "SELECT 1"})
                .text,
            "1\n");
}

TEST(VfsArchive, LinksIntoAProgramThatKnowsSqliteOnly) {
  const TemporaryDirectory directory;
  const Answer answer =
      run(WAYSTATION_BINARY_DIR "/bin/vfs_archive_program '" + directory.path().string() + "'");
  EXPECT_EQ(answer.code, 0) << answer.text;
  EXPECT_EQ(bytesOf(directory / "encrypted.db").find("Nasrin"), std::string::npos);
}

TEST(AnotherSqlite, IsRefusedBeforeAnythingIsMade) {
  const TemporaryDirectory directory;
  const std::string store = (directory / "store").string();
  EXPECT_EQ(run(WAYSTATION_BINARY_DIR "/bin/another_sqlite_program '" + store + "'").text,
            "store.untested-sqlite\n");
  EXPECT_FALSE(std::filesystem::exists(store));
}

// A VFS below ours that copies a directory at the moment when a super-journal goes: the instant in
// which a transaction over several databases becomes one.
struct Watched {
  sqlite3_vfs table;
  int (*remove)(sqlite3_vfs*, const char*, int);
  std::filesystem::path from, before, after;
};
Watched watched;

int removeWatched(sqlite3_vfs* vfs, const char* name, int syncDirectory) {
  // Recovery removes it, too: only the first time counts.
  const bool isSuper = std::string_view(name).find("-mj") != std::string_view::npos &&
                       !std::filesystem::exists(watched.before);
  if (isSuper) std::filesystem::copy(watched.from, watched.before);
  const int result = watched.remove(vfs, name, syncDirectory);
  if (isSuper) std::filesystem::copy(watched.from, watched.after);
  return result;
}

class TwoDatabases {
 public:
  explicit TwoDatabases(const std::filesystem::path& directory) {
    open((directory / "one").string());
    execute("ATTACH '" + (directory / "two").string() + "' AS two");
  }
  ~TwoDatabases() { sqlite3_close(handle_); }
  TwoDatabases(const TwoDatabases&) = delete;
  TwoDatabases& operator=(const TwoDatabases&) = delete;

  void execute(const std::string& sql) {
    EXPECT_EQ(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle_) << " at " << sql;
  }
  std::string sums() {
    std::string text;
    const auto keep = [](void* out, int, char** values, char**) {
      *static_cast<std::string*>(out) += std::string(values[0]) + " ";
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(handle_, "SELECT sum(x) FROM main.t UNION ALL SELECT sum(x) FROM two.t",
                           keep, &text, nullptr),
              SQLITE_OK);
    return text;
  }

 private:
  void open(const std::string& file) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    EXPECT_EQ(sqlite3_open_v2(file.c_str(), &handle_, flags, "watched-and-encrypted"), SQLITE_OK);
  }
  sqlite3* handle_ = nullptr;
};

TEST(SuperJournal, ATransactionOverTwoDatabasesIsAllOrNothing) {
  const TemporaryDirectory directory;
  watched.table = EncryptingVfs::instance().plain();
  watched.table.zName = "watched";
  watched.remove = watched.table.xDelete;
  watched.table.xDelete = removeWatched;
  watched.from = directory / "now";
  watched.before = directory / "before";
  watched.after = directory / "after";
  std::filesystem::create_directory(watched.from);
  EncryptingVfs::layOver(watched.table, "watched-and-encrypted", false, keyOf('k'));
  {
    TwoDatabases both(watched.from);
    both.execute("CREATE TABLE t(x); CREATE TABLE two.t(x)");
    both.execute("INSERT INTO t VALUES (1); INSERT INTO two.t VALUES (10)");
    both.execute("BEGIN; UPDATE t SET x = 2; UPDATE two.t SET x = 20; COMMIT");
    EXPECT_EQ(both.sums(), "2 20 ");
  }
  ASSERT_TRUE(std::filesystem::exists(watched.before / "one-journal"));
  // The super-journal's names are whole paths, so the copies have to stand where they stood.
  for (const auto& [copy, sums] : {std::pair{watched.before, "1 10 "}, {watched.after, "2 20 "}}) {
    std::filesystem::remove_all(watched.from);
    std::filesystem::copy(copy, watched.from);
    EXPECT_EQ(TwoDatabases(watched.from).sums(), sums);
    EXPECT_FALSE(std::filesystem::exists(watched.from / "one-journal"));
  }
}

}  // namespace
}  // namespace waystation::storage
