#include "sync/erasure.h"
#include "tests/simulator/world.h"

namespace waystation::simulator {

// Headquarters' alone: who erases a root erases all that belongs to it, born or yet to be born.
void World::erase(const Event& event) {
  if (event.node != 0 || !holds(0, event.record)) return;
  testing::TestNode& headquarters = *boxes_[0].node;
  const sync::RecordId id = facts_.at(event.record).id;
  const bool answered = attempt(event, [&] {
    const storage::Connections::Lease writer = headquarters.connections().writer();
    sync::Work work(headquarters.replica(), *writer);
    sync::eraseForGood(work, headquarters.key(), "somebody", {id});
    work.commit();
  });
  const storage::Connections::Lease writer = headquarters.connections().writer();
  storage::Store store(*writer);
  if (!answered && !store.erasedBy(id.bytes())) return;
  store.scrub();
  erased_.insert(event.record);
  fault("erasure");
}

bool World::isErased(std::int64_t record) const {
  return erased_.contains(record) || erased_.contains(rootOf(record));
}

std::set<std::string> World::certificatesAt(std::int64_t box) {
  std::set<std::string> held;
  const storage::Connections::Lease reader = boxes_[std::size_t(box)].node->connections().reader();
  for (const storage::ErasureRow& row : storage::Store(*reader).erasures()) held.insert(row.hash);
  return held;
}

// What stands beside the store and outside of its backups; nothing where that went with the disk,
// which nobody could make good unless another has the same.
std::string World::erasuresBeside(std::int64_t box, bool diskIsLost) {
  if (diskIsLost) {
    std::set<std::string> elsewhere;
    for (std::int64_t other = 0; other < boxes(); ++other) {
      if (other == box || isOff(other)) continue;
      elsewhere.merge(certificatesAt(other));
    }
    const std::set<std::string> here = certificatesAt(box);
    if (std::includes(elsewhere.begin(), elsewhere.end(), here.begin(), here.end())) {
      fault("list of erasures lost");
      return {};
    }
  }
  testing::TestNode& node = *boxes_[std::size_t(box)].node;
  const storage::Connections::Lease reader = node.connections().reader();
  storage::Store store(*reader);
  return sync::exportErasures(store, node.replica());
}

void World::takeErasures(std::int64_t box, const std::string& text) {
  if (text.empty()) return;
  testing::TestNode& node = *boxes_[std::size_t(box)].node;
  const storage::Connections::Lease writer = node.connections().writer();
  {
    sync::Work work(node.replica(), *writer);
    if (!sync::takeErasureText(work, text)) return;
    work.commit();
  }
  storage::Store(*writer).scrub();
}

// Nothing of what was erased stands anywhere: no record, no change, nothing kept aside.
void World::checkErased() {
  if (erased_.empty()) return;
  std::vector<std::int64_t> gone;
  for (const std::int64_t record : labels_) {
    if (isErased(record)) gone.push_back(record);
  }
  for (std::int64_t box = 0; box < boxes(); ++box) {
    if (isOff(box)) continue;
    const auto lives = [&](const sync::Change& change, const char* where) {
      for (const sync::Edit& edit : change.edits) {
        const auto label = labelOf_.find(edit.record);
        if (label == labelOf_.end() || !isErased(label->second)) continue;
        violated("what was erased lives on",
                 nameOf(box) + ": record " + std::to_string(label->second) + " in " + where);
      }
    };
    for (const std::int64_t record : gone) {
      if (!holds(box, record)) continue;
      violated("what was erased lives on", nameOf(box) + ": record " + std::to_string(record));
    }
    for (const storage::QuarantineRow& row : boxes_[std::size_t(box)].node->quarantine()) {
      lives(sync::decodeChange(row.body), "what is kept aside");
    }
    const storage::Connections::Lease reader =
        boxes_[std::size_t(box)].node->connections().reader();
    storage::Store(*reader).eachJournal([&](const storage::JournalRow& row) {
      lives(sync::decodeChange(row.body), "the journal");
    });
    for (const storage::ErasureRow& row : storage::Store(*reader).erasures()) {
      if (row.late > 0) fault("(came late, destroyed)");
    }
  }
}

}  // namespace waystation::simulator
