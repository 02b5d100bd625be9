// Whose change it is that a leaf sends, and what becomes of it: joined, carried on, or kept aside.

#include <algorithm>
#include <utility>

#include "crypto/failure.h"
#include "sync/admission.h"
#include "sync/custody.h"
#include "sync/held.h"
#include "sync/hub.h"
#include "sync/quarantine.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

[[noreturn]] void notSealed(const char* what) {
  throw Failure("sync.signature", std::string("The changes received ") + what +
                                      ". They were not applied; enrol the device again.");
}

constexpr const char* kUnknownAuthor = "author-is-unknown";

bool bears(const storage::DeviceRow& device, const CarriedSeals::Proof& proof) {
  return isSealedBy(proof.seal, device.publicKey);
}

// An incarnation stays with the device that was first heard of under it. But an office that was
// restored seals what its phones had lent it back, and so the two are heard of under one.
bool mayWriteUnder(storage::Store& store, ReplicaId replica, const storage::DeviceRow& device) {
  const std::string owner = store.claimReplica(replica, device.name);
  if (owner == device.name) return true;
  if (!device.home.empty()) return owner == device.home && !store.chainNumber(replica);
  const std::vector<storage::DeviceRow> owners = store.devicesNamed(owner);
  return std::any_of(owners.begin(), owners.end(),
                     [&](const auto& row) { return row.home == device.name; });
}

void countLate(Work& work, const Change& change) {
  static_cast<void>(withoutErased(work, change));
}

}  // namespace

// How a change has come.
struct HubExchange::Arrival {
  storage::LeafRow carrier;
  Dot link;               // where it stands in the carrier's chain
  bool isItsOwn = false;  // else another device has made it
  std::optional<CarriedSeals::Proof> proof;
  bool isAhead = false;  // a copy: its link is still to come
};

// A change by the node below that made it, which is not always the one that sends it.
struct HubExchange::Origin {
  storage::LeafRow leaf;  // whose scope it is judged by
  Passage passage;
  bool carry = false;  // not for this hub to judge: it goes up as it is
  std::optional<CarriedSeals::Proof> proof;
  std::optional<std::string> refusal;
};

// What a leaf says of the nodes below it. A name that another leaf has, or has announced, stays
// that other's: who wants to speak under it is not believed.
void HubExchange::subtree(const std::vector<storage::DeviceRow>& devices) {
  if (isOldBundle()) return;
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  storage::Store& store = work.store();
  leaf_ = store.leafByName(leaf_.name).value_or(leaf_);
  const std::vector<std::string> before = leaf_.offices;
  leaf_.offices.clear();
  for (storage::DeviceRow device : devices) {
    const std::vector<storage::DeviceRow> known = store.devicesNamed(device.name);
    const bool isTaken = store.leafByName(device.name).has_value() ||
                         std::any_of(known.begin(), known.end(),
                                     [&](const auto& other) { return other.leaf != leaf_.leaf; });
    if (isTaken || device.name == replica_.node()) continue;
    device.leaf = leaf_.leaf;
    store.putDevice(device);
    if (device.home.empty()) leaf_.offices.push_back(device.name);
  }
  store.putLeaf(leaf_);
  if (leaf_.offices != before) refillFeed(work, leaf_);
  letInAnnounced(work, devices);
  work.commit();
}

// What one of these devices had signed came before it was announced, by whoever carried it.
void HubExchange::letInAnnounced(Work& work, const std::vector<storage::DeviceRow>& devices) {
  storage::Store& store = work.store();
  for (const storage::QuarantineRow& row : store.quarantineFor(kUnknownAuthor)) {
    const std::optional<storage::SealRow> seal = store.seal(row.proof.seal);
    const bool isTheirs = seal && std::any_of(devices.begin(), devices.end(), [&](const auto& one) {
                            return one.name == seal->signer;
                          });
    const std::optional<storage::LeafRow> carrier = store.leafByName(row.leaf);
    if (!isTheirs || !carrier) continue;
    store.removeQuarantine(row.id);
    Arrival arrival{*carrier, {row.linkReplica, row.linkNumber}, false, {}};
    arrival.proof = {*seal, row.proof.position, row.proof.salt};
    letIn(work, arrival, decodeChange(row.body), row.body);
  }
  changesIn_ += letInAwaited(work, admitted_);
}

std::optional<HubExchange::FrameSeal> HubExchange::takeSeal(const ChangesFrame& frame) {
  const std::optional<SealNotice> notice = std::exchange(seal_, std::nullopt);
  if (!notice) return std::nullopt;
  FrameSeal seal{SealMaker(notice->seed), notice->signature};
  for (const Change& change : frame.changes) {
    if (change.dot.replica == frame.incarnation) seal.maker.add(encodeChange(change));
  }
  if (!seal.maker.isSignedBy(leaf_.publicKey, notice->signature)) {
    notSealed("bear another device's signature");
  }
  return seal;
}

// The leaf whose scope holds for an office's changes. In the middle of the tree there may be none:
// that is for a hub further up.
void HubExchange::judgeBy(storage::Store& store, const storage::LeafRow& carrier,
                          const std::string& office, Origin& origin) {
  if (standsFor(carrier, office) && !isGuest(carrier, replica_.node())) return;
  origin.passage.roundabout = true;
  for (storage::LeafRow& leaf : store.leaves()) {
    if (!leaf.home.empty() || !standsFor(leaf, office)) continue;
    origin.leaf = std::move(leaf);
    return;
  }
  origin.carry = replica_.hasHub();
  if (!origin.carry) origin.refusal = "author-is-foreign";
}

// Of a change that another device made and sealed.
HubExchange::Origin HubExchange::originOf(Work& work, const Arrival& arrival,
                                          const Change& change) {
  storage::Store& store = work.store();
  Origin origin{arrival.carrier, {}, false, arrival.proof, {}};
  if (!origin.proof) {
    origin.refusal = "replica-is-foreign";  // nothing proves whose it is
    return origin;
  }
  const std::string& signer = origin.proof->seal.signer;
  std::vector<storage::DeviceRow> known = store.devicesNamed(signer);
  const std::optional<storage::LeafRow> direct = store.leafByName(signer);
  if (direct) known.push_back({direct->name, direct->publicKey, direct->home, direct->leaf});
  const auto device = std::find_if(known.begin(), known.end(), [&](const auto& candidate) {
    return bears(candidate, *origin.proof);
  });
  if (device == known.end()) {
    origin.carry = replica_.hasHub() && known.empty();
    if (!origin.carry) origin.refusal = known.empty() ? kUnknownAuthor : "signature-is-forged";
    return origin;
  }
  const std::string office = device->home.empty() ? device->name : device->home;
  if (!mayWriteUnder(store, change.dot.replica, *device)) {
    origin.refusal = "replica-is-foreign";
  } else if (officeOf(change.author) != office) {
    origin.refusal = "author-is-foreign";
  } else if (direct && !isGuest(*direct, replica_.node())) {
    origin.leaf = *direct;
    origin.passage.roundabout = direct->leaf != arrival.carrier.leaf;
  } else {
    judgeBy(store, arrival.carrier, office, origin);
  }
  return origin;
}

// Proofs are kept for what goes further up and for what waits; what the root has let in is its own.
storage::SealedRow HubExchange::kept(storage::Store& store, const CarriedSeals::Proof& proof) {
  auto row = keptSeals_.find(proof.seal.signature);
  if (row == keptSeals_.end()) {
    row = keptSeals_.emplace(proof.seal.signature, store.addSeal(proof.seal)).first;
  }
  return {row->second, proof.position, proof.salt};
}

// The leaf may have said it once, before this hub was restored: a rewind makes it say so again. Of
// what it carries for another office's phone it could say no more.
void HubExchange::askForDevices(storage::Store& store, const storage::LeafRow& carrier,
                                std::string_view office) {
  const std::vector<storage::LeafRow> leaves = store.leaves();
  const bool isAnothers = std::any_of(leaves.begin(), leaves.end(), [&](const auto& leaf) {
    return leaf.leaf != carrier.leaf && leaf.home.empty() && standsFor(leaf, office);
  });
  lacksDevices_ = lacksDevices_ || !isAnothers;
}

// Whoever brings its own office's change has joined it. Where the root went elsewhere meanwhile,
// the leaf may have answered for that before the change came to it.
void HubExchange::leaveWhatIsNotTheirs(Work& work, const storage::LeafRow& carrier,
                                       const Change& change) {
  storage::Store& store = work.store();
  if (isGuest(carrier, replica_.node()) || !standsFor(carrier, officeOf(change.author))) return;
  for (const Edit& edit : change.edits) {
    const std::optional<storage::RecordRow> row = store.record(edit.record.bytes());
    if (row) tellToLeave(work, carrier.leaf, row->root);
  }
}

// A change of the leaf's own, or one that it carries.
void HubExchange::take(Work& work, const Dot& link, const Change& change, std::string_view body,
                       const std::optional<FrameSeal>& seal) {
  Arrival arrival{leaf_, link, change.dot.replica == link.replica, {}};
  if (!arrival.isItsOwn) {
    arrival.proof = carriedSeals_.proofOf(change.dot, body);
  } else if (seal) {
    arrival.proof = {{leaf_.name, seal->signature, seal->maker.digests()},
                     seal->position,
                     seal->maker.salt(seal->position)};
  } else if (replica_.hasHub()) {
    notSealed("are not signed one by one, so they could go no further than this office");
  }
  letIn(work, arrival, change, body);
}

// Copies of a leaf's own changes, before their turn. What may not come in, or not yet, is judged
// when its turn has come, and nothing is kept of it here.
void HubExchange::ahead(const std::vector<Change>& copies) {
  if (rewind_ || replica_.hasHub() || isGuest(leaf_, replica_.node())) return;
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  for (const Change& change : copies) {
    if (work.store().claimReplica(change.dot.replica, leaf_.name) != leaf_.name) continue;
    letIn(work, {leaf_, change.dot, true, {}, true}, change, encodeChange(change));
  }
  changesIn_ += letInAwaited(work, admitted_);
  work.commit();
}

// Of what was erased nothing comes in, nor is it kept aside: the link stands by its digest. A birth
// by which the next hub learns what else is erased goes on to it, and is gone from here then.
void HubExchange::letIn(Work& work, const Arrival& arrival, const Change& received,
                        std::string_view whole) {
  storage::Store& store = work.store();
  const Change change = leftOf(store, received);
  const bool isGone = change.edits.empty();
  if (isGone && !(replica_.hasHub() && bearsErased(store, received))) {
    countLate(work, received);
    return;
  }
  const std::string body = encodeChange(change);
  const bool isItsOwn = arrival.isItsOwn;
  const storage::LeafRow& carrier = arrival.carrier;
  Origin origin{carrier, {}, false, arrival.proof, {}};
  if (!isItsOwn) {
    origin = originOf(work, arrival, change);
  } else if (isGuest(carrier, replica_.node())) {
    judgeBy(store, carrier, carrier.home, origin);
  }
  // What a leaf sends of its own is whole; what it carries may be a part.
  const Held held = isItsOwn ? heldOf(store, change) : heldOfPart(store, change);
  if (held == Held::kWhole) {  // it came another way
    store.dropQuarantined(body);
    leaveWhatIsNotTheirs(work, carrier, change);
    return;
  }
  if (held == Held::kOther && !origin.refusal) origin.refusal = "dot-is-used";
  const Dot under = isItsOwn ? arrival.link : change.dot;
  Judgement judgement{origin.refusal.value_or(""), std::nullopt};
  if (judgement.reason == kUnknownAuthor) {
    judgement.awaited = Awaited{};  // its announcement
    askForDevices(store, carrier, officeOf(change.author));
  }
  if (judgement.letsIn() && !origin.carry) judgement = judge(work, origin.leaf, under, change);
  if (!judgement.letsIn() && arrival.isAhead) return;
  origin.carry = origin.carry || isGone;
  if (!judgement.letsIn() || origin.carry) countLate(work, received);
  if (!judgement.letsIn() && isGone) return;
  if (!judgement.letsIn()) {
    const bool isWhole = origin.proof && body == whole;
    keepAside(work, carrier, under, change, judgement,
              isWhole ? kept(store, *origin.proof) : storage::SealedRow{});
    ++quarantined_;
    return;
  }
  origin.passage.sealed = origin.proof.has_value() && replica_.hasHub();
  const std::int64_t seq = origin.carry ? work.carry(origin.passage.sealed ? received : change)
                                        : work.apply(received, origin.leaf.leaf, origin.passage);
  store.dropQuarantined(body);
  if (seq != 0 && origin.passage.sealed) {
    store.putSealed(seq, kept(store, *origin.proof));
    // Its seal is over the whole: what was erased of it goes once the hub has it.
    if (body != whole) store.addErasureWaiting(seq);
  }
  if (!replica_.hasHub()) flagLate(work, origin.leaf, change);
  ++changesIn_;
  if (admitted_ && !origin.carry) admitted_(work, origin.leaf, change);
}

}  // namespace waystation::sync
