#include "tests/simulator/world.h"

#include <charconv>

namespace waystation::simulator {
namespace {

constexpr std::size_t kViolationsKept = 20;
constexpr int kManyHolders = 10;

// A number that each event and box has for itself, so that a story with an event left out draws
// the same for all others.
std::uint64_t mixed(std::uint64_t seed, std::uint64_t serial, std::uint64_t box) {
  return testing::SeededRandom(seed * 0x100000001B3ULL ^ (serial << 20) ^ box).draw();
}

std::string officeName(std::int64_t office) {
  const auto letter = [](std::int64_t n) { return static_cast<char>('A' + n % 26); };
  return {letter(office / 676), letter(office / 26), letter(office)};
}

}  // namespace

std::int64_t serialOf(std::string_view author) {
  if (!author.starts_with('p')) return 0;
  std::int64_t serial = 0;
  std::from_chars(author.data() + 1, author.data() + author.size(), serial);
  return serial;
}

World::World(const Settings& settings) : settings_(settings) {
  for (std::int64_t i = 0; i <= settings_.offices + settings_.phones; ++i) {
    boxes_.push_back(newBox(i));
  }
  for (Box& box : boxes_) {
    box.node->clock().set(nowMs_);
    if (box.hub >= 0) testing::enrol(*boxes_[std::size_t(box.hub)].node, *box.node);
  }
  for (int i = 0; i < settings.hostile; ++i) {
    hostile_.push_back(std::make_unique<HostileLeaf>("X" + officeName(i),
                                                     mixed(settings.seed, 1, std::uint64_t(i))));
    const storage::Connections::Lease writer = boxes_[0].node->connections().writer();
    sync::Work work(boxes_[0].node->replica(), *writer);
    sync::enrolLeaf(work, hostile_.back()->name(), hostile_.back()->key().publicKey(), "");
    work.commit();
  }
}

World::~World() = default;

// Boxes are numbered: headquarters, offices, their phones in turn; clones come after those.
World::Box World::newBox(std::int64_t number) const {
  Box box;
  const std::int64_t phone = number - settings_.offices - 1;
  box.office = phone < 0 ? number : 1 + phone % settings_.offices;
  box.hub = number == 0 ? -1 : (phone < 0 ? 0 : box.office);
  const std::string home = phone < 0 ? "" : officeName(box.office);
  const std::string name = number == 0 ? "HQ"
                           : phone < 0 ? officeName(number)
                                       : home + "-P" + std::to_string(phone);
  box.node = std::make_unique<testing::TestNode>(
      name, number != 0, mixed(settings_.seed, 0, std::uint64_t(number)), home);
  return box;
}

std::string World::nameOf(std::int64_t box) const {
  return boxes_[std::size_t(box)].node->name();
}

void World::violated(const std::string& rule, const std::string& text) {
  if (violations_.size() < kViolationsKept) violations_.push_back({rule, text});
}

// Sets the box's clock and random numbers for this event.
void World::enter(Box& box, const Event& event) {
  box.node->clock().set(nowMs_ + box.offsetMs);
  const auto number = static_cast<std::uint64_t>(&box - boxes_.data());
  box.node->random().reseed(mixed(settings_.seed, std::uint64_t(event.serial), number + 1));
}

void World::apply(const Event& event) {
  nowMs_ += event.afterMs;
  if (event.node < 0 || event.node >= boxes() || isOff(event.node)) return;
  const std::int64_t office = event.office > 0 && event.office < boxes() ? event.office : 0;
  for (const std::int64_t box :
       {event.node, boxes_[std::size_t(event.node)].hub, office, std::int64_t{0}}) {
    if (box >= 0) enter(boxes_[std::size_t(box)], event);
  }
  switch (event.kind) {
    case EventKind::kCreate:
      return create(event);
    case EventKind::kRead:
      return read(event);
    case EventKind::kSave:
      return save(event);
    case EventKind::kDelete:
      return remove(event);
    case EventKind::kHandOver:
      return handOver(event);
    case EventKind::kExchange:
      return exchange(event);
    case EventKind::kSend:
      return send(event);
    case EventKind::kPart:
      return part(event);
    case EventKind::kArrive:
      return arrive(event, event.page);
    case EventKind::kRestart:
      fault("restart");
      return restart(event.node);
    case EventKind::kCopy:
      return copy(event);
    case EventKind::kRestore:
      return restore(event);
    case EventKind::kClock:
      fault(event.amount < 0 ? "clock set back" : "clock set forward");
      boxes_[std::size_t(event.node)].offsetMs += event.amount;
      return;
    case EventKind::kClone:
      return clone(event);
    case EventKind::kAttack:
      return attack(event);
    case EventKind::kErase:
      return erase(event);
    case EventKind::kFailover:
      return failOver(event);
  }
}

bool World::holds(std::int64_t box, std::int64_t record) {
  const auto at = facts_.find(record);
  if (at == facts_.end()) return false;
  const storage::Connections::Lease reader = boxes_[std::size_t(box)].node->connections().reader();
  return storage::Store(*reader).record(at->second.id.bytes()).has_value();
}

std::vector<std::int64_t> World::recordsAt(std::int64_t box) {
  std::vector<std::int64_t> held;
  const storage::Connections::Lease reader = boxes_[std::size_t(box)].node->connections().reader();
  storage::Statement ids = reader->statement("SELECT id FROM records ORDER BY row");
  while (ids.step()) {
    const auto label = labelOf_.find(sync::RecordId::fromBytes(ids.view(0)));
    if (label != labelOf_.end()) held.push_back(label->second);
  }
  return held;
}

void World::countHolders() {
  withMany_.clear();
  const storage::Connections::Lease reader = boxes_[0].node->connections().reader();
  storage::Statement roots =
      reader->statement("SELECT root FROM scopes GROUP BY root HAVING count(*) > ?");
  roots.bind(1, kManyHolders);
  while (roots.step()) {
    const auto label = labelOf_.find(sync::RecordId::fromBytes(roots.view(0)));
    if (label != labelOf_.end()) withMany_.insert(label->second);
  }
}

const std::deque<std::int64_t>& World::pages(std::int64_t box, std::int64_t record) {
  return pagesAt_[{box, record}];
}

std::int64_t World::underWay(std::int64_t box) const {
  for (const auto& [serial, flight] : flights_) {
    if (flight.box == box) return serial;
  }
  return 0;
}

std::string World::trace() {
  for (Box& box : boxes_) trace_.update(sync::sumBytes(box.node->digest()));
  return crypto::toHex(crypto::view(trace_.finish())).substr(0, 32);
}

}  // namespace waystation::simulator
