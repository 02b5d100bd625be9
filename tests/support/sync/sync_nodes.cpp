#include "tests/support/sync_nodes.h"

#include <sqlite3.h>

#include <stdexcept>

#include "storage/chunk_store.h"

namespace waystation::testing {
namespace {

std::string bytesOf(storage::Database& database) {
  sqlite3_int64 size = 0;
  unsigned char* bytes = sqlite3_serialize(database.handle(), "main", &size, 0);
  std::string copy(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  sqlite3_free(bytes);
  return copy;
}

void overwrite(storage::Database& database, std::string copy) {
  sqlite3* source = nullptr;
  const auto size = static_cast<sqlite3_int64>(copy.size());
  bool done = sqlite3_open(":memory:", &source) == SQLITE_OK &&
              sqlite3_deserialize(source, "main", reinterpret_cast<unsigned char*>(copy.data()),
                                  size, size, SQLITE_DESERIALIZE_READONLY) == SQLITE_OK;
  sqlite3_backup* backup =
      done ? sqlite3_backup_init(database.handle(), "main", source, "main") : nullptr;
  done = backup != nullptr && sqlite3_backup_step(backup, -1) == SQLITE_DONE;
  sqlite3_backup_finish(backup);
  sqlite3_close(source);
  if (!done) throw std::runtime_error("the copy can't be opened");
}

// Making the tables takes longer than most tests.
const std::string& emptyStore() {
  static const std::string bytes = [] {
    const std::unique_ptr<storage::Database> database = storage::Database::inMemory();
    storage::Store::createTables(*database);
    return bytesOf(*database);
  }();
  return bytes;
}

}  // namespace

TestNode::TestNode(std::string name, bool hasHub, std::uint64_t seed, std::string home, bool below)
    : name_(std::move(name)),
      home_(std::move(home)),
      hasHub_(hasHub),
      below_(below || !home_.empty()),
      random_(seed),
      key_(crypto::SigningKey::generate(random_)),
      sealingKey_(crypto::Secret::copyOf(SeededRandom(~seed).bytes(crypto::kHpkeKeySize))) {
  std::unique_ptr<storage::Database> database = storage::Database::inMemory();
  overwrite(*database, emptyStore());
  connections_ = std::make_unique<storage::Connections>(std::move(database));
  restart();
}

void TestNode::restart() {
  const storage::Connections::Lease writer = connections_->writer();
  // A VACUUM that was interrupted just as it began leaves its database attached; a new process has
  // nothing attached.
  if (sqlite3_db_filename(writer->handle(), "vacuum_db") != nullptr) {
    writer->execute("DETACH vacuum_db");
  }
  sync::ReplicaSettings settings;
  settings.node = home_.empty() ? name_ : home_;
  settings.hasHub = hasHub_;
  settings.sealsChanges = below_;
  settings.projection = projection_;
  settings.urgent = urgent_;
  settings.publicKey = key_.publicKey();
  settings.signingKey = &key_;
  settings.files = files_.get();
  replica_ = std::make_unique<sync::Replica>(*writer, clock_, random_, std::move(settings));
}

void TestNode::keepFiles() {
  std::unique_ptr<storage::Database> database = storage::Database::inMemory();
  storage::ChunkStore::createTables(*database);
  files_ = std::make_unique<storage::Connections>(std::move(database));
  restart();
}

void TestNode::setProjection(sync::Projection projection) {
  projection_ = std::move(projection);
  restart();
}

std::int64_t TestNode::rowsWritten() {
  const storage::Connections::Lease writer = connections_->writer();
  return sqlite3_total_changes64(writer->handle());
}

void TestNode::setUrgent(sync::UrgentValues urgent) {
  urgent_ = std::move(urgent);
  restart();
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

std::string TestNode::copyOfStore() {
  const storage::Connections::Lease writer = connections_->writer();
  return bytesOf(*writer);
}

void TestNode::startOnCopy(const std::string& copy) {
  {
    const storage::Connections::Lease writer = connections_->writer();
    overwrite(*writer, copy);
  }
  restart();
}

std::vector<storage::QuarantineRow> TestNode::quarantine() {
  const storage::Connections::Lease reader = connections_->reader();
  return storage::Store(*reader).quarantine(1000);
}

void enrol(TestNode& hub, TestNode& leaf) {
  const storage::Connections::Lease writer = hub.connections().writer();
  sync::Work work(hub.replica(), *writer);
  sync::enrolLeaf(work, leaf.name(), leaf.key().publicKey(), "", leaf.home(),
                  leaf.sealingKey().publicKey());
  work.commit();
}

sync::ExchangeOutcome exchange(TestNode& hub, TestNode& leaf) {
  sync::LeafExchange up(leaf.replica(), leaf.connections(), leaf.key(), 4 * 1024 * 1024,
                        leaf.nameOfHub(hub));
  sync::HubExchange down(hub.replica(), hub.connections(), leaf.name());
  down.receive(up.request());
  up.receive(down.answer());
  return up.finish();
}

bool exchangeCut(TestNode& hub, TestNode& leaf, const Cut& cut) {
  sync::LeafExchange up(leaf.replica(), leaf.connections(), leaf.key(), cut.upBytes,
                        leaf.nameOfHub(hub));
  sync::HubExchange down(hub.replica(), hub.connections(), leaf.name());
  const std::string request = up.request();
  down.receive(request.substr(0, cut.requestBytes));
  if (cut.requestBytes < request.size()) return false;
  const std::string answer = down.answer(cut.downBytes);
  up.receive(answer.substr(0, cut.answerBytes));
  if (cut.answerBytes < answer.size()) return false;
  up.finish();
  return true;
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
