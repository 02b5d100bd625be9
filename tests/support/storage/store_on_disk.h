#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/hash.h"
#include "storage/database.h"
#include "tests/support/temporary_directory.h"

namespace waystation::storage {

inline crypto::Secret keyOf(char byte) {
  return crypto::Secret::copyOf(std::string(32, byte));
}

inline std::string bytesOf(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void writeBytes(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

inline std::filesystem::path logOf(const std::filesystem::path& file) {
  return file.string() + "-wal";
}

inline std::filesystem::path journalOf(const std::filesystem::path& file) {
  return file.string() + "-journal";
}

// What a power cut leaves: database, log and journal as they are now, under another name.
inline void copyAsIfCrashed(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* suffix : {"", "-wal", "-journal"}) {
    const std::filesystem::path source = from.string() + suffix;
    const std::filesystem::path target = to.string() + suffix;
    std::filesystem::remove(target);
    if (std::filesystem::exists(source)) std::filesystem::copy_file(source, target);
  }
}

inline std::string codeOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "";
}

inline std::int64_t numberFrom(Database& database, std::string_view sql) {
  Statement query = database.statement(sql);
  EXPECT_TRUE(query.step()) << sql;
  return query.integer(0);
}

inline std::string textFrom(Database& database, std::string_view sql) {
  Statement query = database.statement(sql);
  EXPECT_TRUE(query.step()) << sql;
  return query.text(0);
}

inline void addRow(Database& database, std::int64_t number, std::string_view text) {
  database.statement("INSERT INTO people(id, name) VALUES (?, ?)")
      .bind(1, number)
      .bindText(2, text)
      .run();
}

// A store with a table `people(id, name)` and `rows` rows, each committed by itself.
inline std::unique_ptr<Database> storeWithRows(const std::filesystem::path& file, int rows,
                                               char key = 'k') {
  auto database = std::make_unique<Database>(file, keyOf(key), OpenMode::kCreate);
  database->execute("CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT)");
  for (int i = 1; i <= rows; ++i) addRow(*database, i, "person " + std::to_string(i));
  return database;
}

}  // namespace waystation::storage
