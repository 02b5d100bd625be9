#include "support/sync_nodes.h"

#include <stdexcept>

namespace waystation::testing {

TestNode::TestNode(std::string name, bool hasHub, std::uint64_t seed)
    : name_(std::move(name)),
      hasHub_(hasHub),
      random_(seed),
      key_(crypto::SigningKey::generate(random_)) {
  std::unique_ptr<storage::Database> database = storage::Database::inMemory();
  storage::Store::createTables(*database);
  connections_ = std::make_unique<storage::Connections>(std::move(database));
  restart();
}

void TestNode::restart() {
  const storage::Connections::Lease writer = connections_->writer();
  replica_ = std::make_unique<sync::Replica>(*writer, clock_, random_,
                                             sync::ReplicaSettings{name_, hasHub_, {}, {}});
}

sync::RecordId TestNode::create(const std::string& kind,
                                const std::vector<sync::DraftWrite>& writes,
                                std::optional<sync::RecordId> root) {
  const storage::Connections::Lease writer = connections_->writer();
  sync::Work work(*replica_, *writer);
  sync::DraftEdit draft;
  draft.record = work.newRecord();
  draft.isNew = true;
  draft.kind = kind;
  draft.root = root;
  draft.writes = writes;
  work.save("tester", {draft});
  work.commit();
  return draft.record;
}

void TestNode::edit(const sync::RecordId& id, const std::string& field, const std::string& value,
                    std::optional<std::string> tag) {
  const storage::Connections::Lease writer = connections_->writer();
  sync::Work work(*replica_, *writer);
  sync::DraftEdit draft;
  draft.record = id;
  draft.sawCurrent = !tag.has_value();
  draft.tag = std::move(tag);
  draft.writes = {{field, value}};
  clock_.advance(1);
  work.save("tester", {draft});
  work.commit();
}

std::optional<sync::Record> TestNode::record(const sync::RecordId& id) {
  const storage::Connections::Lease reader = connections_->reader();
  const auto row = storage::Store(*reader).record(id.bytes());
  if (!row) return std::nullopt;
  return sync::decodeState(id, row->state);
}

std::string TestNode::tag(const sync::RecordId& id) {
  const std::optional<sync::Record> found = record(id);
  if (!found) throw std::runtime_error("no such record at " + name_);
  return sync::encodeTag(*found);
}

sync::StateSum TestNode::digest() {
  const storage::Connections::Lease reader = connections_->reader();
  sync::StateSum sum{};
  storage::Store(*reader).eachRootDigest(
      [&](std::string_view digest) { sync::addTo(sum, sync::sumFromBytes(digest)); });
  return sum;
}

void enrol(TestNode& hub, TestNode& leaf) {
  const storage::Connections::Lease writer = hub.connections().writer();
  sync::Work work(hub.replica(), *writer);
  sync::enrolLeaf(work, leaf.name(), leaf.key().publicKey(), "");
  work.commit();
}

sync::ExchangeOutcome exchange(TestNode& hub, TestNode& leaf) {
  sync::LeafExchange up(leaf.replica(), leaf.connections(), leaf.key());
  sync::HubExchange down(hub.replica(), hub.connections(), leaf.name());
  down.receive(up.request());
  up.receive(down.answer());
  return up.finish();
}

sync::ExchangeOutcome exchangeAll(TestNode& hub, TestNode& leaf) {
  sync::ExchangeOutcome last;
  for (int i = 0; i < 100; ++i) {
    last = exchange(hub, leaf);
    if (!last.more) return last;
  }
  throw std::runtime_error("the exchange does not come to an end");
}

}  // namespace waystation::testing
