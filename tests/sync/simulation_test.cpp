#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "crypto/failure.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::Cut;
using testing::exchangeAll;
using testing::exchangeCut;
using testing::SeededRandom;
using testing::TestNode;

constexpr std::array<const char*, 3> kFields = {"status", "need", "phone"};

// What a person had on the screen: for each field the values, and the tag to save with.
struct Page {
  std::string tag;
  std::map<std::string, std::set<std::string>> shown;
};

// Knows only what people saved and what they had read, nothing of contexts.
class Checker {
 public:
  void saved(const RecordId& id, const std::string& field, const std::string& value,
             const std::set<std::string>& read) {
    all_[{id, field}].insert(value);
    for (const std::string& old : read) superseded_[{id, field}].insert(old);
  }

  void expectNothingLost(const std::map<RecordId, Record>& atHeadquarters) const {
    for (const auto& [key, values] : all_) {
      const auto record = atHeadquarters.find(key.first);
      ASSERT_TRUE(record != atHeadquarters.end());
      std::set<std::string> present;
      const Field* field = record->second.field(key.second);
      if (field != nullptr) {
        for (const Sibling& sibling : *field) present.insert(sibling.value);
      }
      for (const std::string& value : values) {
        const auto read = superseded_.find(key);
        const bool wasRead = read != superseded_.end() && read->second.contains(value);
        // Present if and only if nobody who saved later had read it.
        EXPECT_EQ(present.contains(value), !wasRead) << key.second << " " << value;
      }
    }
  }

 private:
  using Key = std::pair<RecordId, std::string>;
  std::map<Key, std::set<std::string>> all_;
  std::map<Key, std::set<std::string>> superseded_;
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed) {
    hq_ = std::make_unique<TestNode>("HQ", false, seed * 100 + 1);
    for (const char* name : {"AAA", "BBB", "CCC"}) {
      offices_.push_back(std::make_unique<TestNode>(name, true, seed * 100 + 2 + offices_.size()));
      testing::enrol(*hq_, *offices_.back());
    }
  }

  void step() {
    TestNode& office = *offices_[draw(offices_.size())];
    TestNode& anyNode = draw(5) == 0 ? *hq_ : office;
    switch (draw(12)) {
      case 0:
        create(anyNode);
        break;
      case 1:
        handOver();
        break;
      case 2:
        if (draw(3) == 0) anyNode.restart();
        break;
      case 3:
        exchangeCut(*hq_, office, {});
        break;
      case 4:
      case 5:
        cutExchange(office);
        break;
      case 6:
        read(anyNode);
        break;
      default:
        edit(anyNode);
    }
  }

  void heal() {
    for (int round = 0; round < 3; ++round) {
      for (const auto& office : offices_) exchangeAll(*hq_, *office);
    }
  }

  void expectAgreement() {
    for (const auto& office : offices_) {
      EXPECT_EQ(exchangeAll(*hq_, *office).agreement, Agreement::kAgree) << office->name();
      const auto here = recordsOf(*office);
      const auto there = recordsInScope(office->name());
      EXPECT_EQ(here.size(), there.size()) << office->name();
      for (const auto& [id, record] : here) {
        const auto other = there.find(id);
        ASSERT_TRUE(other != there.end()) << office->name() << " holds what it may not";
        EXPECT_EQ(encodeState(record), encodeState(other->second));
      }
    }
    EXPECT_TRUE(hq_->quarantine().empty());
    checker_.expectNothingLost(recordsOf(*hq_));
  }

 private:
  std::size_t draw(std::size_t below) { return static_cast<std::size_t>(random_.draw() % below); }

  static std::map<RecordId, Record> recordsOf(TestNode& node) {
    std::map<RecordId, Record> records;
    const storage::Connections::Lease reader = node.connections().reader();
    storage::Store(*reader).eachRecord([&](const storage::RecordRow& row) {
      const RecordId id = RecordId::fromBytes(row.id);
      records.emplace(id, decodeState(id, row.state));
    });
    return records;
  }

  std::map<RecordId, Record> recordsInScope(const std::string& name) {
    std::map<RecordId, Record> records = recordsOf(*hq_);
    const storage::Connections::Lease reader = hq_->connections().reader();
    storage::Store store(*reader);
    const std::int64_t leaf = store.leafByName(name)->leaf;
    std::erase_if(records, [&](const auto& entry) {
      return !store.inScope(leaf, entry.second.root().bytes());
    });
    return records;
  }

  std::optional<RecordId> pick(TestNode& node, bool rootsOnly = false) {
    std::vector<RecordId> held;
    for (const auto& [id, record] : recordsOf(node)) {
      if (!rootsOnly || record.root() == id) held.push_back(id);
    }
    if (held.empty()) return std::nullopt;
    return held[draw(held.size())];
  }

  std::string freshValue() { return "\"v" + std::to_string(++values_) + "\""; }

  void create(TestNode& node) {
    std::vector<DraftWrite> writes;
    for (const char* field : kFields) {
      if (draw(2) == 0) writes.push_back({field, freshValue()});
    }
    const std::optional<RecordId> other = pick(node);
    if (other && draw(2) == 0) writes.push_back({"person", referenceValue(*other)});
    const bool isChild = other && draw(3) == 0;
    if (node.name() == "HQ" && !isChild) {
      writes.push_back({"_custody", jsonString(offices_[draw(3)]->name())});
      if (draw(2) == 0) writes.push_back({"_scope", draw(2) == 0 ? "\"all\"" : "[\"BBB\"]"});
    }
    try {
      const RecordId id = node.create("case_file", writes, isChild ? other : std::nullopt);
      for (const DraftWrite& write : writes) {
        if (write.value.starts_with("\"v")) checker_.saved(id, write.field, write.value, {});
      }
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), "case.handed-over");
    }
  }

  void read(TestNode& node) {
    const std::optional<RecordId> id = pick(node);
    if (!id) return;
    Page page{node.tag(*id), {}};
    const Record record = *node.record(*id);
    for (const auto& [name, field] : record.fields) {
      for (const Sibling& sibling : field) page.shown[name].insert(sibling.value);
    }
    auto& pages = pages_[{node.name(), *id}];
    pages.push_back(std::move(page));
    if (pages.size() > 3) pages.pop_front();
  }

  void edit(TestNode& node) {
    const std::optional<RecordId> id = pick(node);
    if (!id) return;
    if (draw(2) == 0) read(node);
    const std::string field = kFields[draw(kFields.size())];
    Page page;  // a save without a tag has read nothing
    const auto& pages = pages_[{node.name(), *id}];
    if (!pages.empty() && draw(8) != 0) page = pages[draw(pages.size())];
    const std::string value = freshValue();
    try {
      node.edit(*id, field, value, page.tag.empty() ? encodeTag(Record{}) : page.tag);
      checker_.saved(*id, field, value, page.shown[field]);
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), "case.handed-over") << failure.what();
    }
  }

  void handOver() {
    if (const std::optional<RecordId> id = pick(*hq_, true)) {
      hq_->edit(*id, "_custody", jsonString(offices_[draw(3)]->name()));
    }
  }

  void cutExchange(TestNode& office) {
    Cut cut;
    cut.upBytes = 1 + draw(2000);
    cut.downBytes = 1 + draw(2000);
    const std::size_t at = draw(draw(2) == 0 ? 200 : 3000);
    (draw(2) == 0 ? cut.requestBytes : cut.answerBytes) = at;
    exchangeCut(*hq_, office, cut);
  }

  SeededRandom random_;
  std::unique_ptr<TestNode> hq_;
  std::vector<std::unique_ptr<TestNode>> offices_;
  std::map<std::pair<std::string, RecordId>, std::deque<Page>> pages_;
  Checker checker_;
  int values_ = 0;
};

class SimulatedOffices : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SimulatedOffices, AgreeAfterHealingAndHaveLostNothing) {
  Simulation simulation(GetParam());
  for (int i = 0; i < 300; ++i) simulation.step();
  simulation.heal();
  simulation.expectAgreement();
}

INSTANTIATE_TEST_SUITE_P(Seeds, SimulatedOffices, ::testing::Range<std::uint64_t>(1, 31));

}  // namespace
}  // namespace waystation::sync
