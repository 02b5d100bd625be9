// held?: varint(#) (dot replica(8) varint(counter) hash(8))*; held: varint(#).

#include "sync/reissue.h"

#include <set>
#include <utility>

#include "crypto/hash.h"
#include "storage/file_deliveries.h"
#include "storage/renamed_rows.h"
#include "sync/byte_stream.h"
#include "sync/file_record.h"
#include "sync/frame.h"
#include "sync/leaf.h"
#include "sync/renaming.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

constexpr int kMostAsked = 20'000;  // each takes some 20 bytes: one frame
constexpr std::size_t kBodyHashSize = 8;
constexpr std::size_t kLeastBytesOfDot = 8 + 1 + kBodyHashSize;
constexpr int kLinksAtOnce = 500;
// In `meta`, until the bytes of files have their new names: (from(16) to(16))*.
constexpr std::string_view kRenamedKey = "reissue.renamed";

std::string hashOf(std::string_view body) {
  return std::string(crypto::view(crypto::Sha256().update(body).finish()).substr(0, kBodyHashSize));
}

std::vector<storage::UpwardRow> linksAfter(storage::Store& store, std::int64_t seq) {
  std::vector<storage::UpwardRow> all;
  while (true) {
    const std::vector<storage::UpwardRow> some = store.upwardAfter(seq, kLinksAtOnce);
    if (some.empty()) return all;
    all.insert(all.end(), some.begin(), some.end());
    seq = some.back().seq;
  }
}

}  // namespace

bool saysOtherHistory(std::string_view code) {
  return code == "sync.forked" || code == "sync.chain-broken";
}

std::string HistoryQuestion::request() {
  const storage::Connections::Lease reader = connections_.reader();
  storage::Store store(*reader);
  const LeafState state = readLeafState(store);
  ByteWriter dots;
  for (const storage::UpwardRow& link : linksAfter(store, state.acknowledgedSeq)) {
    const std::optional<storage::JournalRow> entry = store.journal(link.seq);
    if (!entry || link.salt.empty() || entry->replica != link.incarnation) continue;
    if (asked_.size() == kMostAsked) break;
    asked_.push_back(link.seq);
    dots.fixed64(entry->replica);
    dots.varint(entry->counter);
    dots.raw(hashOf(entry->body));
  }
  ByteWriter payload;
  payload.varint(asked_.size());
  payload.raw(dots.bytes());
  Hello hello;
  hello.base = state.acknowledged;
  hello.feed = state.feed;
  hello.clockMs = replica_.clock().nowMs();
  return encodeFrame(FrameType::kHello, encodeHello(hello)) +
         encodeFrame(FrameType::kHeldAsked, payload.bytes());
}

std::string heldUpTo(storage::Store& store, std::int64_t leaf, std::string_view asked) {
  ByteReader reader(asked);
  const std::size_t count = reader.count(kLeastBytesOfDot);
  std::size_t held = 0;
  bool isOther = false;
  for (std::size_t i = 1; i <= count; ++i) {
    const ReplicaId replica = reader.fixed64();
    const std::uint64_t counter = reader.varint();
    const std::string_view hash = reader.raw(kBodyHashSize);
    if (!store.chain(leaf, replica)) continue;
    bool isSame = false;
    for (const storage::JournalRow& row : store.journalOfDot(replica, counter)) {
      isSame = isSame || hashOf(row.body) == hash;
      isOther = isOther || !isSame;
    }
    if (isSame && !isOther) held = i;
  }
  reader.expectEnd();
  ByteWriter writer;
  writer.varint(held);
  return encodeFrame(FrameType::kHeldUpTo, writer.bytes());
}

std::optional<std::size_t> HistoryQuestion::settle(std::string_view answer) {
  FrameReader frames;
  frames.add(answer);
  while (const std::optional<Frame> frame = frames.next()) {
    if (frame->type != FrameType::kHeldUpTo) continue;
    const std::uint64_t held = ByteReader(frame->payload).varint();
    const storage::Connections::Lease writer = connections_.writer();
    std::size_t count = 0;
    {
      Work work(replica_, *writer);
      const std::int64_t lastHeld = held == 0 || held > asked_.size()
                                        ? readLeafState(work.store()).acknowledgedSeq
                                        : asked_[held - 1];
      count = work.reissue(lastHeld);
      work.commit();
    }
    storage::Store store(*writer);
    finishReissue(replica_, store);
    return count;
  }
  return std::nullopt;
}

void finishReissue(Replica& replica, storage::Store& store) {
  const std::optional<std::string> renamed = store.meta(kRenamedKey);
  if (!renamed || renamed->empty()) return;
  if (replica.files() != nullptr) {
    const storage::Connections::Lease files = replica.files()->writer();
    storage::Transaction transaction(*files);
    storage::FileDeliveries deliveries(*files);
    ByteReader reader(*renamed);
    while (!reader.atEnd()) {
      const RecordId from = RecordId::fromBytes(reader.raw(16));
      const RecordId to = RecordId::fromBytes(reader.raw(16));
      for (const FilePart part : {FilePart::kContent, FilePart::kThumbnail}) {
        const std::string name = storedName({from, part});
        if (deliveries.find(name)) deliveries.rename(name, storedName({to, part}), rankOf(part));
      }
    }
    transaction.commit();
  }
  storage::Transaction transaction(store.database());
  store.setMeta(kRenamedKey, "");
  transaction.commit();
}

// The same process goes on, as if it had been started anew behind the link of `lastHeldSeq`.
std::size_t Work::reissue(std::int64_t lastHeldSeq) {
  const std::vector<storage::UpwardRow> links = linksAfter(store_, lastHeldSeq);
  state_.incarnation = replica_.random_.next64() | 1U;
  state_.saltKey = replica_.random_.bytes(kSaltSize);
  Renaming renaming(state_.incarnation);
  for (const storage::UpwardRow& link : links) {
    const std::optional<storage::JournalRow> entry = store_.journal(link.seq);
    if (entry && entry->replica == link.incarnation) renaming.add(decodeChange(entry->body));
  }
  state_.lastCounter = renaming.lastCounter();
  state_.lastRecord = renaming.lastRecord();
  store_.claimReplica(state_.incarnation, replica_.node());
  chainAnew(links, renaming);
  renameRecords(renaming);
  return static_cast<std::size_t>(renaming.lastCounter());
}

// What is only carried keeps its author's dot. Links whose bodies went with their records go.
void Work::chainAnew(const std::vector<storage::UpwardRow>& links, const Renaming& renaming) {
  storage::RenamedRows rows(store_);
  const std::int64_t none = store_.lastJournalSeq() + 1;
  const auto head = rows.cutUpward(links.empty() ? none : links.front().seq);
  state_.head = head ? ChainHead{head->incarnation, head->number, head->hash} : ChainHead{};
  for (const storage::UpwardRow& link : links) {
    const std::optional<storage::JournalRow> entry = store_.journal(link.seq);
    if (!entry || (link.salt.empty() && entry->replica != link.incarnation)) continue;
    std::string body = entry->body;
    if (entry->replica == link.incarnation) {
      const Change change = renaming.renamed(decodeChange(body));
      body = encodeChange(change);
      rows.putJournal(link.seq, change.dot.replica, change.dot.counter, body);
    }
    appendChain(link.seq, body);
  }
}

// All records are looked at: any may hold what was written to it.
void Work::renameRecords(const Renaming& renaming) {
  std::vector<std::pair<storage::RecordRow, Record>> changed;
  store_.eachRecord([&](const storage::RecordRow& row) {
    const auto record = renaming.renamed(decodeState(RecordId::fromBytes(row.id), row.state));
    if (record) changed.emplace_back(row, *record);
  });
  ByteWriter names;
  std::set<std::string> roots;
  storage::RenamedRows rows(store_);
  for (auto& [row, record] : changed) {
    roots.insert(row.root);
    roots.insert(record.root().bytes());
    const std::string id = record.id.bytes();
    if (id != row.id) {
      const std::vector<std::int64_t> holders = store_.leavesInScope(row.id);
      rows.putRecordId(row.row, row.id, id);
      for (const std::int64_t leaf : holders) store_.addReleasing(leaf, row.id);
      names.raw(row.id);
      names.raw(id);
      row.id = id;
    }
    putRebuilt(row, record);
  }
  for (const std::string& root : roots) resum(root);
  // Behind those that an earlier one has left, where the files' database could not be written.
  store_.setMeta(kRenamedKey, store_.meta(kRenamedKey).value_or("") + names.bytes());
  // The nodes below hold the former ones.
  if (!changed.empty()) {
    for (const storage::LeafRow& leaf : store_.leaves()) refillFeed(*this, leaf);
  }
}

}  // namespace waystation::sync
