#include "tests/simulator/author.h"

namespace waystation::simulator {
namespace {

constexpr std::int64_t kEventsOfAnOfficeDay = 6;
constexpr std::int64_t kEventsOfAPhoneDay = 2;
constexpr std::int64_t kTenYearsMs = 3650 * kDayMs;
// Of more offices than these each has its own records and shares some of them with a few others,
// as offices do, and seldom writes to what everybody sees; of fewer, everybody meets everybody.
constexpr int kOfficesThatAllMeet = 10;
constexpr std::int64_t kHoldersCountedEvery = 500;  // events

}  // namespace

Author::Author(const Settings& settings)
    : settings_(settings), random_(settings.seed * 0x9E3779B97F4A7C15ULL + 7) {
  length_ = settings.days *
            (settings_.offices * kEventsOfAnOfficeDay + settings_.phones * kEventsOfAPhoneDay);
  const auto sometimes = [&](int most) {
    return static_cast<int>(chance(60) ? draw(most + 1) : 0);
  };
  const auto add = [&](int weight, Maker maker) {
    if (weight > 0) makers_.emplace_back(weight, maker);
    weights_ += weight;
  };
  add(12, &Author::creation);
  add(12, &Author::reading);
  add(40, &Author::saving);
  add(30, &Author::exchanging);
  add(sometimes(6), &Author::deleting);
  add(sometimes(8), &Author::handingOver);
  add(sometimes(10), &Author::sending);
  add(12, &Author::arriving);
  add(sometimes(5), &Author::restarting);
  if (const int restores = sometimes(3); restores > 0) {
    add(3, &Author::copying);
    add(restores, &Author::restoring);
  }
  add(sometimes(3), &Author::jumping);
  // Not yet where hubs of phones go backwards: docs/spec/sync.md, section 14.
  const bool isBearable = !settings.backwards || settings.phones == 0;
  if (isBearable) add(sometimes(2), &Author::erasing);
  if (settings.backwards) add(sometimes(1), &Author::cloning);
  if (settings.backwards && isBearable) add(sometimes(1), &Author::failingOver);
  if (settings.hostile > 0) add(20, &Author::attacking);
  cuts_ = sometimes(50);
  crashes_ = sometimes(15);
  repeats_ = sometimes(20);
  strangers_ = sometimes(20);
  smallFrames_ = sometimes(50);
  if (isBearable) lies_ = sometimes(10);
  if (settings.roaming) roams_ = sometimes(40);
}

std::int64_t Author::draw(std::int64_t below) {
  return below <= 0 ? 0 : static_cast<std::int64_t>(random_.draw() % std::uint64_t(below));
}

std::int64_t Author::anybody(World& world) {
  return chance(15) ? 0 : 1 + draw(world.boxes() - 1);
}

// Mostly its own hub (0), for a phone on the road another office.
std::int64_t Author::placeToCall(std::int64_t box) {
  return box > settings_.offices && chance(roams_) ? anyOffice() : 0;
}

// Some record that the box holds; mostly a young one, so that people meet. 0: none was found.
std::int64_t Author::someRecord(World& world, std::int64_t box, bool rootsOnly) {
  const bool isLarge = settings_.offices > kOfficesThatAllMeet;
  const bool amongOwn = isLarge && box != 0;
  std::vector<std::int64_t> own = amongOwn ? world.recordsAt(box) : std::vector<std::int64_t>{};
  const bool amongAll = !isLarge || chance(2);
  if (!amongAll) std::erase_if(own, [&](std::int64_t one) { return world.isWithMany(one); });
  const std::vector<std::int64_t>& all = amongOwn ? own : world.records();
  if (all.empty()) return 0;
  const auto size = static_cast<std::int64_t>(all.size());
  for (int i = 0; i < 4; ++i) {
    const std::int64_t near = std::min(size, 2 + 2 * world.boxes());
    const std::int64_t at = chance(70) ? size - 1 - draw(near) : draw(size);
    const std::int64_t record = all[std::size_t(at)];
    if (rootsOnly && world.rootOf(record) != record) continue;
    if (!amongAll && world.isWithMany(record)) continue;
    if (world.holds(box, record)) return record;
  }
  return 0;
}

// A hub goes back in time only where the story is about that.
std::int64_t Author::anyToRestore(World& world) {
  if (settings_.backwards) return chance(20) ? 0 : 1 + draw(world.boxes() - 1);
  const std::int64_t hubs =
      settings_.phones > 0 ? 1 + std::min(settings_.offices, settings_.phones) : 1;
  return hubs < world.boxes() ? hubs + draw(world.boxes() - hubs) : 0;
}

// After few steps or after many: both ends of a transaction are met.
std::int64_t Author::crashPoint() {
  return 1 + draw(std::int64_t{1} << draw(15));
}

// A bit for each office that shares a root of headquarters; -1: all.
std::int64_t Author::someScope() {
  if (settings_.offices <= kOfficesThatAllMeet) {
    return chance(50) ? -1 : 2 * draw(std::int64_t{1} << settings_.offices);
  }
  if (chance(2)) return -1;
  const std::int64_t named = std::min<std::int64_t>(settings_.offices, 59);
  return std::int64_t{1} << (1 + draw(named)) | std::int64_t{1} << (1 + draw(named));
}

Event Author::next(World& world) {
  const bool isLarge = settings_.offices > kOfficesThatAllMeet;
  if (isLarge && serial_ % kHoldersCountedEvery == 0) world.countHolders();
  while (true) {
    std::int64_t at = draw(weights_);
    std::size_t chosen = 0;
    while (at >= makers_[chosen].first) at -= makers_[chosen++].first;
    std::optional<Event> event = (this->*makers_[chosen].second)(world);
    if (!event) continue;
    event->serial = ++serial_;
    event->afterMs = draw(2 * settings_.days * kDayMs / std::max<std::int64_t>(length_, 1));
    return *event;
  }
}

std::optional<Event> Author::creation(World& world) {
  Event event;
  event.kind = EventKind::kCreate;
  event.node = anybody(world);
  event.fields = draw(16);
  if (chance(30)) event.root = someRecord(world, event.node, false);
  if (chance(30)) event.names = someRecord(world, event.node, false);
  if (event.node == 0 && event.root == 0) {
    event.office = anyOffice();
    if (chance(50)) event.scope = someScope();
  }
  if (chance(crashes_)) event.crashAfter = crashPoint();
  return event;
}

std::optional<Event> Author::reading(World& world) {
  Event event;
  event.kind = EventKind::kRead;
  event.node = anybody(world);
  event.record = someRecord(world, event.node, false);
  if (event.record == 0) return std::nullopt;
  return event;
}

std::optional<Event> Author::saving(World& world) {
  Event event;
  event.kind = EventKind::kSave;
  event.node = anybody(world);
  event.record = someRecord(world, event.node, false);
  if (event.record == 0) return std::nullopt;
  event.field = draw(std::int64_t(kFields.size()));
  const std::deque<std::int64_t>& pages = world.pages(event.node, event.record);
  if (pages.empty() && chance(70)) {  // opens it first
    event.kind = EventKind::kRead;
    return event;
  }
  if (!pages.empty() && !chance(10)) {
    event.page = chance(60) ? pages.back() : pages[std::size_t(draw(std::int64_t(pages.size())))];
  }
  if (chance(15)) event.value = 1 + draw(2);
  if (chance(15)) event.second = someRecord(world, event.node, false);
  if (chance(crashes_)) event.crashAfter = crashPoint();
  return event;
}

std::optional<Event> Author::deleting(World& world) {
  std::optional<Event> event = saving(world);
  if (!event || event->kind != EventKind::kSave) return event;
  event->kind = EventKind::kDelete;
  event->field = event->second = 0;
  event->value = draw(2);
  return event;
}

std::optional<Event> Author::handingOver(World& world) {
  Event event;
  event.kind = EventKind::kHandOver;
  event.record = someRecord(world, 0, true);
  if (event.record == 0) return std::nullopt;
  event.office = anyOffice();
  return event;
}

// What can go wrong with bytes on their way and with both ends.
void Author::spoil(Event& event) {
  if (chance(smallFrames_)) event.upBytes = 1 + draw(2000);
  if (chance(smallFrames_)) event.downBytes = 1 + draw(2000);
  const std::int64_t reach = chance(50) ? 200 : 3000;
  if (chance(cuts_)) (chance(50) ? event.cutUp : event.cutDown) = draw(reach);
  if (chance(cuts_ / 4)) event.cutDown = 0;
  if (chance(repeats_)) event.repeat = 1;
  if (chance(strangers_)) event.strange = 1;
  if (lies_ > 0 && chance(lies_)) event.lie = 1 + draw(std::int64_t{1} << 30);
  if (lies_ > 0 && chance(lies_)) event.stale = 1;
  if (chance(crashes_)) {
    event.crashAfter = crashPoint();
    event.crashAtHub = draw(2);
  }
}

std::optional<Event> Author::exchanging(World& world) {
  Event event;
  event.kind = EventKind::kExchange;
  event.node = 1 + draw(world.boxes() - 1);
  event.office = placeToCall(event.node);
  spoil(event);
  return event;
}

std::optional<Event> Author::sending(World& world) {
  Event event;
  event.kind = EventKind::kSend;
  event.node = 1 + draw(world.boxes() - 1);
  event.office = placeToCall(event.node);
  if (chance(smallFrames_)) event.upBytes = 1 + draw(2000);
  return event;
}

std::optional<Event> Author::arriving(World& world) {
  Event event;
  event.node = 1 + draw(world.boxes() - 1);
  event.page = world.underWay(event.node);
  if (event.page == 0) return std::nullopt;
  event.kind = EventKind::kArrive;
  if (chance(20)) {
    event.kind = EventKind::kPart;
    event.cutUp = draw(1000);
    return event;
  }
  spoil(event);
  return event;
}

std::optional<Event> Author::restarting(World& world) {
  Event event;
  event.kind = EventKind::kRestart;
  event.node = anybody(world);
  return event;
}

std::optional<Event> Author::copying(World& world) {
  Event event;
  event.kind = EventKind::kCopy;
  event.node = anyToRestore(world);
  return event;
}

std::optional<Event> Author::restoring(World& world) {
  Event event;
  event.kind = EventKind::kRestore;
  event.node = anyToRestore(world);
  const std::vector<std::int64_t>& copies = world.copies(event.node);
  if (copies.empty()) return std::nullopt;
  event.page = copies[std::size_t(draw(std::int64_t(copies.size())))];
  if (lies_ > 0)
    event.value = draw(2);  // 1: the list of erasures beside the store is lost with the disk
  return event;
}

std::optional<Event> Author::erasing(World& world) {
  Event event;
  event.kind = EventKind::kErase;
  event.record = someRecord(world, 0, chance(30));
  if (event.record == 0) return std::nullopt;
  if (chance(crashes_)) event.crashAfter = crashPoint();
  return event;
}

std::optional<Event> Author::failingOver(World& world) {
  Event event;
  event.kind = EventKind::kFailover;
  if (world.copies(0).empty()) return std::nullopt;
  event.page = world.copies(0).back();
  return event;
}

std::optional<Event> Author::cloning(World& world) {
  Event event;
  event.kind = EventKind::kClone;
  event.node = 1 + draw(settings_.offices + settings_.phones);
  if (world.boxes() > 2 * (1 + settings_.offices + settings_.phones)) return std::nullopt;
  return event;
}

std::optional<Event> Author::attacking(World& world) {
  Event event;
  event.kind = EventKind::kAttack;
  event.office = draw(settings_.hostile);
  event.amount = chance(20) ? kAttacks - 1 : draw(kAttacks);
  event.record = someRecord(world, 0, false);
  if (event.record == 0) return std::nullopt;
  return event;
}

std::optional<Event> Author::jumping(World& world) {
  Event event;
  event.kind = EventKind::kClock;
  event.node = anybody(world);
  const std::int64_t far = chance(30) ? kTenYearsMs : kDayMs;
  event.amount = draw(2 * far) - far;
  return event;
}

}  // namespace waystation::simulator
