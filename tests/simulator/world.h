#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "tests/simulator/crash.h"
#include "tests/simulator/event.h"
#include "tests/simulator/hostile.h"
#include "tests/simulator/ledger.h"
#include "tests/support/sync_nodes.h"

namespace waystation::simulator {

struct Settings {
  std::uint64_t seed = 1;
  int offices = 5;
  int phones = 0;
  int days = 10;
  int hostile = 0;         // enrolled offices that keep no rules
  bool backwards = false;  // hubs restored, boxes cloned
  bool roaming = false;    // phones call at other offices
};

inline constexpr std::array<const char*, 4> kFields = {"status", "need", "phone",
                                                       "field_of_a_later_version"};
inline constexpr std::int64_t kBeganMs = 1'700'000'000'000;
inline constexpr std::int64_t kNobody = -1;
// What hostile leaves are called among those to whom a root may be meant.
inline constexpr std::int64_t kHostileHolder = 1'000'000;
inline constexpr std::int64_t kDayMs = 86'400'000;

struct Violation {
  std::string rule;  // which promise was broken; the same for all breaches of it
  std::string text;
};

// Headquarters, offices and phones as they are in the program, without sockets and threads, with
// people, clocks, disks and links that do what the events of a story say. Box 0 is headquarters.
class World {
 public:
  explicit World(const Settings& settings);
  ~World();

  void apply(const Event& event);
  // Makes the network perfect, lets everybody exchange until nothing moves, and checks all.
  void heal();

  const std::vector<Violation>& violations() const { return violations_; }
  const std::map<std::string, std::int64_t>& faults() const { return faults_; }
  std::int64_t changes() const { return static_cast<std::int64_t>(ledger_.saves().size()); }
  std::string trace();  // of all bytes sent and of what all hold; ends the world

  // What a story may speak of, for whoever makes one up.
  const Settings& settings() const { return settings_; }
  std::int64_t boxes() const { return static_cast<std::int64_t>(boxes_.size()); }
  bool holds(std::int64_t box, std::int64_t record);
  const std::vector<std::int64_t>& records() const { return labels_; }
  std::vector<std::int64_t> recordsAt(std::int64_t box);  // in order of their coming there
  std::int64_t rootOf(std::int64_t record) const { return facts_.at(record).root; }
  // Its root was made for every office to see, or was with many when that was last counted: what
  // such a root names goes to all, too.
  bool isWithMany(std::int64_t record) const {
    const std::int64_t root = rootOf(record);
    return facts_.at(root).scope < 0 || withMany_.contains(root);
  }
  void countHolders();
  const std::deque<std::int64_t>& pages(std::int64_t box, std::int64_t record);
  bool isErased(std::int64_t record) const;
  bool isOff(std::int64_t box) const { return boxes_[std::size_t(box)].isOff; }
  const std::vector<std::int64_t>& copies(std::int64_t box) { return copiesOf_[box]; }
  // The request of this box that is on its way; 0: none.
  std::int64_t underWay(std::int64_t box) const;

 private:
  struct Box {
    std::unique_ptr<testing::TestNode> node;
    std::int64_t hub = -1;
    std::int64_t office = 0;  // that it is, or belongs to
    std::int64_t offsetMs = 0;
    bool wasRestored = false;
    bool isClone = false;
    bool isOff = false;
  };
  struct Page {
    std::int64_t box = 0;
    std::int64_t record = 0;
    std::string tag;
    std::map<std::string, Ledger::Saves> shown;
    std::string altered;  // a field that does not read as it was saved
  };
  struct Copy {
    std::int64_t box = 0;
    std::string bytes;
  };
  // A request between a leaf and its hub.
  struct Flight {
    std::int64_t box = 0;
    std::int64_t at = 0;  // the hub
    std::string request;
    std::unique_ptr<sync::LeafExchange> leaf;  // none: the leaf gave it up
    std::unique_ptr<sync::HubExchange> hub;    // once a part of it has arrived
    std::size_t delivered = 0;
  };
  // What headquarters' people decided about a record's root, and where it was born.
  struct Facts {
    sync::RecordId id;
    std::int64_t root = 0;
    std::int64_t birthOffice = 0;
    std::int64_t scope = 0;
    std::map<std::int64_t, std::int64_t> custody;  // by save
  };

  // Deeds of people (world_people.cpp).
  void create(const Event& event);
  void read(const Event& event);
  void save(const Event& event);
  void remove(const Event& event);
  void handOver(const Event& event);
  void write(const Event& event, const std::vector<sync::DraftEdit>& drafts,
             const std::map<std::int64_t, Page>& pages);
  std::optional<Page> pageOf(std::int64_t box, std::int64_t record);
  std::optional<Page> pageFor(const Event& event);
  bool attempt(const Event& event, const std::function<void()>& deed);
  bool wasSaved(Box& box, std::int64_t serial);
  void noteBirth(const Event& event, const sync::RecordId& id);

  // Disks and processes (world_machines.cpp).
  void restart(std::int64_t box);
  void copy(const Event& event);
  void restore(const Event& event);
  void failOver(const Event& event);
  void noteCopy();
  void waitForReports(const Event& event);
  void startOn(std::int64_t box, const Copy& copy, bool diskIsLost);
  void clone(const Event& event);
  Box newBox(std::int64_t box) const;
  // Parts of saves, by serial, and the change's name in the store.
  using Held = std::map<std::pair<std::int64_t, Ledger::Part>, sync::Dot>;
  void noteLosses(std::int64_t box, const Held& before);
  Held savesIn(std::int64_t box);
  std::set<Ledger::Part> partsOf(const sync::Change& change) const;
  bool isIn(std::int64_t box, const sync::Dot& dot, const Ledger::Part& part);

  // Erasures, and the lists of them beside the stores (world_erasure.cpp).
  void erase(const Event& event);
  std::set<std::string> certificatesAt(std::int64_t box);
  std::string erasuresBeside(std::int64_t box, bool diskIsLost);
  void takeErasures(std::int64_t box, const std::string& text);
  void checkErased();

  // Links (world_network.cpp).
  void exchange(const Event& event);
  void send(const Event& event);
  void part(const Event& event);
  void arrive(const Event& event, std::int64_t flight);
  void deliver(Flight& flight, const Event& event);
  std::string onItsWay(const std::string& request, std::int64_t lie);
  std::string answerOf(Flight& flight, const Event& event);
  void checkFed(std::int64_t holder, const std::string& name, const std::string& answer);
  void attack(const Event& event);
  void noteOutcome(std::int64_t box, const sync::ExchangeOutcome& outcome);
  // Runs one step of an exchange, with a crash where the event wants one. Answers whether it ended
  // well.
  bool step(const Event& event, std::int64_t leaf, std::int64_t hub,
            const std::function<void()>& deed);
  std::int64_t hubFor(const Event& event);
  sync::HubExchange hubExchange(std::int64_t leaf, std::int64_t hub);
  sync::LeafExchange leafExchange(std::int64_t leaf, std::int64_t hub, std::int64_t upBytes);

  // After healing (world_checks.cpp).
  bool healRound();
  std::size_t exchangeUntilQuiet(std::int64_t box);
  void checkValues();
  void checkHidden();
  void checkHistory();
  void checkAgreement(std::int64_t box);
  // By office: the roots that are its own, perhaps or whatever happened.
  struct Direct {
    std::map<std::int64_t, std::set<std::int64_t>> perhaps;
    std::map<std::int64_t, std::set<std::int64_t>> certainly;
  };
  Direct directRoots() const;
  void checkScope(std::int64_t box, Direct& direct);
  void noteQuarantine();
  void noteEvil();
  static bool isShared(std::int64_t office, const Facts& facts);

  void enter(Box& box, const Event& event);
  void violated(const std::string& rule, const std::string& text);
  void fault(const std::string& kind) { ++faults_[kind]; }
  std::int64_t officeOf(std::int64_t box) const { return boxes_[std::size_t(box)].office; }
  std::string nameOf(std::int64_t box) const;

  Settings settings_;
  std::vector<Box> boxes_;
  std::vector<std::unique_ptr<HostileLeaf>> hostile_;
  std::set<std::int64_t> evilRecords_;  // that a hostile leaf was let write to
  std::int64_t nowMs_ = kBeganMs;
  std::vector<std::int64_t> labels_;
  std::unordered_map<std::int64_t, Facts> facts_;
  std::unordered_map<sync::RecordId, std::int64_t> labelOf_;
  std::map<std::int64_t, Page> pages_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::deque<std::int64_t>> pagesAt_;
  std::map<std::int64_t, Copy> copies_;
  std::map<std::int64_t, std::vector<std::int64_t>> copiesOf_;
  std::map<std::int64_t, Flight> flights_;
  std::set<std::int64_t> erased_;
  std::set<std::int64_t> withMany_;                                           // roots
  std::map<std::pair<std::int64_t, std::int64_t>, std::string> lastAnswers_;  // by leaf and hub
  bool lied_ = false;  // the step under way was told what its sender did not say
  Ledger ledger_;
  Grants grants_;
  std::map<std::string, std::int64_t> faults_;
  std::vector<Violation> violations_;
  crypto::Sha256 trace_;
};

// The serial in an author's name, "p12@AAA"; 0 where there is none.
std::int64_t serialOf(std::string_view author);

}  // namespace waystation::simulator
