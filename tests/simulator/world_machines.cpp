#include "sync/durable.h"
#include "sync/reports.h"
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

// Headquarters' copy counts once it is read back: what offices have brought until then they may
// throw away.
void World::noteCopy() {
  const storage::Connections::Lease writer = boxes_[0].node->connections().writer();
  storage::Store store(*writer);
  sync::noteCopied(store, sync::markCopy(store), nowMs_);
}

void World::copy(const Event& event) {
  if (event.node == 0) noteCopy();
  copies_[event.serial] = {event.node, boxes_[std::size_t(event.node)].node->copyOfStore()};
  std::vector<std::int64_t>& held = copiesOf_[event.node];
  held.push_back(event.serial);
  if (held.size() <= 2) return;
  copies_.erase(held.front());
  held.erase(held.begin());
}

// The saves that a store holds, with their names there.
World::Held World::savesIn(std::int64_t box) {
  Held saves;
  const storage::Connections::Lease reader = boxes_[std::size_t(box)].node->connections().reader();
  storage::Statement rows = reader->statement("SELECT body, packing FROM journal");
  while (rows.step()) {
    const sync::Change change = sync::decodeChange(rows.unpacked(0));
    const std::int64_t serial = serialOf(change.author);
    if (serial == 0) continue;
    for (const Ledger::Part& part : partsOf(change)) saves[{serial, part}] = change.dot;
  }
  return saves;
}

std::set<Ledger::Part> World::partsOf(const sync::Change& change) const {
  std::set<Ledger::Part> parts;
  for (const sync::Edit& edit : change.edits) {
    const auto label = labelOf_.find(edit.record);
    if (label == labelOf_.end()) continue;
    for (const sync::Write& write : edit.writes) parts.emplace(label->second, write.field);
  }
  return parts;
}

// Whether the box's journal holds this part of a change.
bool World::isIn(std::int64_t box, const sync::Dot& dot, const Ledger::Part& part) {
  const storage::Connections::Lease reader = boxes_[std::size_t(box)].node->connections().reader();
  for (const storage::JournalRow& row :
       storage::Store(*reader).journalOfDot(dot.replica, dot.counter)) {
    if (partsOf(sync::decodeChange(row.body)).contains(part)) return true;
  }
  return false;
}

void World::restore(const Event& event) {
  const auto kept = copies_.find(event.page);
  if (kept == copies_.end() || kept->second.box != event.node) return;
  fault(event.node == 0 ? "restore of headquarters" : "restore");
  std::erase_if(flights_, [&](const auto& entry) {
    return entry.second.box == event.node || entry.second.at == event.node;
  });
  startOn(event.node, kept->second, event.value != 0);
  if (event.node == 0) waitForReports(event);
}

// As `waystation restore` leaves it; now and then an operator knows that there is nobody to wait
// for.
void World::waitForReports(const Event& event) {
  const storage::Connections::Lease writer = boxes_[0].node->connections().writer();
  storage::Store store(*writer);
  sync::noteSetBack(store);
  if (event.serial % 4 == 0) sync::stopWaiting(store);
}

// The standby lacks what headquarters did last. What was on its way reaches the one as well as the
// other.
void World::failOver(const Event& event) {
  const auto kept = copies_.find(event.page);
  if (event.node != 0 || kept == copies_.end() || kept->second.box != 0) return;
  fault("failover of headquarters");
  std::erase_if(flights_,
                [&](const auto& entry) { return entry.second.hub && entry.second.at == 0; });
  startOn(0, kept->second, false);
}

void World::startOn(std::int64_t number, const Copy& copy, bool diskIsLost) {
  const Held before = savesIn(number);
  const std::string erasures = erasuresBeside(number, diskIsLost);
  Box& box = boxes_[std::size_t(number)];
  box.node->startOnCopy(copy.bytes);
  box.wasRestored = true;
  takeErasures(number, erasures);
  noteLosses(number, before);
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
void World::noteLosses(std::int64_t box, const Held& before) {
  const Held after = savesIn(box);
  for (const auto& [name, dot] : after) ledger_.found(name.first, name.second);
  for (const auto& [name, dot] : before) {
    if (after.contains(name)) continue;
    bool elsewhere = false;
    for (std::int64_t other = 0; other < boxes(); ++other) {
      elsewhere = elsewhere || isIn(other, dot, name.second);
    }
    if (!elsewhere) ledger_.lost(name.first, name.second);
  }
}

}  // namespace waystation::simulator
