#include "storage/database.h"

#include <gtest/gtest.h>

#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

std::int64_t countOf(Database& database, const std::string& table) {
  Statement query = database.statement("SELECT count(*) FROM " + table);
  EXPECT_TRUE(query.step());
  return query.integer(0);
}

TEST(Database, GivesBackWhatWasBound) {
  const auto database = Database::inMemory();
  database->execute("CREATE TABLE t(i INTEGER, s TEXT, b BLOB, n TEXT)");
  const std::string blob("\0\x01\xff", 3);
  Statement insert = database->statement("INSERT INTO t VALUES (?, ?, ?, ?)");
  insert.bind(1, -5).bindText(2, "Amina").bindBlob(3, blob).bindNull(4).run();
  Statement query = database->statement("SELECT i, s, b, n FROM t");
  ASSERT_TRUE(query.step());
  EXPECT_EQ(query.integer(0), -5);
  EXPECT_EQ(query.text(1), "Amina");
  EXPECT_EQ(query.view(2), blob);
  EXPECT_TRUE(query.isNull(3));
  EXPECT_FALSE(query.step());
}

TEST(Database, AnEmptyTextIsNotNull) {
  const auto database = Database::inMemory();
  Statement query = database->statement("SELECT ? IS NULL, typeof(?)");
  query.bindText(1, {}).bindBlob(2, {});
  ASSERT_TRUE(query.step());
  EXPECT_EQ(query.integer(0), 0);
  EXPECT_EQ(query.text(1), "blob");
}

TEST(Database, AStatementTakenTwiceAtOnceIsTwoStatements) {
  const auto database = Database::inMemory();
  const std::string sql = "SELECT value FROM generate_series_or_two";
  database->execute("CREATE TABLE generate_series_or_two(value)");
  database->execute("INSERT INTO generate_series_or_two VALUES (1), (2)");
  Statement outer = database->statement(sql);
  ASSERT_TRUE(outer.step());
  {
    Statement inner = database->statement(sql);
    ASSERT_TRUE(inner.step());
    EXPECT_EQ(inner.integer(0), 1);
  }
  ASSERT_TRUE(outer.step());
  EXPECT_EQ(outer.integer(0), 2);
}

TEST(Database, AStatementGivenBackHasForgottenItsParameters) {
  const auto database = Database::inMemory();
  database->statement("SELECT ?").bindText(1, "Amina").run();
  Statement query = database->statement("SELECT ?");
  ASSERT_TRUE(query.step());
  EXPECT_TRUE(query.isNull(0));
}

TEST(Database, SaysWhatWasTriedWhenSqlIsWrong) {
  const auto database = Database::inMemory();
  EXPECT_EQ(codeOf([&] { database->execute("SELEC 1"); }), "store.sqlite");
  EXPECT_EQ(codeOf([&] { database->statement("SELECT nothing"); }), "store.sqlite");
}

TEST(Database, ChecksForeignKeys) {
  const auto database = Database::inMemory();
  database->execute("CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(a REFERENCES a)");
  EXPECT_EQ(codeOf([&] { database->execute("INSERT INTO b VALUES (7)"); }), "store.sqlite");
}

TEST(Transaction, RollsBackUnlessCommitted) {
  const auto database = Database::inMemory();
  database->execute("CREATE TABLE t(x)");
  {
    Transaction transaction(*database);
    database->execute("INSERT INTO t VALUES (1)");
  }
  EXPECT_EQ(countOf(*database, "t"), 0);
  {
    Transaction transaction(*database);
    database->execute("INSERT INTO t VALUES (1)");
    transaction.commit();
  }
  EXPECT_EQ(countOf(*database, "t"), 1);
}

TEST(Migrate, BringsEachVersionOnce) {
  const auto database = Database::inMemory();
  const std::vector<std::string> first = {"CREATE TABLE a(x)"};
  const std::vector<std::string> both = {"CREATE TABLE a(x)",
                                         "CREATE TABLE b(x); CREATE TABLE c(x)"};
  migrate(*database, first);
  migrate(*database, first);
  migrate(*database, both);
  EXPECT_EQ(countOf(*database, "a") + countOf(*database, "b") + countOf(*database, "c"), 0);
}

TEST(Migrate, RefusesASchemaFromTheFuture) {
  const auto database = Database::inMemory();
  migrate(*database, {"CREATE TABLE a(x)", "CREATE TABLE b(x)"});
  EXPECT_EQ(codeOf([&] { migrate(*database, {"CREATE TABLE a(x)"}); }), "store.newer-schema");
}

TEST(Migrate, AFailingMigrationLeavesNothingOfItself) {
  const auto database = Database::inMemory();
  const std::vector<std::string> broken = {"CREATE TABLE a(x)", "CREATE TABLE b(x); SELEC"};
  EXPECT_EQ(codeOf([&] { migrate(*database, broken); }), "store.sqlite");
  migrate(*database, {"CREATE TABLE a(x)", "CREATE TABLE b(x)"});
  EXPECT_EQ(countOf(*database, "b"), 0);
}

TEST(Connections, OverMemoryReaderAndWriterAreTheSame) {
  Connections connections(Database::inMemory());
  connections.writer()->execute("CREATE TABLE t(x); INSERT INTO t VALUES (1)");
  const auto reader = connections.reader();
  EXPECT_EQ(countOf(*reader, "t"), 1);
}

}  // namespace
}  // namespace waystation::storage
