#include "server/node.h"

#include <sys/stat.h>

#include "server/access/account_records.h"
#include "server/cases/handover.h"
#include "server/cases/record_service.h"
#include "server/erasure_list.h"
#include "server/node_upgrade.h"
#include "server/recovery_slot.h"
#include "storage/chunk_store.h"
#include "storage/high_water_mark.h"
#include "storage/store_schema.h"
#include "sync/file_record.h"

namespace waystation::server {
namespace {

constexpr int kReaders = 4;
constexpr int kAttachmentReaders = 2;
constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kAuthorityDays = 3'650;
constexpr std::int64_t kHeadquartersDays = 825;
constexpr std::int64_t kClockSlackSeconds = kDaySeconds;  // offices' clocks are not exact

constexpr std::string_view kSigningSeed = "identity.signing-seed";
constexpr std::string_view kSealingKey = "identity.sealing-key";
constexpr std::string_view kTlsKey = "identity.tls-key";
constexpr std::string_view kTlsCertificate = "identity.tls-certificate";
constexpr std::string_view kAuthority = "identity.authority";
constexpr std::string_view kAuthorityKey = "authority.key";
// There once the node has a database of attachments.
constexpr std::string_view kHasAttachments = "attachments.made";

std::filesystem::path databaseFile(const std::filesystem::path& directory) {
  return directory / kRecordsFile;
}

std::filesystem::path attachmentsFile(const std::filesystem::path& directory) {
  return directory / kAttachmentsFile;
}

// HQ's authority and certificates; an office's own until it is enrolled is signed by an authority
// that is thrown away.
void createIdentity(storage::Store& store, const NodeConfig& config, crypto::Random& random,
                    std::int64_t now) {
  const crypto::SigningKey signing = crypto::SigningKey::generate(random);
  store.setMeta(kSigningSeed, signing.seed().view());
  store.setMeta(kSealingKey, crypto::RecipientKey::generate(random).privateKey().view());
  const bool isHq = config.role == Role::kHeadquarters;
  const crypto::KeyAndCertificate authority = crypto::createAuthority(
      "Waystation " + config.name, now - kClockSlackSeconds, now + kAuthorityDays * kDaySeconds);
  const crypto::KeyAndRequest request = crypto::createRequest(config.name);
  crypto::CertificateTerms terms;
  terms.commonName = config.name;
  terms.dnsNames = {config.name, "localhost"};
  terms.ipAddresses = {"127.0.0.1"};
  terms.notBefore = now - kClockSlackSeconds;
  terms.notAfter = now + kHeadquartersDays * kDaySeconds;
  store.setMeta(kTlsKey, request.privateKeyPem);
  store.setMeta(kTlsCertificate, crypto::signRequest(authority, request.requestPem, terms));
  store.setMeta(kAuthority, authority.certificatePem);
  if (isHq) store.setMeta(kAuthorityKey, authority.privateKeyPem);
}

}  // namespace

void Node::create(const std::filesystem::path& directory, const NodeConfig& config,
                  std::string_view passphrase, const crypto::Argon2Cost& cost) {
  if (std::filesystem::exists(directory / "node.json") ||
      std::filesystem::exists(keyFile(directory)) ||
      std::filesystem::exists(databaseFile(directory))) {
    throw Failure("node.exists", "There is a node in " + directory.string() +
                                     " already. Nothing was changed; name another --data.");
  }
  std::filesystem::create_directories(directory);
  ::chmod(directory.c_str(), 0700);
  crypto::SystemRandom random;
  const sync::SystemClock clock;
  try {
    // The name is checked, and the file made, before anything is worth keeping.
    writeConfig(directory, config);
    crypto::KeySlots slots = crypto::KeySlots::create(keyFile(directory), random, passphrase, cost);
    const crypto::Secret master = slots.open(crypto::SlotKind::kPassphrase, passphrase).master;
    const NodeKeys keys(master, slots.storeId());
    storage::Database database(databaseFile(directory), keys.database, storage::OpenMode::kCreate);
    storage::Store::createTables(database);
    storage::Transaction transaction(database);
    storage::Store store(database);
    createIdentity(store, config, random, clock.nowMs() / 1000);
    transaction.commit();
  } catch (...) {
    for (const char* name :
         {"node.json", "keys.slots", kRecordsFile, "node.db-wal", "node.db-journal"}) {
      std::error_code ignored;
      std::filesystem::remove(directory / name, ignored);
    }
    throw;
  }
}

Node::Node(std::filesystem::path directory, const crypto::SlotSecret& secret,
           const std::filesystem::path& programmes)
    : directory_(std::move(directory)),
      config_(readConfig(directory_)),
      isHeadquarters_(config_.role == Role::kHeadquarters),
      programmes_(cases::loadPacks(programmes)),
      lock_(DirectoryLock::take(directory_)) {
  openKeys(secret);
  openReplica();
  takeErasureList(directory_, *replica_, *connections_);
  // Of a run that was cut off between the two databases.
  const storage::Connections::Lease writer = connections_->writer();
  storage::Store store(*writer);
  sync::dropFilesOfGone(*replica_, store);
}

Node::~Node() {
  replica_.reset();
  attachments_.reset();
  connections_.reset();
}

bool Node::isHeld(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory / "lock")) return false;
  return !DirectoryLock::tryTake(directory);
}

std::filesystem::path Node::keyFile(const std::filesystem::path& directory) {
  return directory / "keys.slots";
}

void Node::openKeys(const crypto::SlotSecret& secret) {
  crypto::KeySlots slots(keyFile(directory_));
  const crypto::Secret master = slots.open(secret).master;
  keys_.emplace(master, slots.storeId());
  connections_ = std::make_unique<storage::Connections>(databaseFile(directory_), keys_->database,
                                                        storage::OpenMode::kReadWrite, kReaders);
  {
    const storage::Connections::Lease writer = connections_->writer();
    // Cut off while it was made: nothing is in it that an upgrade could harm.
    if (storage::schemaVersion(*writer) == 0) storage::Store::createTables(*writer);
  }
  openAttachments();
  upgradeDatabases(backupSource());
  mark_ = std::make_unique<storage::HighWaterMark>(
      directory_ / "mark", storage::deriveMarkKey(master, slots.storeId()), slots.storeId());
  try {
    raiseMark();
  } catch (const Failure& failure) {
    // A full disk must not keep people from reading: the comparison is then made at the next start.
    if (failure.code() != "store.full" && failure.code() != "mark.write-failed") throw;
  }
  // Kept since the enrolment, when nobody had the master key at hand.
  const std::optional<std::string> recovery =
      read([](storage::Store& store) { return recoveryKeyOf(store); });
  if (recovery) keepRecoverySlot(slots, master, random_, *recovery);
}

// Made at the first opening: nodes of earlier versions of the program have none.
void Node::openAttachments() {
  const std::filesystem::path file = attachmentsFile(directory_);
  const storage::Connections::Lease writer = connections_->writer();
  storage::Store store(*writer);
  const bool isNew = !store.meta(kHasAttachments);
  if (!isNew && !std::filesystem::exists(file)) {
    throw Failure("node.attachments-missing",
                  "The database of attachments, " + file.string() +
                      ", is gone. Nothing was changed; put it back as it was, with the files "
                      "beside it, or restore a backup.");
  }
  attachments_ = std::make_unique<storage::Connections>(
      file, keys_->files, isNew ? storage::OpenMode::kCreate : storage::OpenMode::kReadWrite,
      kAttachmentReaders);
  if (!isNew) return;
  storage::ChunkStore::createTables(*attachments_->writer());
  storage::Transaction transaction(*writer);
  store.setMeta(kHasAttachments, "1");
  transaction.commit();
}

bool hasAttachments(storage::Database& records) {
  return storage::Store(records).meta(kHasAttachments).has_value();
}

void Node::openReplica() {
  const storage::Connections::Lease writer = connections_->writer();
  storage::Store store(*writer);
  const std::optional<std::string> seed = store.meta(kSigningSeed);
  if (!seed) {
    throw Failure("node.incomplete", "This node was not made to the end. Remove " +
                                         directory_.string() + " and run `waystation init` again.");
  }
  signingKey_ = std::make_unique<crypto::SigningKey>(crypto::Secret::copyOf(*seed));
  openSealingKey(store);
  sync::ReplicaSettings settings;
  settings.node = config_.name;
  settings.hasHub = !isHeadquarters();
  settings.erased = [this](storage::Store& erased) {
    writeErasureList(directory_, erased, *replica_);
  };
  settings.publicKey = signingKey_->publicKey();
  settings.signingKey = signingKey_.get();
  settings.files = attachments_.get();
  settings.projection = [this, search = cases::searchProjection(programmes_)](
                            storage::Store& changed, std::int64_t row, const sync::Record* record) {
    search(changed, row, record);
    if (record != nullptr) access::followAccountRecord(changed, clock_, config().name, *record);
  };
  settings.urgent = programmes_.urgentValues();
  settings.committed = [this](bool forHub, bool forLeaves) { tell(forHub, forLeaves); };
  replica_ = std::make_unique<sync::Replica>(*writer, clock_, random_, std::move(settings));
}

// A node made before there were bundles gets its key now.
void Node::openSealingKey(storage::Store& store) {
  std::optional<std::string> kept = store.meta(kSealingKey);
  if (!kept) {
    const crypto::RecipientKey fresh = crypto::RecipientKey::generate(random_);
    kept = std::string(fresh.privateKey().view());
    storage::Transaction transaction(store.database());
    store.setMeta(kSealingKey, *kept);
    transaction.commit();
  }
  sealingKey_ = std::make_unique<crypto::RecipientKey>(crypto::Secret::copyOf(*kept));
}

NodeConfig Node::config() const {
  const std::lock_guard<std::mutex> guard(configMutex_);
  return config_;
}

void Node::changeConfig(const NodeConfig& config) {
  writeConfig(directory_, config);
  const std::lock_guard<std::mutex> guard(configMutex_);
  config_ = config;
}

sync::ErasureCounts Node::erase(const std::string& person, const std::vector<sync::RecordId>& ids) {
  const storage::Connections::Lease writer = connections_->writer();
  sync::ErasureCounts counts;
  {
    sync::Work work(*replica_, *writer);
    counts = sync::eraseForGood(work, *signingKey_, person, ids);
    work.commit();
  }
  storage::Store store(*writer);
  store.scrub();
  sync::dropFilesOfGone(*replica_, store);
  writeErasureList(directory_, store, *replica_);
  return counts;
}

std::vector<NodeDatabase> Node::databases() {
  return {{kRecordsFile, keys_->database, *connections_},
          {kAttachmentsFile, keys_->files, *attachments_}};
}

BackupSource Node::backupSource() {
  return {directory_, config().name, keys_->backup, databases(), clock_.nowMs()};
}

// What it finds, an older copy, `status` and `check` tell.
void Node::raiseMark() {
  mark_->raise(*connections_->writer(), random_);
}

NodeIdentity Node::identity() {
  return read([](storage::Store& store) {
    NodeIdentity identity;
    identity.authorityPem = store.meta(kAuthority).value_or("");
    identity.tls.privateKeyPem = store.meta(kTlsKey).value_or("");
    identity.tls.certificatePem = store.meta(kTlsCertificate).value_or("");
    return identity;
  });
}

void Node::setIdentity(const NodeIdentity& identity) {
  write([&](sync::Work& work) {
    work.store().setMeta(kAuthority, identity.authorityPem);
    work.store().setMeta(kTlsKey, identity.tls.privateKeyPem);
    work.store().setMeta(kTlsCertificate, identity.tls.certificatePem);
  });
}

crypto::KeyAndCertificate Node::authority() {
  return read([](storage::Store& store) {
    const std::optional<std::string> key = store.meta(kAuthorityKey);
    if (!key) {
      throw Failure("node.not-headquarters",
                    "Only headquarters holds the certificate authority; this node is an office.");
    }
    return crypto::KeyAndCertificate{*key, store.meta(kAuthority).value_or("")};
  });
}

sync::Admitted Node::admitted() {
  return cases::carryOutHandovers;
}

void Node::tell(bool forHub, bool forLeaves) {
  std::function<void(bool, bool)> listener;
  {
    const std::lock_guard<std::mutex> guard(listenerMutex_);
    listener = listener_;
  }
  if (listener) listener(forHub, forLeaves);
}

void Node::onCommitted(std::function<void(bool, bool)> listener) {
  const std::lock_guard<std::mutex> guard(listenerMutex_);
  listener_ = std::move(listener);
}

}  // namespace waystation::server
