#include "tests/simulator/world.h"

namespace waystation::simulator {

// Whatever the process had in hand is gone; what it had sent may still arrive, but for what was
// half way.
void World::restart(std::int64_t box) {
  std::erase_if(flights_,
                [&](const auto& entry) { return entry.second.hub && entry.second.at == box; });
  for (auto& [serial, flight] : flights_) {
    if (flight.box == box) flight.leaf.reset();
  }
  boxes_[std::size_t(box)].node->restart();
}

void World::copy(const Event& event) {
  copies_[event.serial] = {event.node, boxes_[std::size_t(event.node)].node->copyOfStore()};
  std::vector<std::int64_t>& held = copiesOf_[event.node];
  held.push_back(event.serial);
  if (held.size() <= 2) return;
  copies_.erase(held.front());
  held.erase(held.begin());
}

// The saves that a store holds, with their names there.
std::map<std::int64_t, sync::Dot> World::savesIn(std::int64_t box) {
  std::map<std::int64_t, sync::Dot> saves;
  const storage::Connections::Lease reader = boxes_[std::size_t(box)].node->connections().reader();
  storage::Statement rows = reader->statement("SELECT body FROM journal");
  while (rows.step()) {
    const sync::Change change = sync::decodeChange(rows.view(0));
    if (const std::int64_t serial = serialOf(change.author)) saves[serial] = change.dot;
  }
  return saves;
}

void World::restore(const Event& event) {
  const auto kept = copies_.find(event.page);
  if (kept == copies_.end() || kept->second.box != event.node) return;
  fault(event.node == 0 ? "restore of headquarters" : "restore");
  const std::map<std::int64_t, sync::Dot> before = savesIn(event.node);
  Box& box = boxes_[std::size_t(event.node)];
  std::erase_if(flights_, [&](const auto& entry) {
    return entry.second.box == event.node || entry.second.at == event.node;
  });
  box.node->startOnCopy(kept->second.bytes);
  box.wasRestored = true;
  noteLosses(event.node, before);
}

// Two machines that are one office: same name, same key, same past.
void World::clone(const Event& event) {
  if (event.node < 1 || event.node > settings_.offices + settings_.phones) return;
  fault("clone");
  Box twin = newBox(event.node);
  twin.offsetMs = boxes_[std::size_t(event.node)].offsetMs;
  twin.isClone = twin.wasRestored = true;
  boxes_.push_back(std::move(twin));
  enter(boxes_.back(), event);
  boxes_.back().node->startOnCopy(boxes_[std::size_t(event.node)].node->copyOfStore());
}

// What was on no other disk is lost, and nobody can be asked to bring it back.
void World::noteLosses(std::int64_t box, const std::map<std::int64_t, sync::Dot>& before) {
  const std::map<std::int64_t, sync::Dot> after = savesIn(box);
  for (const auto& [serial, dot] : after) ledger_.found(serial);
  for (const auto& [serial, dot] : before) {
    if (after.contains(serial)) continue;
    bool elsewhere = false;
    for (Box& other : boxes_) {
      const storage::Connections::Lease reader = other.node->connections().reader();
      elsewhere = elsewhere || storage::Store(*reader).journalSeq(dot.replica, dot.counter);
    }
    if (!elsewhere) ledger_.lost(serial);
  }
}

}  // namespace waystation::simulator
