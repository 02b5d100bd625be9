// What research on such stores found to go wrong, where no other file tests it already; the table
// in docs/spec/store-requirements.md says which test stands for which requirement.
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "storage/encrypting_vfs.h"
#include "storage/key_rotation.h"
#include "storage/open_file.h"
#include "storage/page_format.h"
#include "storage/verify.h"
#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

void changeInPlace(const std::filesystem::path& file, std::size_t at) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(at));
  const char byte = static_cast<char>(stream.get());
  stream.seekp(static_cast<std::streamoff>(at));
  stream.put(static_cast<char>(byte ^ 1));
}

TEST(StoreRequirements, AConnectionThatMetADamagedPageWritesNoMore) {
  const TemporaryDirectory directory;
  storeWithRows(directory / "store", 0)
      ->execute(
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) "
          "INSERT INTO people SELECT i, 'person ' || i FROM n; CREATE TABLE other(x)");
  changeInPlace(directory / "store", 3 * kPageSize + 100);
  Database database(directory / "store", keyOf('k'), OpenMode::kReadWrite);
  database.execute("INSERT INTO other VALUES (1)");
  EXPECT_EQ(codeOf([&] { database.statement("SELECT * FROM people").run(); }),
            "store.damaged-page");
  EXPECT_EQ(codeOf([&] { database.execute("INSERT INTO other VALUES (2)"); }),
            "store.damaged-page");
  EXPECT_EQ(numberFrom(database, "SELECT sum(x) FROM other"), 1) << "what is whole is still read";
}

TEST(StoreRequirements, ACheckpointOfADamagedFrameIsAnErrorAndLeavesThePage) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 40);
  const std::string before = bytesOf(directory / "store");
  const std::size_t size = bytesOf(logOf(directory / "store")).size();
  for (std::size_t at = kLogHeaderSize + 500; at < size; at += kFrameSize) {
    changeInPlace(logOf(directory / "store"), at);
  }
  EXPECT_EQ(codeOf([&] { database->execute("PRAGMA wal_checkpoint(FULL)"); }),
            "store.damaged-page");
  EXPECT_EQ(bytesOf(directory / "store"), before);
}

// By its nature: nothing outside the store says which copy is the newer one.
TEST(StoreRequirements, AnOlderCopyOfOnePageVerifies) {
  const TemporaryDirectory directory;
  storeWithRows(directory / "store", 3);
  const std::string older = bytesOf(directory / "store");
  Database(directory / "store", keyOf('k'), OpenMode::kReadWrite)
      .execute("UPDATE people SET name = 'changed'");
  std::string bytes = bytesOf(directory / "store");
  bytes.replace(kPageSize, kPageSize, older.substr(kPageSize, kPageSize));
  writeBytes(directory / "store", bytes);
  EXPECT_EQ(verifyPages(directory / "store", keyOf('k')), std::vector<std::string>{});
  Database database(directory / "store", keyOf('k'), OpenMode::kReadWrite);
  EXPECT_EQ(textFrom(database, "SELECT name FROM people WHERE id = 1"), "person 1");
}

// In a process of its own, whose files may not grow past a limit (EFBIG).
TEST(StoreRequirements, AFileThatMayNotGrowIsAFullDisk) {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const auto database = storeWithRows(directory / "store", 5);
    const rlimit limit{300'000, 300'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string code = codeOf(
        [&] { database->execute("INSERT INTO people VALUES (100, hex(zeroblob(400000)))"); });
    if (code != "store.full") ::_exit(1);
    if (numberFrom(*database, "SELECT count(*) FROM people") != 5) ::_exit(2);
    addRow(*database, 6, "small enough");
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  Database database(directory / "store", keyOf('k'), OpenMode::kReadWrite);
  EXPECT_EQ(numberFrom(database, "SELECT count(*) FROM people"), 6);
}

int failWith = 0;

int failToWrite(sqlite3_file*, const void*, int, sqlite3_int64) {
  return SQLITE_IOERR_WRITE;
}

int tellError(sqlite3_file*, int operation, void* out) {
  if (operation == SQLITE_FCNTL_LAST_ERRNO) *static_cast<int*>(out) = failWith;
  return SQLITE_OK;
}

int openFailing(sqlite3_vfs*, const char*, sqlite3_file* file, int, int*) {
  static sqlite3_io_methods methods{};
  methods.xClose = [](sqlite3_file*) { return SQLITE_OK; };
  methods.xWrite = failToWrite;
  methods.xFileControl = tellError;
  file->pMethods = &methods;
  return SQLITE_OK;
}

TEST(StoreRequirements, AUsedUpQuotaIsAFullDiskAndAnotherErrorIsNot) {
  sqlite3_vfs vfs{};
  vfs.szOsFile = sizeof(sqlite3_file);
  vfs.xOpen = openFailing;
  int result = SQLITE_ERROR;
  const PlainFile file(vfs, "any", 0, nullptr, result);
  for (const auto& [error, expected] :
       {std::pair{EDQUOT, SQLITE_FULL}, {EFBIG, SQLITE_FULL}, {EIO, SQLITE_IOERR_WRITE}}) {
    failWith = error;
    EXPECT_EQ(file.write("x", 1, 0), expected);
  }
}

class NoRandom final : public crypto::Random {
 public:
  void fill(void*, std::size_t) override { throw Failure("random.unavailable", "none"); }
};

TEST(StoreRequirements, WithoutRandomnessNoPageIsSealed) {
  const KeyEpochs keys(keyOf('k'));
  NoRandom random;
  PageFormat format(keys, random);
  const std::string plain(kPageSize, '\0');
  std::string sealed(kPageSize, 'x');
  EXPECT_EQ(codeOf([&] { format.sealPage(PageDomain::kStore, 2, plain.data(), sealed.data()); }),
            "random.unavailable");
  EXPECT_EQ(sealed, std::string(kPageSize, 'x'));
}

TEST(StoreRequirements, ThePagesOfAForkedChildHaveOtherNonces) {
  const TemporaryDirectory directory;
  storeWithRows(directory / "a", 1);
  storeWithRows(directory / "b", 1);
  const auto write = [&](const char* name) {
    Database database(directory / name, keyOf('k'), OpenMode::kReadWrite);
    addRow(database, 2, "after the fork");
  };
  const pid_t child = ::fork();
  if (child == 0) {
    write("a");
    ::_exit(0);
  }
  write("b");
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  const auto nonceOf = [&](const char* name) {
    return bytesOf(directory / name).substr(kPageSize + kPageBodySize, crypto::kPageNonceSize);
  };
  EXPECT_NE(nonceOf("a").substr(0, 12), nonceOf("b").substr(0, 12));
  EXPECT_NE(nonceOf("a").substr(12), nonceOf("b").substr(12));
}

TEST(StoreRequirements, ItsFilesAreForTheirOwnerOnly) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 1);
  rotateKey(*database, [](const RotationProgress&) { return true; });
  addRow(*database, 2, "in the log");
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    ++files;
    EXPECT_EQ(entry.status().permissions(), std::filesystem::perms{0600}) << entry.path();
  }
  EXPECT_EQ(files, 3) << "database, log and key ring";
}

TEST(StoreRequirements, TheVfsPromisesOnlyThatNeighboursOfAWriteStay) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 1);
  sqlite3_file* file = nullptr;
  sqlite3_file_control(database->handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  int powersafe = 0;
  sqlite3_file_control(database->handle(), "main", SQLITE_FCNTL_POWERSAFE_OVERWRITE, &powersafe);
  EXPECT_EQ(powersafe, 1) << "can't be turned off";
  EXPECT_EQ(file->pMethods->xDeviceCharacteristics(file), SQLITE_IOCAP_POWERSAFE_OVERWRITE);
  EXPECT_LT(file->pMethods->iVersion, 3) << "no memory mapping";
}

// A VFS above ours that makes the files its own.
sqlite3_vfs* ours = nullptr;

int openAbove(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* outFlags) {
  const int result = ours->xOpen(ours, name, file, flags, outFlags);
  static sqlite3_io_methods methods;
  if (result != SQLITE_OK) return result;
  methods = *file->pMethods;
  file->pMethods = &methods;
  return result;
}

TEST(StoreRequirements, UnderAnotherVfsOursRefusesJournalsAndDoesNotCrash) {
  const TemporaryDirectory directory;
  EncryptingVfs::layOver(EncryptingVfs::instance().plain(), "below-another", false, keyOf('k'));
  ours = sqlite3_vfs_find("below-another");
  static sqlite3_vfs above;
  above = *ours;
  above.zName = "above-ours";
  above.xOpen = openAbove;
  ASSERT_EQ(sqlite3_vfs_register(&above, 0), SQLITE_OK);
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  ASSERT_EQ(sqlite3_open_v2((directory / "store").c_str(), &handle, flags, "above-ours"),
            SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle, "CREATE TABLE t(x)", nullptr, nullptr, nullptr), SQLITE_CANTOPEN);
  sqlite3_close(handle);
  sqlite3_vfs_unregister(&above);
}

// The extension for other programs keeps temporary files, where the program's own VFS refuses them.
TEST(StoreRequirements, TemporaryFilesOfOtherProgramsStayInMemory) {
  const TemporaryDirectory directory;
  EncryptingVfs::layOver(EncryptingVfs::instance().plain(), "for-others", false, keyOf('k'));
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  ASSERT_EQ(sqlite3_open_v2((directory / "store").c_str(), &handle, flags, "for-others"),
            SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(
                handle,
                "PRAGMA temp_store = FILE; PRAGMA cache_size = 10; CREATE TABLE t(x);"
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
                "INSERT INTO t SELECT hex(randomblob(40)) FROM n; CREATE INDEX i ON t(x);"
                "CREATE TEMP TABLE c AS SELECT * FROM t ORDER BY x || 'y'; VACUUM",
                nullptr, nullptr, nullptr),
            SQLITE_OK)
      << sqlite3_errmsg(handle);
  sqlite3_close(handle);
}

}  // namespace
}  // namespace waystation::storage
