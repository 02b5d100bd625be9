// A record's state is packed beside the journal entry that brought it: what becomes of it when that
// entry goes.

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "storage/store.h"
#include "storage/store_schema.h"

namespace waystation::storage {
namespace {

const std::string kRoot(16, 'r');
const std::string kOtherRoot(16, 'o');

// As nobody's dictionary knows it.
std::string longText(unsigned seed, std::size_t size = 1'500) {
  std::string text;
  while (text.size() < size) {
    seed = seed * 1'103'515'245 + 12'345;
    text += static_cast<char>('a' + (seed >> 16) % 26);
  }
  return text;
}

class StatesBesideBirths : public testing::Test {
 protected:
  StatesBesideBirths() { Store::createTables(*database_); }

  std::int64_t append(const std::string& body) {
    return store_.appendJournal({0, 7, ++counter_, 5, body});
  }

  // As a change is joined: the entry, the record, the link between them.
  std::int64_t born(const std::string& id, const std::string& root, const std::string& state,
                    std::int64_t seq) {
    RecordRow row;
    row.id = id;
    row.kind = "case";
    row.root = root;
    row.changedSeq = seq;
    row.state = state;
    const std::int64_t record = store_.putRecord(row);
    store_.linkRecord(record, seq);
    return record;
  }

  void expectState(const std::string& id, const std::string& state) {
    EXPECT_EQ(store_.record(id)->state, state);
  }

  std::int64_t number(const std::string& sql) {
    Statement query = database_->statement(sql);
    query.step();
    return query.integer(0);
  }
  std::int64_t base() { return number("SELECT base FROM records"); }

  void expectRefused(const std::string& sql) {
    try {
      database_->execute(sql);
      ADD_FAILURE() << sql;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), "store.sqlite");
    }
  }

  std::unique_ptr<Database> database_ = Database::inMemory();
  Store store_{*database_};
  std::uint64_t counter_ = 0;
  const std::string text_ = longText(1);
  const std::string state_ = "state " + text_;
};

TEST_F(StatesBesideBirths, AreReadAsTheyWereWhereverTheyAreRead) {
  const std::int64_t seq = append("birth " + text_);
  born(kRoot, kRoot, state_, seq);
  EXPECT_EQ(base(), seq);
  EXPECT_LT(number("SELECT length(state) FROM records"), 100);

  expectState(kRoot, state_);
  EXPECT_EQ(store_.recordsOfRoot(kRoot, "", 10).at(0).state, state_);
  RecordQuery query;
  query.limit = 10;
  EXPECT_EQ(store_.find(query).at(0).state, state_);
  int visits = 0;
  const auto visit = [&](std::string_view id, std::string_view state) {
    EXPECT_EQ(id, kRoot);
    EXPECT_EQ(state, state_);
    ++visits;
  };
  store_.eachRecord([&](const RecordRow& row) { visit(row.id, row.state); });
  store_.eachStateHeld(visit);
  store_.addScope(1, kRoot);
  store_.eachStateInScope(1, visit);
  store_.eachStateByRoot("", [&](std::string_view, std::string_view id, std::string_view state) {
    visit(id, state);
    return true;
  });
  EXPECT_EQ(visits, 4);
}

TEST_F(StatesBesideBirths, StayBesideThemWhenTheyAreEdited) {
  const std::int64_t birth = append("birth " + text_);
  born(kRoot, kRoot, state_, birth);
  const std::int64_t edit = append("an edit of one field");
  RecordRow row = *store_.record(kRoot);
  row.state += " and one field more";
  row.changedSeq = edit;
  store_.linkRecord(store_.putRecord(row), edit);
  EXPECT_EQ(base(), birth);
  expectState(kRoot, row.state);
}

TEST_F(StatesBesideBirths, AreByThemselvesWhereTheEntryIsOfAnotherSize) {
  born(kRoot, kRoot, "a short state", append("a short birth"));
  born(kOtherRoot, kOtherRoot, state_, append(text_ + longText(2, 20'000)));
  EXPECT_EQ(number("SELECT count(*) FROM records WHERE base = 0"), 2);
  expectState(kRoot, "a short state");
  expectState(kOtherRoot, state_);
}

TEST_F(StatesBesideBirths, NobodyTakesTheEntryAwayBehindTheStoresBack) {
  born(kRoot, kRoot, state_, append("birth " + text_));
  expectRefused("DELETE FROM journal");
  expectRefused("UPDATE journal SET body = x'00', packing = 0");
  expectState(kRoot, state_);
}

TEST_F(StatesBesideBirths, OutliveTheEntryWhenItIsRemoved) {
  const std::int64_t seq = append("birth " + text_);
  born(kRoot, kRoot, state_, seq);
  store_.removeJournal(seq);
  EXPECT_EQ(base(), 0);
  expectState(kRoot, state_);
}

TEST_F(StatesBesideBirths, KeepNothingOfAnEntryThatIsCut) {
  const std::string erased = longText(3, 900);
  const std::int64_t seq = append("birth " + text_ + erased);
  born(kRoot, kRoot, state_, seq);
  store_.cutJournal(seq, "birth " + text_);
  EXPECT_EQ(base(), 0);
  expectState(kRoot, state_);
  EXPECT_EQ(store_.journal(seq)->body, "birth " + text_);
  store_.cutJournal(seq, "");
  expectState(kRoot, state_);
  EXPECT_FALSE(store_.journal(seq));
}

TEST_F(StatesBesideBirths, OutliveTheLinkToTheEntry) {
  const std::int64_t seq = append("birth " + text_);
  const std::int64_t record = born(kRoot, kRoot, state_, seq);
  store_.unlinkRecord(record, seq);
  EXPECT_EQ(base(), 0);
  expectState(kRoot, state_);
}

TEST_F(StatesBesideBirths, GoWithTheirRootAndLeaveThoseOfOthers) {
  const std::int64_t alone = append("birth " + text_);
  const std::int64_t both = append("births " + text_);
  const std::string child(16, 'c');
  born(kRoot, kRoot, state_, alone);
  born(child, kRoot, state_, both);
  born(kOtherRoot, kOtherRoot, state_, both);
  EXPECT_EQ(store_.evictRoot(kRoot).size(), 2U);
  EXPECT_FALSE(store_.journal(alone));
  EXPECT_EQ(base(), both);
  expectState(kOtherRoot, state_);
}

TEST_F(StatesBesideBirths, OfAnOlderStoreComeWhenTheyAreWrittenAgain) {
  constexpr std::ptrdiff_t kBeforeBases = 12;
  const std::unique_ptr<Database> older = Database::inMemory();
  migrate(*older, {storeMigrations().begin(), storeMigrations().begin() + kBeforeBases});
  RowPacker packer;
  older
      ->statement(
          "INSERT INTO records(row, id, kind, root, conflicts, changed_seq, upward_seq, state, "
          "packing) VALUES(1, ?1, 'case', ?1, 0, 1, 0, ?2, 1)")
      .bindBlob(1, kRoot)
      .bindBlob(2, packer.pack(state_).bytes)
      .run();
  Store store(*older);
  const std::int64_t birth = store.appendJournal({0, 7, 1, 5, "birth " + text_});
  store.linkRecord(1, birth);
  Store::createTables(*older);
  RecordRow row = *store.record(kRoot);
  EXPECT_EQ(row.state, state_);
  row.state += " and one field more";
  row.changedSeq = store.appendJournal({0, 7, 2, 6, "an edit"});
  store.putRecord(row);
  Statement query = older->statement("SELECT base FROM records");
  query.step();
  EXPECT_EQ(query.integer(0), birth);
  EXPECT_EQ(store.record(kRoot)->state, row.state);
}

}  // namespace
}  // namespace waystation::storage
