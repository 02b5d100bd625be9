#include <algorithm>

#include "sync/deletion.h"
#include "tests/simulator/world.h"

namespace waystation::simulator {
namespace {

constexpr int kMostHealingRounds = 8;
constexpr std::size_t kMostExchangesAtOnce = 12;
constexpr std::size_t kMostIdleBytes = 200;
// What an exchange may cost that goes well: by the change, seals and contexts included.
constexpr std::size_t kMostBytesAtAll = 1'000;
constexpr std::size_t kMostBytesOfAChange = 400;
// Below an office each change comes with the seals of those further up (decision 0008).
constexpr std::size_t kMostBytesOfSealsAbove = 200;

std::string listed(const Ledger::Saves& saves) {
  std::string text;
  for (const std::int64_t save : saves) text += (text.empty() ? "" : " ") + std::to_string(save);
  return text.empty() ? "nothing" : text;
}

// Whether two who have nothing to tell each other said only that: no links of which the bodies are
// gone, no seals, nothing about what is kept aside or erased.
bool isIdle(const std::string& request, const std::string& answer) {
  sync::FrameReader reader;
  reader.add(request);
  reader.add(answer);
  while (const std::optional<sync::Frame> frame = reader.next()) {
    switch (frame->type) {
      case sync::FrameType::kHello:
      case sync::FrameType::kAsideKnown:  // a mark, for as long as something is kept aside
      case sync::FrameType::kErasuresHeld:
      case sync::FrameType::kDurableKnown:
      case sync::FrameType::kWelcome:
      case sync::FrameType::kCompare:
      case sync::FrameType::kEnd:
        break;
      default:
        return false;
    }
  }
  return true;
}

// The digests of seals that are passed on: one for each change of the frame that was sealed (at
// most some 256: sync/hub_feed.cpp), whether the leaf gets it or not.
std::size_t digestBytes(const std::string& request, const std::string& answer) {
  sync::FrameReader reader;
  reader.add(request);
  reader.add(answer);
  std::size_t bytes = 0;
  while (const std::optional<sync::Frame> frame = reader.next()) {
    if (frame->type != sync::FrameType::kCarriedSeal) continue;
    bytes += sync::decodeCarriedSeal(frame->payload).digests.size();
  }
  return bytes;
}

}  // namespace

// Whether anything else was said than who stands where and what was changed.
bool isPlain(const std::string& request, const std::string& answer) {
  sync::FrameReader reader;
  reader.add(request);
  reader.add(answer);
  while (const std::optional<sync::Frame> frame = reader.next()) {
    if (frame->type == sync::FrameType::kCertificates || frame->type == sync::FrameType::kAside ||
        frame->type == sync::FrameType::kGone || frame->type == sync::FrameType::kReturned ||
        frame->type == sync::FrameType::kHealing || frame->type == sync::FrameType::kReceipts) {
      return false;
    }
  }
  return true;
}

// Exchanges until the box and its hub have nothing more to say; answers how many it took.
std::size_t World::exchangeUntilQuiet(std::int64_t number) {
  const std::int64_t hub = boxes_[std::size_t(number)].hub;
  Event event;
  event.node = number;
  for (std::size_t i = 1; i <= kMostExchangesAtOnce; ++i) {
    bool more = false;
    bool moved = false;
    const bool well = step(event, number, hub, [&] {
      sync::LeafExchange up = leafExchange(number, hub, 0);
      sync::HubExchange down = hubExchange(number, hub);
      const std::string request = up.request();
      down.receive(request);
      const std::string answer = down.answer();
      trace_.update(request).update(answer);
      checkFed(officeOf(number), nameOf(number), answer);
      up.receive(answer);
      const sync::ExchangeOutcome outcome = up.finish();
      noteOutcome(number, outcome);
      more = outcome.more;
      moved = outcome.changesUp + outcome.changesDown + outcome.rootsEntered + outcome.rootsLeft;
      const std::size_t bytes = request.size() + answer.size() - digestBytes(request, answer);
      const std::size_t told = outcome.changesUp + outcome.changesDown + outcome.rootsLeft;
      const std::size_t each = kMostBytesOfAChange + (hub == 0 ? 0 : kMostBytesOfSealsAbove);
      if (bytes > kMostBytesAtAll + each * told && isPlain(request, answer)) {
        violated("an exchange is dear", nameOf(number) + ": " + std::to_string(bytes) +
                                            " bytes for " + std::to_string(told) + " changes");
      }
      if (more || moved || outcome.agreement != sync::Agreement::kAgree) return;
      if (request.size() + answer.size() > kMostIdleBytes && isIdle(request, answer)) {
        violated("an idle exchange is dear", nameOf(number) + ": " +
                                                 std::to_string(request.size()) + " and " +
                                                 std::to_string(answer.size()) + " bytes");
      }
    });
    if (!well) restart(number);
    if (well && !more) return moved ? i : i - 1;
  }
  violated("an exchange never comes to an end", nameOf(number));
  return kMostExchangesAtOnce;
}

bool World::healRound() {
  bool moved = false;
  noteCopy();
  for (std::int64_t box = boxes() - 1; box > 0; --box) {
    if (isOff(box)) continue;
    moved = exchangeUntilQuiet(box) > 0 || moved;
    if (!violations_.empty()) return false;
  }
  return moved;
}

void World::heal() {
  flights_.clear();
  Event calm;
  for (Box& box : boxes_) enter(box, calm);
  if (!violations_.empty()) return;  // what follows would be its consequences
  // Of two machines that are one office, somebody switches one off when it has handed in its work.
  for (std::int64_t box = 1; box < boxes(); ++box) {
    if (!boxes_[std::size_t(box)].isClone) continue;
    exchangeUntilQuiet(box);
    boxes_[std::size_t(box)].isOff = true;
  }
  int rounds = 0;
  while (rounds < kMostHealingRounds && healRound()) ++rounds;
  if (rounds == kMostHealingRounds) violated("all is never quiet", "after healing rounds");
  if (!violations_.empty()) return;
  noteQuarantine();
  noteEvil();
  checkHistory();
  checkValues();
  checkHidden();
  checkErased();
  for (std::int64_t box = 1; box < boxes(); ++box) {
    if (!isOff(box)) checkAgreement(box);
  }
  Direct direct = directRoots();
  for (std::int64_t box = 1; box < boxes(); ++box) {
    if (!isOff(box)) checkScope(box, direct);
  }
}

void World::noteQuarantine() {
  bool restored = false;
  for (const Box& box : boxes_) restored = restored || box.wasRestored;
  for (Box& box : boxes_) {
    for (const storage::QuarantineRow& row : box.node->quarantine()) {
      if (row.leaf.starts_with('X')) {  // a hostile leaf's
        fault("(refused: " + row.reason + ")");
        continue;
      }
      if (row.state == storage::QuarantineState::kReleased) continue;  // it waited, and is in
      const sync::Change change = sync::decodeChange(row.body);
      const std::int64_t serial = serialOf(change.author);
      for (const Ledger::Part& part : partsOf(change)) {
        if (!isIn(0, change.dot, part)) ledger_.keptAside(serial, part);
      }
      fault("(kept aside: " + row.reason + ")");
      if (!restored) {
        violated("an honest save is kept aside",
                 row.leaf + ": save " + std::to_string(serial) + ": " + row.reason);
      }
    }
  }
}

// What a hostile leaf wrote stands nowhere but in what it may hold, and says nothing that is
// headquarters' to say.
void World::noteEvil() {
  if (hostile_.empty()) return;  // all other writers are people
  for (std::int64_t box = 0; box < boxes(); ++box) {
    const storage::Connections::Lease reader =
        boxes_[std::size_t(box)].node->connections().reader();
    storage::Statement rows = reader->statement("SELECT body, packing FROM journal");
    while (rows.step()) {
      const sync::Change change = sync::decodeChange(rows.unpacked(0));
      if (!change.author.starts_with("evil@")) continue;
      for (const sync::Edit& edit : change.edits) {
        const auto label = labelOf_.find(edit.record);
        if (label == labelOf_.end()) continue;
        evilRecords_.insert(label->second);
        bool may = false;
        for (std::int64_t i = 0; i < std::int64_t(hostile_.size()); ++i) {
          may = may || grants_.everMeant(kHostileHolder + i, rootOf(label->second));
        }
        for (const sync::Write& write : edit.writes) {
          may = may && (write.field == "_deleted" || !write.field.starts_with('_'));
        }
        if (may) continue;
        violated("a foreign change is applied",
                 nameOf(box) + ": record " + std::to_string(label->second));
      }
    }
  }
}

// Everything that a person was told is saved is in headquarters' history.
void World::checkHistory() {
  const Held there = savesIn(0);
  for (const auto& [serial, save] : ledger_.saves()) {
    for (const Ledger::Part& part : save.fields) {
      if (isErased(part.first) || !ledger_.counts(serial, part)) continue;
      if (there.contains({serial, part})) continue;
      violated("an acknowledged save is missing at headquarters",
               "save " + std::to_string(serial) + " of " + nameOf(save.node) + ": record " +
                   std::to_string(part.first) + ", " + part.second);
    }
  }
}

// Hidden is what somebody deleted who had read all that stands in it, and nothing else.
void World::checkHidden() {
  for (const std::int64_t record : labels_) {
    if (evilRecords_.contains(record) || isErased(record) || !holds(0, record)) continue;
    const bool hidden = sync::isHidden(*boxes_[0].node->record(facts_.at(record).id));
    if (hidden) fault("(hidden at the end)");
    if (hidden == ledger_.hidden(record)) continue;
    violated(hidden ? "a deletion hides what its writer had not read" : "a deleted record is shown",
             "record " + std::to_string(record));
  }
}

// In each field stands what nobody replaced who had read it, and nothing else.
void World::checkValues() {
  std::int64_t open = 0;
  std::optional<Page> page;
  for (const auto& [record, field] : ledger_.fields()) {
    if (record != open) page = pageOf(0, record);
    open = record;
    if (evilRecords_.contains(record) || isErased(record)) continue;
    const Ledger::Saves expected = ledger_.expected(record, field);
    Ledger::Saves shown;
    if (page && page->shown.contains(field)) shown = page->shown.at(field);
    if (page && page->altered == field) {
      violated("a value is not as it was saved", "record " + std::to_string(record) + ", " + field);
    }
    if (shown == expected) continue;
    const bool lost = !std::includes(shown.begin(), shown.end(), expected.begin(), expected.end());
    violated(lost ? "a sibling is lost" : "a sibling is resurrected",
             "record " + std::to_string(record) + ", " + field + ": should show " +
                 listed(expected) + ", shows " + listed(shown));
  }
}

void World::checkAgreement(std::int64_t number) {
  std::map<std::string, std::string> states;
  {
    const storage::Connections::Lease reader =
        boxes_[std::size_t(number)].node->connections().reader();
    storage::Store(*reader).eachRecord(
        [&](const storage::RecordRow& row) { states[row.id] = row.state; });
  }
  const std::int64_t hub = boxes_[std::size_t(number)].hub;
  const storage::Connections::Lease reader = boxes_[std::size_t(hub)].node->connections().reader();
  storage::Store store(*reader);
  for (const auto& [id, state] : states) {
    const std::optional<storage::RecordRow> row = store.record(id);
    if (row && row->state == state) continue;
    const auto label = labelOf_.find(sync::RecordId::fromBytes(id));
    violated("two replicas disagree",
             nameOf(number) + " and its hub about record " +
                 std::to_string(label == labelOf_.end() ? 0 : label->second));
  }
}

bool World::isShared(std::int64_t office, const Facts& facts) {
  return facts.scope < 0 || (office < 60 && (facts.scope >> office & 1) != 0);
}

// Which roots their own fields give to which office, of each root once: offices are many.
World::Direct World::directRoots() const {
  Direct direct;
  for (const auto& [root, facts] : facts_) {
    if (facts.root != root || !ledger_.counts(root) || isErased(root)) continue;
    for (std::int64_t office = 1; facts.scope != 0 && office <= settings_.offices; ++office) {
      if (!isShared(office, facts)) continue;
      direct.perhaps[office].insert(root);
      direct.certainly[office].insert(root);
    }
    const Ledger::Saves deciding = ledger_.expected(root, "_custody");
    if (deciding.empty()) {  // or all hand-overs were lost
      direct.perhaps[facts.birthOffice].insert(root);
      direct.certainly[facts.birthOffice].insert(root);
    }
    for (const std::int64_t save : deciding) {
      const auto at = facts.custody.find(save);
      if (at == facts.custody.end()) continue;
      direct.perhaps[at->second].insert(root);
      if (deciding.size() == 1) direct.certainly[at->second].insert(root);
    }
  }
  return direct;
}

// After healing an office holds what it is to hold, and nothing else.
void World::checkScope(std::int64_t box, Direct& direct) {
  const std::int64_t office = officeOf(box);
  for (const std::int64_t root : direct.certainly[office]) {
    if (holds(box, root)) continue;
    violated("an office lacks what is its own", nameOf(box) + ": " + std::to_string(root));
  }
  const std::set<std::int64_t> allowed = grants_.withNamed(direct.perhaps[office]);
  const storage::Connections::Lease reader = boxes_[std::size_t(box)].node->connections().reader();
  storage::Statement roots = reader->statement("SELECT id FROM roots WHERE records > 0");
  while (roots.step()) {
    const auto label = labelOf_.find(sync::RecordId::fromBytes(roots.view(0)));
    if (label != labelOf_.end() && allowed.contains(label->second)) continue;
    violated("an office holds what it may not",
             nameOf(box) + ": " + std::to_string(label == labelOf_.end() ? 0 : label->second));
  }
}

}  // namespace waystation::simulator
