#include "sync/frame.h"
#include "tests/simulator/world.h"

namespace waystation::simulator {
namespace {

constexpr std::size_t kUsualBytes = 4 * 1024 * 1024;
constexpr char kTypeOfALaterVersion = 77;

std::size_t bytesWanted(std::int64_t asked) {
  return asked == 0 ? kUsualBytes : static_cast<std::size_t>(asked);
}

// Of the frames that say who vouches for them: an incarnation, links, links without their bodies,
// seals. All the rest stands under the seal of the line alone (TLS).
bool isVouchedFor(sync::FrameType type) {
  return type == sync::FrameType::kIncarnation || type == sync::FrameType::kChanges ||
         type == sync::FrameType::kGone || type == sync::FrameType::kSeal;
}

std::string_view upTo(std::string_view bytes, std::int64_t cut) {
  return cut < 0 ? bytes : bytes.substr(0, static_cast<std::size_t>(cut));
}

bool isCut(std::string_view bytes, std::int64_t cut) {
  return cut >= 0 && static_cast<std::size_t>(cut) < bytes.size();
}

// The same frames as a later version might send them: unknown ones between, and bytes behind the
// fields that this version knows.
std::string strange(const std::string& message, sync::FrameType lengthened) {
  sync::FrameReader reader;
  reader.add(message);
  std::string bytes;
  while (const std::optional<sync::Frame> frame = reader.next()) {
    const bool longer = frame->type == lengthened;
    bytes += sync::encodeFrame(frame->type, longer ? frame->payload + "later" : frame->payload);
    bytes += sync::encodeFrame(static_cast<sync::FrameType>(kTypeOfALaterVersion), "of later");
  }
  return bytes;
}

}  // namespace

// Where the box calls: at its own hub, or as a phone at another office as its guest.
std::int64_t World::hubFor(const Event& event) {
  const bool isPhone = boxes_[std::size_t(event.node)].hub > 0;
  if (!isPhone || event.office < 1 || event.office > settings_.offices ||
      event.office == officeOf(event.node)) {
    return boxes_[std::size_t(event.node)].hub;
  }
  fault("phone at another office");
  testing::TestNode& office = *boxes_[std::size_t(event.office)].node;
  bool isKnown = false;  // an office that was restored may have forgotten it
  {
    const storage::Connections::Lease reader = office.connections().reader();
    isKnown = storage::Store(*reader).leafByName(nameOf(event.node)).has_value();
  }
  if (!isKnown) testing::enrol(office, *boxes_[std::size_t(event.node)].node);
  return event.office;
}

sync::LeafExchange World::leafExchange(std::int64_t leaf, std::int64_t hub, std::int64_t upBytes) {
  testing::TestNode& node = *boxes_[std::size_t(leaf)].node;
  return {node.replica(), node.connections(), node.key(), bytesWanted(upBytes),
          node.nameOfHub(*boxes_[std::size_t(hub)].node)};
}

sync::HubExchange World::hubExchange(std::int64_t leaf, std::int64_t hub) {
  testing::TestNode& node = *boxes_[std::size_t(hub)].node;
  return {node.replica(), node.connections(), nameOf(leaf)};
}

bool World::step(const Event& event, std::int64_t leaf, std::int64_t hub,
                 const std::function<void()>& deed) {
  const std::int64_t victim = event.crashAtHub != 0 ? hub : leaf;
  bool died = false;
  bool ended = false;
  lied_ = false;
  try {
    const Crash crash(*boxes_[std::size_t(victim)].node, event.crashAfter);
    try {
      deed();
      ended = true;
      died = crash.happened();
    } catch (const Failure& failure) {
      died = crash.happened();
      if (!died && lied_) {
        fault("(lie refused)");
      } else if (!died) {
        violated("an exchange fails: " + failure.code(), nameOf(leaf) + ": " + failure.what());
      }
    }
  } catch (const std::exception& error) {
    violated("an exchange ends in an error", nameOf(leaf) + ": " + error.what());
  }
  if (!died) return ended;
  fault(victim == leaf ? "crash of a leaf in an exchange" : "crash of a hub in an exchange");
  restart(victim);
  return false;
}

void World::send(const Event& event) {
  if (event.node == 0) return;
  for (auto& [serial, flight] : flights_) {
    if (flight.box == event.node) flight.leaf.reset();
  }
  Flight flight;
  flight.box = event.node;
  flight.at = hubFor(event);
  flight.leaf.reset(new sync::LeafExchange(leafExchange(event.node, flight.at, event.upBytes)));
  const bool sent =
      step(event, event.node, flight.at, [&] { flight.request = flight.leaf->request(); });
  if (!sent) return;
  if (event.strange != 0) {
    fault("later version");
    flight.request = strange(flight.request, sync::FrameType::kHello);
  }
  trace_.update(flight.request);
  flights_[event.serial] = std::move(flight);
}

void World::exchange(const Event& event) {
  send(event);
  arrive(event, event.serial);
}

// The hub begins to read a request of which the rest is still on its way.
void World::part(const Event& event) {
  const auto at = flights_.find(event.page);
  if (at == flights_.end() || at->second.hub || at->second.box != event.node) return;
  Flight& flight = at->second;
  fault("request in parts");
  flight.delivered = upTo(flight.request, event.cutUp).size();
  const bool taken = step(event, flight.box, flight.at, [&] {
    flight.hub.reset(new sync::HubExchange(hubExchange(flight.box, flight.at)));
    flight.hub->receive(std::string_view(flight.request).substr(0, flight.delivered));
  });
  if (!taken) flights_.erase(event.page);
}

void World::arrive(const Event& event, std::int64_t number) {
  const auto at = flights_.find(number);
  if (at == flights_.end() || at->second.box != event.node) return;
  Flight flight = std::move(at->second);
  flights_.erase(at);
  if (!flight.leaf) fault("late request");
  const bool again = event.repeat != 0;
  Flight second;
  if (again) second = {flight.box, flight.at, flight.request, nullptr, nullptr, 0};
  deliver(flight, event);
  if (!again) return;
  fault("repeated request");
  deliver(second, Event{});
}

// One bit of what its sender vouches for is turned round.
std::string World::onItsWay(const std::string& request, std::int64_t lie) {
  sync::FrameReader reader;
  reader.add(request);
  std::vector<sync::Frame> frames;
  std::size_t bits = 0;
  while (std::optional<sync::Frame> frame = reader.next()) {
    if (isVouchedFor(frame->type)) bits += 8 * frame->payload.size();
    frames.push_back(std::move(*frame));
  }
  if (bits == 0) return request;
  fault("lie in a request");
  lied_ = true;
  std::size_t bit = static_cast<std::size_t>(lie) % bits;
  std::string told;
  for (sync::Frame& frame : frames) {
    const std::size_t here = isVouchedFor(frame.type) ? 8 * frame.payload.size() : 0;
    if (bit < here) {
      frame.payload[bit / 8] = static_cast<char>(frame.payload[bit / 8] ^ (1 << bit % 8));
      bit = SIZE_MAX;  // and nothing else
    }
    bit -= here;
    told += sync::encodeFrame(frame.type, frame.payload);
  }
  return told;
}

std::string World::answerOf(Flight& flight, const Event& event) {
  if (event.lie != 0 && !flight.hub) flight.request = onItsWay(flight.request, event.lie);
  if (!flight.hub) flight.hub.reset(new sync::HubExchange(hubExchange(flight.box, flight.at)));
  const std::string_view rest = std::string_view(flight.request).substr(flight.delivered);
  flight.hub->receive(upTo(rest, event.cutUp));
  if (isCut(rest, event.cutUp)) {
    fault("request cut");
    return {};
  }
  std::string answer = flight.hub->answer(bytesWanted(event.downBytes));
  if (event.strange != 0) answer = strange(answer, sync::FrameType::kWelcome);
  return answer;
}

void World::deliver(Flight& flight, const Event& event) {
  std::string answer;
  const bool answered =
      step(event, flight.box, flight.at, [&] { answer = answerOf(flight, event); }) &&
      !answer.empty();
  flight.hub.reset();
  if (!answered) return;
  trace_.update(answer);
  std::string& last = lastAnswers_[{flight.box, flight.at}];
  const bool isStale = event.stale != 0 && !last.empty();
  if (isStale) {
    fault("older answer");
    std::swap(last, answer);
  } else {
    last = answer;
  }
  const bool isGuest = flight.at != boxes_[std::size_t(flight.box)].hub;
  checkFed(isGuest ? kNobody : officeOf(flight.box), nameOf(flight.box), answer);
  if (!flight.leaf) return;
  if (event.cutDown == 0) fault("answer lost");
  if (event.cutDown > 0 && isCut(answer, event.cutDown)) fault("answer cut");
  step(event, flight.box, flight.at, [&] {
    lied_ = isStale;
    flight.leaf->receive(upTo(answer, event.cutDown));
    if (!isCut(answer, event.cutDown)) noteOutcome(flight.box, flight.leaf->finish());
  });
}

// Nothing is sent of a root that was never meant for the one who asks, whatever the leaf would make
// of it.
void World::checkFed(std::int64_t holder, const std::string& name, const std::string& answer) {
  sync::FrameReader frames;
  sync::PackedFrameReader unpack;
  frames.add(answer);
  const auto check = [&](const sync::RecordId& id) {
    const auto label = labelOf_.find(id);
    if (label == labelOf_.end() || grants_.everMeant(holder, rootOf(label->second))) return;
    violated("an office is sent what it may not have", name + ": " + std::to_string(label->second));
  };
  while (const std::optional<sync::Frame> frame = frames.next()) {
    if (frame->type != sync::FrameType::kFeed) continue;
    for (const sync::FeedItem& item : unpack.feed(frame->payload).items) {
      for (const sync::Change& change : item.changes) {
        for (const sync::Edit& edit : change.edits) check(edit.record);
      }
    }
  }
}

void World::noteOutcome(std::int64_t box, const sync::ExchangeOutcome& outcome) {
  if (outcome.rewound) fault("(rewound)");
  // What a restored hub lost of its own writes stands at its leaves: found, and mended.
  bool hubWasRestored = false;
  for (std::int64_t hub = boxes_[std::size_t(box)].hub; hub >= 0;
       hub = boxes_[std::size_t(hub)].hub) {
    hubWasRestored = hubWasRestored || boxes_[std::size_t(hub)].wasRestored;
  }
  if (hubWasRestored) {
    if (outcome.healing.any()) fault("(mended)");
    return;
  }
  if (outcome.healing.any()) {
    violated("something had to be mended", nameOf(box) + " and its hub held different records");
  }
  if (outcome.agreement == sync::Agreement::kDiffer) {
    violated("digests differ", nameOf(box) + " and its hub hold different records");
  }
}

}  // namespace waystation::simulator
