#include "tests/simulator/hostile.h"

#include <array>
#include <utility>

#include "crypto/failure.h"
#include "sync/frame.h"

namespace waystation::simulator {
namespace {

using sync::Change;
using sync::Context;

Context covering(const sync::Dot& dot) {
  Context context;
  context.add({dot.replica, dot.counter, {}});
  return context;
}

sync::Write write(const std::string& field, const std::string& value, Context seen = {}) {
  return {field, std::move(seen), value};
}

constexpr std::array<const char*, kAttacks> kNames = {"edits a foreign record",
                                                      "deletes a foreign record",
                                                      "takes custody",
                                                      "opens a scope to all",
                                                      "bears a record twice",
                                                      "bears a child of a foreign root",
                                                      "bears a child of no root",
                                                      "names a foreign root",
                                                      "has seen the future",
                                                      "has seen itself",
                                                      "forges a dot",
                                                      "uses a counter beyond its chain",
                                                      "uses a counter twice",
                                                      "sends a link with another body",
                                                      "writes as another office",
                                                      "signs with another key",
                                                      "lies about its feed",
                                                      "hands in foreign receipts",
                                                      "skips bodies",
                                                      "offers to heal a foreign record",
                                                      "garbles bytes",
                                                      "repeats an old request",
                                                      "writes honestly"};

}  // namespace

std::string nameOf(Attack attack) {
  return kNames.at(static_cast<std::size_t>(attack));
}

HostileLeaf::HostileLeaf(std::string name, std::uint64_t seed)
    : name_(std::move(name)), random_(seed), key_(crypto::SigningKey::generate(random_)) {
  begin();
}

// A new incarnation upon whatever the hub has last let in.
void HostileLeaf::begin() {
  parent_ = head_;
  incarnation_ = random_.next64() | 1U;
  saltKey_ = random_.bytes(16);
  counter_ = 0;
}

Change HostileLeaf::lie(Attack attack, const Victim& victim, const sync::Dot& dot) {
  Change change{dot, 1, "evil@" + name_, {}};
  const sync::RecordId own{dot.replica, dot.counter};
  const sync::Write birth = write("_kind", "\"case_file\"");
  const sync::Write evil = write("status", "\"evil\"");
  const auto edit = [&](const sync::RecordId& record, std::vector<sync::Write> writes) {
    change.edits.push_back({record, std::move(writes)});
  };
  switch (attack) {
    case Attack::kDeletesForeignRecord:
      edit(victim.record, {write("_deleted", "true")});
      break;
    case Attack::kTakesCustody:
      edit(victim.root, {write("_custody", sync::jsonString(name_))});
      break;
    case Attack::kOpensScopeToAll:
      edit(victim.root, {write("_scope", "\"all\"")});
      break;
    case Attack::kBearsARecordTwice:
      edit(victim.record, {birth, evil});
      break;
    case Attack::kBearsAChildOfAForeignRoot:
      edit(own, {birth, write("_root", sync::referenceValue(victim.root)), evil});
      break;
    case Attack::kBearsAChildOfNoRoot:
      edit(own, {birth, write("_root", sync::referenceValue({77, random_.draw()})), evil});
      break;
    case Attack::kNamesAForeignRoot:
      edit(own, {birth, write("person", sync::referenceValue(victim.root))});
      break;
    case Attack::kHasSeenTheFuture:
      edit(own, {birth, write("status", "\"evil\"",
                              covering({victim.lastDot.replica, victim.lastDot.counter + 1000}))});
      break;
    case Attack::kHasSeenItself:
      edit(own, {birth, write("status", "\"evil\"", covering({dot.replica, dot.counter + 9}))});
      break;
    case Attack::kWritesAsAnotherOffice:
      change.author = "evil@" + victim.office;
      edit(own, {birth, evil});
      break;
    case Attack::kEditsForeignRecord:
      edit(offered_.value_or(victim.record), {evil});
      break;
    default:
      edit(own, {birth, evil});
  }
  sync::sortEdits(change);
  return change;
}

std::string HostileLeaf::request(Attack attack, const Victim& victim) {
  if (attack == Attack::kRepeatsAnOldRequest && !lastRequest_.empty()) return lastRequest_;
  sync::Dot dot{incarnation_, counter_ + 1};
  if (attack == Attack::kForgesADot) dot = {victim.lastDot.replica, victim.lastDot.counter + 1};
  if (attack == Attack::kUsesACounterBeyondItsChain) dot.counter += 50;
  if (attack == Attack::kUsesACounterTwice && counter_ > 0) dot.counter = counter_;
  std::vector<Change> changes = {lie(attack, victim, dot)};
  std::string request = signedRequest(attack, changes);
  if (attack == Attack::kHandsInForeignReceipts) {
    request +=
        sync::encodeFrame(sync::FrameType::kReceipts, sync::encodeReceipts({victim.root.bytes()}));
  }
  if (attack == Attack::kOffersToHealAForeignRecord) {
    offered_ = victim.record;  // and edits it when it edits next
    const Change offer{
        victim.lastDot, 1, "evil@" + name_, {{victim.record, {write("status", "\"evil\"")}}}};
    request += sync::encodeFrame(sync::FrameType::kHealing, sync::encodeHealing({offer}));
  }
  if (attack == Attack::kGarblesBytes) {
    for (int i = 0; i < 3; ++i) {
      request[random_.draw() % request.size()] = static_cast<char>(random_.draw());
    }
  }
  lastRequest_ = request;
  return request;
}

std::string HostileLeaf::framesOf(Attack attack, const std::vector<Change>& changes) {
  sync::ChangesFrame frame;
  frame.incarnation = incarnation_;
  frame.firstNumber = counter_ + 1;
  if (attack == Attack::kSendsALinkWithAnotherBody && counter_ > 0) --frame.firstNumber;
  frame.changes = changes;
  std::string hash = counter_ == 0 ? parent_.hash : head_.hash;
  std::vector<std::string> digests;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const std::string salt = sync::chainSalt(saltKey_, frame.firstNumber + i);
    digests.push_back(sync::linkDigest(salt, sync::encodeChange(changes[i])));
    hash = sync::nextChainHash(hash, digests.back());
  }
  counter_ = frame.firstNumber + changes.size() - 1;
  head_ = {{incarnation_, counter_}, hash};
  hashes_[head_.link] = hash;
  const crypto::SigningKey stranger = crypto::SigningKey::generate(random_);
  frame.signature = (attack == Attack::kSignsWithAnotherKey ? stranger : key_)
                        .sign(sync::headToSign(incarnation_, counter_, hash));
  if (attack == Attack::kSkipsBodies) {
    return sync::encodeFrame(
        sync::FrameType::kGone,
        sync::encodeGone({frame.signature, incarnation_, frame.firstNumber, digests}));
  }
  sync::PackedFrameWriter writer;
  writer.changes(frame);
  return writer.take();
}

std::string HostileLeaf::signedRequest(Attack attack, const std::vector<Change>& changes) {
  sync::Hello hello;
  hello.base = {parent_.link.replica, parent_.link.counter,
                parent_.hash.empty() ? std::string(sync::kHashPrefixSize, '\0')
                                     : parent_.hash.substr(0, sync::kHashPrefixSize)};
  hello.clockMs = 1;
  if (attack == Attack::kLiesAboutItsFeed) {
    hello.feed = {random_.draw(), random_.draw() % 1000, std::string(16, '\x01')};
  }
  const std::string notice =
      sync::encodeFrame(sync::FrameType::kIncarnation,
                        sync::encodeIncarnation({incarnation_, parent_.link.replica,
                                                 parent_.link.counter, parent_.hash, saltKey_}));
  const std::string frames = framesOf(attack, changes);
  return sync::encodeFrame(sync::FrameType::kHello, sync::encodeHello(hello)) + notice + frames;
}

// Goes on from where the hub says that it stands; anything that this leaf can't tell begins anew.
void HostileLeaf::learn(const std::string& answer) {
  sync::FrameReader reader;
  reader.add(answer);
  const std::optional<sync::Frame> frame = reader.next();
  if (frame && frame->type == sync::FrameType::kWelcome) {
    const std::optional<sync::Position> received = sync::decodeWelcome(frame->payload).received;
    if (!received) return;
    const sync::Dot link{received->incarnation, received->number};
    if (link == head_.link) return;
    const auto at = hashes_.find(link);
    head_ = at == hashes_.end() ? Link{} : Link{link, at->second};
  } else {
    head_ = parent_;
  }
  begin();
}

}  // namespace waystation::simulator
