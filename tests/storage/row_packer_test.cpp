#include "storage/row_packer.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "storage/row_dictionary.h"
#include "storage/store.h"
#include "storage/store_schema.h"
#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

const std::string kBirth =
    "\"_kind\" \"case_file\" given_name \"Hawa\" family_name \"Okello\" date_of_birth "
    "\"2001-04-17\" status \"in_progress\" priority \"urgent\"";

std::string packed(RowPacker& packer, const std::string& plain) {
  const RowPacker::Packed row = packer.pack(plain);
  EXPECT_EQ(row.packing, 1);
  return std::string(row.bytes);
}

TEST(RowPacker, TheDictionaryOfRowsThatAreOutThereIsNeverAnother) {
  EXPECT_EQ(kRowDictionary.size(), 32'768U);
  EXPECT_EQ(crypto::toHex(crypto::view(crypto::Sha256().update(kRowDictionary).finish())),
            "8f2927a364f0bd58e99e6966b0c4b83d75a0086b72888e8b90b2e408e27c8003");
}

TEST(RowPacker, GivesBackWhatItWasGiven) {
  RowPacker packer;
  for (std::size_t size = 0; size < 3'000; size = size * 5 / 4 + 1) {
    std::string plain;
    while (plain.size() < size) plain += kBirth + std::to_string(plain.size());
    plain.resize(size);
    const RowPacker::Packed row = packer.pack(plain);
    EXPECT_LE(row.bytes.size(), plain.size());
    EXPECT_EQ(packer.unpack(std::string(row.bytes), row.packing), plain);
  }
}

TEST(RowPacker, KeepsWhatWouldOnlyGrowAsItIs) {
  RowPacker packer;
  const std::string hash = std::string(crypto::view(crypto::Sha256().update("x").finish()));
  const RowPacker::Packed row = packer.pack(hash);
  EXPECT_EQ(row.packing, 0);
  EXPECT_EQ(row.bytes, hash);
}

TEST(RowPacker, MakesACaseAThirdLess) {
  RowPacker packer;
  EXPECT_LT(packed(packer, kBirth).size(), kBirth.size() * 2 / 3);
}

TEST(RowPacker, HandsOutBytesThatItNeverMadeAsTheyAre) {
  RowPacker packer;
  const std::string whole = packed(packer, kBirth);
  EXPECT_EQ(packer.unpack(whole.substr(0, whole.size() - 1), 1), whole.substr(0, whole.size() - 1));
  EXPECT_EQ(packer.unpack("no frame", 1), "no frame");
  EXPECT_EQ(packer.unpack("", 1), "");
  // A frame that says that it holds 2^40 bytes takes no memory.
  const std::string boast("\xe0\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x00", 12);
  EXPECT_EQ(packer.unpack(boast, 1), boast);
}

TEST(RowPacker, TakesLittleBesideWhatSaysTheSame) {
  RowPacker packer;
  std::string state = "state " + kBirth + " of today";
  const RowPacker::Packed row = packer.packBeside(kBirth, state);
  EXPECT_EQ(row.packing, kPackedBeside);
  EXPECT_LT(row.bytes.size(), state.size() / 3);
  const std::string bytes(row.bytes);
  EXPECT_EQ(packer.unpack(bytes, kPackedBeside, kBirth), state);
  // Without it, or beside something else, it is not what it was.
  EXPECT_NE(packer.unpack(bytes, kPackedBeside, ""), state);
  EXPECT_NE(packer.unpack(bytes, kPackedBeside, std::string(kBirth.size(), 'x')), state);
}

TEST(RowPacker, RefusesAPackingOfALaterVersion) {
  RowPacker packer;
  try {
    packer.unpack(packed(packer, kBirth), 3);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), "store.newer-schema");
  }
}

// A store from before rows were packed.
class OldStore : public testing::Test {
 protected:
  OldStore() {
    migrate(*database_, {storeMigrations().begin(), storeMigrations().begin() + kBeforePacking});
    database_->execute(
        "INSERT INTO records(row, id, kind, root, conflicts, changed_seq, upward_seq, state) "
        "VALUES(1, x'01', 'case', x'01', 0, 1, 0, CAST('a state from before' AS BLOB));"
        "INSERT INTO journal(seq, replica, counter, received_ms, body) "
        "VALUES(1, 7, 1, 5, CAST('a body from before' AS BLOB))");
    Store::createTables(*database_);
  }

  std::int64_t packingOf(const std::string& table) {
    Statement query = database_->statement("SELECT packing FROM " + table);
    query.step();
    return query.integer(0);
  }

  static constexpr std::ptrdiff_t kBeforePacking = 11;
  std::unique_ptr<Database> database_ = Database::inMemory();
  Store store_{*database_};
};

TEST_F(OldStore, IsReadAsItWas) {
  EXPECT_EQ(store_.record("\x01")->state, "a state from before");
  EXPECT_EQ(store_.journal(1)->body, "a body from before");
  std::string held;
  store_.eachStateHeld([&](std::string_view, std::string_view state) { held = state; });
  EXPECT_EQ(held, "a state from before");
}

TEST_F(OldStore, PacksARowWhenItIsWrittenAgain) {
  EXPECT_EQ(packingOf("records"), 0);
  RecordRow row = *store_.record("\x01");
  row.state = kBirth;
  store_.putRecord(row);
  store_.cutJournal(1, kBirth);
  EXPECT_EQ(packingOf("records"), 1);
  EXPECT_EQ(packingOf("journal"), 1);
  EXPECT_EQ(store_.record("\x01")->state, kBirth);
  EXPECT_EQ(store_.journal(1)->body, kBirth);
}

}  // namespace
}  // namespace waystation::storage
