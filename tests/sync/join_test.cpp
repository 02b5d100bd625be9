#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "crypto/failure.h"
#include "sync/binding.h"
#include "tests/support/seeded_random.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::SeededRandom;
using testing::TestNode;

// Every change of a history, as the real Work made it, and what each had read.
struct History {
  std::vector<Change> changes;
  std::map<std::string, std::set<std::string>> values;  // by field
  std::map<std::string, std::set<std::string>> read;    // by field: values that some save had read
};

void deliver(TestNode& node, const Change& change) {
  const storage::Connections::Lease writer = node.connections().writer();
  Work work(node.replica(), *writer);
  work.apply(change, 0);
  work.commit();
}

Change lastChange(TestNode& node) {
  const storage::Connections::Lease reader = node.connections().reader();
  storage::Store store(*reader);
  return decodeChange(store.journal(store.lastJournalSeq())->body);
}

struct Page {
  std::string tag;
  Record record;
};

// Three replicas without hub, two fields, stale saves, restarts, and changes that travel between
// replicas in the order in which they were made at each.
History randomHistory(SeededRandom& random, int saves) {
  std::array<TestNode, 3> nodes = {TestNode("AAA", false, random.draw()),
                                   TestNode("BBB", false, random.draw()),
                                   TestNode("CCC", false, random.draw())};
  History history;
  const RecordId id = nodes[0].create("person", {});
  history.changes.push_back(lastChange(nodes[0]));
  for (TestNode& node : nodes) deliver(node, history.changes[0]);
  std::array<std::vector<Page>, 3> pages;
  std::array<std::array<std::size_t, 3>, 3> had{};  // [to][from]: how many of from's `to` has
  std::array<std::vector<Change>, 3> made;
  // What each change had been preceded by at its maker, so that deliveries keep causes first.
  std::array<std::vector<std::array<std::size_t, 3>>, 3> causes;
  for (int i = 0; i < saves;) {
    const std::size_t at = random.draw() % 3;
    switch (random.draw() % 4) {
      case 0:
        pages[at].push_back({nodes[at].tag(id), *nodes[at].record(id)});
        break;
      case 1: {
        const std::size_t from = random.draw() % 3;
        if (from == at || had[at][from] == made[from].size()) break;
        const auto& cause = causes[from][had[at][from]];
        bool ready = true;
        for (std::size_t n = 0; n < 3; ++n) ready = ready && (n == at || cause[n] <= had[at][n]);
        if (ready) deliver(nodes[at], made[from][had[at][from]++]);
        break;
      }
      case 2:
        if (random.draw() % 4 == 0) nodes[at].restart();
        break;
      default: {
        const Page page = pages[at].empty() || random.draw() % 4 == 0
                              ? Page{encodeTag(Record{}), Record{}}
                              : pages[at][random.draw() % pages[at].size()];
        const std::string field = random.draw() % 2 == 0 ? "a" : "b";
        const std::string value = std::to_string(++i);
        causes[at].push_back(had[at]);
        causes[at].back()[at] = made[at].size();
        nodes[at].edit(id, field, value, page.tag);
        made[at].push_back(lastChange(nodes[at]));
        history.changes.push_back(made[at].back());
        history.values[field].insert(value);
        if (const Field* shown = page.record.field(field)) {
          for (const Sibling& sibling : *shown) history.read[field].insert(sibling.value);
        }
      }
    }
  }
  return history;
}

void shuffle(std::vector<Change>& changes, SeededRandom& random) {
  for (std::size_t i = changes.size(); i > 1; --i) {
    std::swap(changes[i - 1], changes[random.draw() % i]);
  }
}

Record joinAll(const std::vector<Change>& changes) {
  Record record;
  record.id = changes.front().edits.front().record;
  for (const Change& change : changes) joinEdit(record, change, change.edits.front());
  return record;
}

TEST(Join, GivesOneStateInEveryOrderAndLosesOnlyWhatWasRead) {
  SeededRandom random(21);
  for (int round = 0; round < 150; ++round) {
    History history = randomHistory(random, 3 + static_cast<int>(random.draw() % 8));
    const std::string expected = encodeState(joinAll(history.changes));
    for (int order = 0; order < 40; ++order) {
      std::vector<Change> changes = history.changes;
      shuffle(changes, random);
      for (std::size_t i = 0; i < 3; ++i)
        changes.push_back(changes[random.draw() % changes.size()]);
      ASSERT_EQ(encodeState(joinAll(changes)), expected) << "round " << round;
    }
    const Record record = joinAll(history.changes);
    for (const auto& [field, values] : history.values) {
      std::set<std::string> present;
      for (const Sibling& sibling : *record.field(field)) present.insert(sibling.value);
      for (const std::string& value : values) {
        EXPECT_EQ(present.contains(value), !history.read[field].contains(value))
            << "round " << round << " field " << field << " value " << value;
      }
    }
  }
}

TEST(Join, OfPrunedChangesGivesTheSameStateInEveryOrder) {
  SeededRandom random(22);
  for (int round = 0; round < 60; ++round) {
    const Record record = joinAll(randomHistory(random, 8).changes);
    std::vector<Change> pruned = prunedChanges(record);
    EXPECT_TRUE(isBirth(pruned.front().edits.front()));
    for (int order = 0; order < 10; ++order) {
      shuffle(pruned, random);
      EXPECT_EQ(encodeState(joinAll(pruned)), encodeState(record));
    }
  }
}

TEST(Join, OfAStateWithItsPastChangesNothing) {
  SeededRandom random(23);
  for (int round = 0; round < 60; ++round) {
    const History history = randomHistory(random, 8);
    Record record = joinAll(history.changes);
    const std::string before = encodeState(record);
    for (const Change& change : history.changes) {
      EXPECT_FALSE(joinEdit(record, change, change.edits.front()));
    }
    EXPECT_EQ(encodeState(record), before);
  }
}

TEST(Join, OfEqualValuesIsNoConflict) {
  Field field;
  joinSibling(field, {{1, 1}, {}, "\"x\"", 5, "a@A"});
  joinSibling(field, {{2, 1}, {}, "\"x\"", 6, "b@B"});
  EXPECT_EQ(field.size(), 2U);
  EXPECT_FALSE(inConflict(field));
  joinSibling(field, {{3, 1}, {}, "\"y\"", 4, "c@C"});
  EXPECT_TRUE(inConflict(field));
  EXPECT_EQ(latest(field).author, "b@B");
}

TEST(Records, HaveNoFieldWithoutAWrite) {
  Record record;
  record.fields["name"] = {};
  EXPECT_EQ(record.field("name"), nullptr);
  EXPECT_EQ(record.field("need"), nullptr);
  EXPECT_EQ(record.value("name"), "");
}

TEST(Records, KnowTheFieldThatAPartBelongsTo) {
  EXPECT_EQ(fieldOfPart(partName("name", kBoundPart)), "name");
  EXPECT_EQ(fieldOfPart("name"), "name");
}

TEST(Sums, AddAndSubtractWithCarry) {
  StateSum sum{UINT64_MAX, UINT64_MAX};
  const StateSum one{1, 0};
  addTo(sum, one);
  EXPECT_EQ(sum, (StateSum{0, 0}));
  subtractFrom(sum, one);
  EXPECT_EQ(sum, (StateSum{UINT64_MAX, UINT64_MAX}));
  EXPECT_EQ(sumFromBytes(sumBytes({1, 2})), (StateSum{1, 2}));
  EXPECT_THROW(sumFromBytes("fifteen bytes.."), Failure);
}

}  // namespace
}  // namespace waystation::sync
