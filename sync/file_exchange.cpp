#include "sync/file_exchange.h"

#include <algorithm>

#include "crypto/failure.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

constexpr int kMostAtOnce = 16;
constexpr int kRowsAtOnce = 500;

bool contains(const std::vector<FileName>& names, const FileName& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<FileName> namesIn(const std::vector<std::string>& stored) {
  std::vector<FileName> names;
  for (const std::string& each : stored) {
    if (const std::optional<FileName> name = fileNameFrom(each)) names.push_back(*name);
  }
  return names;
}

std::string chunkFrame(storage::FileDeliveries& deliveries, const FileName& name,
                       std::uint32_t place) {
  const std::string bytes = deliveries.read(
      storedName(name), std::uint64_t{place} * storage::kChunkSize, storage::kChunkSize);
  return encodeFrame(FrameType::kChunk, encodeChunk({name, place, bytes}));
}

// Where the record of a file stands; nothing where it is none, or is not held.
struct FileAt {
  storage::FileManifest manifest;
  std::string root;
};
std::optional<FileAt> fileAt(storage::Store& store, const FileName& name) {
  const std::optional<storage::RecordRow> row = store.record(name.record.bytes());
  if (!row || row->kind != kFileKind) return std::nullopt;
  std::optional<storage::FileManifest> manifest =
      manifestOf(decodeState(name.record, row->state), name.part);
  if (!manifest) return std::nullopt;
  return FileAt{std::move(*manifest), row->root};
}

// Keeps one chunk. What is not what the record names is dropped: whoever sent it is asked again.
storage::FileOutcome keep(storage::Connections& files, const storage::FileManifest& manifest,
                          const FileChunk& chunk) {
  const storage::Connections::Lease writer = files.writer();
  storage::Transaction transaction(*writer);
  storage::FileDeliveries deliveries(*writer);
  deliveries.expect(manifest, storedName(chunk.name), rankOf(chunk.name.part));
  const storage::FileOutcome outcome =
      deliveries.take(storedName(chunk.name), chunk.place, chunk.bytes);
  transaction.commit();
  return outcome;
}

// Of the disk or of what was sent: neither is to keep records from travelling.
bool concernsOnlyFiles(const Failure& failure) {
  return failure.code() == "store.full" || failure.code().starts_with("file.");
}

}  // namespace

void LeafFiles::allow(std::size_t chunksUp, std::size_t chunksDown) {
  chunksUp_ = chunksUp;
  chunksDown_ = chunksDown;
}

std::string LeafFiles::request() {
  if (replica_->files() == nullptr) return {};
  const storage::Connections::Lease reader = replica_->files()->reader();
  storage::FileDeliveries deliveries(*reader);
  offered_ = namesIn(deliveries.forHub(kMostAtOnce));
  std::string body;
  if (!offered_.empty()) body += encodeFrame(FrameType::kOffered, encodeOffered(offered_));
  FilesAsked asked{chunksDown_, {}};
  for (const FileName& name : namesIn(deliveries.asked(kMostAtOnce))) {
    asked.files.push_back({name, deliveries.lacking(storedName(name))});
  }
  asks_ = !asked.files.empty();
  if (asks_) body += encodeFrame(FrameType::kAsked, encodeAsked(asked));
  for (const FileName& name : offered_) {
    for (const std::uint32_t place :
         deliveries.hubLacks(storedName(name)).value_or(storage::Places())) {
      if (sent_ == chunksUp_) return body;
      body += chunkFrame(deliveries, name, place);
      ++sent_;
    }
  }
  return body;
}

bool LeafFiles::take(const Frame& frame) {
  if (replica_->files() == nullptr) return false;
  if (frame.type == FrameType::kLacking) {
    heard(decodeLacking(frame.payload));
  } else if (frame.type == FrameType::kChunk) {
    store(decodeChunk(frame.payload));
  } else {
    return false;
  }
  return true;
}

void LeafFiles::heard(const std::vector<FilePlaces>& lacking) {
  const storage::Connections::Lease writer = replica_->files()->writer();
  storage::Transaction transaction(*writer);
  storage::FileDeliveries deliveries(*writer);
  for (const FilePlaces& file : lacking) {
    if (!contains(offered_, file.name)) continue;
    const std::string stored = storedName(file.name);
    const std::optional<storage::Places> before = deliveries.hubLacks(stored);
    deliveries.setHubLacks(stored, file.places);
    answered_.push_back(file.name);
    if (!before || before->size() > file.places.size()) {
      moved_ += before ? before->size() - file.places.size() : 1;
    }
    hubWants_ = hubWants_ || !file.places.empty();
  }
  transaction.commit();
}

void LeafFiles::store(const FileChunk& chunk) {
  std::optional<FileAt> file;
  {
    const storage::Connections::Lease reader = records_->reader();
    storage::Store records(*reader);
    file = fileAt(records, chunk.name);
  }
  if (!file) return;
  try {
    const storage::FileOutcome outcome = keep(*replica_->files(), file->manifest, chunk);
    if (outcome == storage::FileOutcome::kWrongBytes) return;
    ++moved_;
    if (outcome != storage::FileOutcome::kWhole) return;
    const storage::Connections::Lease writer = replica_->files()->writer();
    storage::Transaction transaction(*writer);
    storage::FileDeliveries(*writer).setHubLacks(storedName(chunk.name), {});
    transaction.commit();
  } catch (const Failure& failure) {
    if (!concernsOnlyFiles(failure)) throw;
  }
}

void LeafFiles::forgetHub() {
  if (replica_->files() == nullptr) return;
  const storage::Connections::Lease writer = replica_->files()->writer();
  storage::Transaction transaction(*writer);
  storage::FileDeliveries(*writer).forgetHub();
  transaction.commit();
}

bool LeafFiles::finish() {
  if (replica_->files() == nullptr) return false;
  if (answered_.size() < offered_.size()) {
    const storage::Connections::Lease writer = replica_->files()->writer();
    storage::Transaction transaction(*writer);
    storage::FileDeliveries deliveries(*writer);
    for (const FileName& name : offered_) {
      if (!contains(answered_, name)) deliveries.notePassedOver(storedName(name));
    }
    transaction.commit();
  }
  const bool onlyAsked = chunksUp_ == 0 && hubWants_;
  if (moved_ == 0 && !onlyAsked) return false;
  const storage::Connections::Lease reader = replica_->files()->reader();
  storage::FileDeliveries deliveries(*reader);
  return !deliveries.forHub(1).empty() || !deliveries.asked(1).empty();
}

bool HubFiles::take(const storage::LeafRow& leaf, const Frame& frame) {
  if (replica_->files() == nullptr) return false;
  if (frame.type == FrameType::kOffered) {
    offered_ = decodeOffered(frame.payload);
  } else if (frame.type == FrameType::kAsked) {
    asked_ = decodeAsked(frame.payload);
  } else if (frame.type == FrameType::kChunk) {
    store(leaf, decodeChunk(frame.payload));
  } else {
    return false;
  }
  return true;
}

// From whoever works on the root, or did until it was told to let go.
void HubFiles::store(const storage::LeafRow& leaf, const FileChunk& chunk) {
  std::optional<FileAt> file;
  {
    const storage::Connections::Lease reader = records_->reader();
    storage::Store records(*reader);
    file = fileAt(records, chunk.name);
    if (!file || isGuest(leaf, replica_->node())) return;
    if (!records.inScope(leaf.leaf, file->root) && !records.isReleasing(leaf.leaf, file->root)) {
      return;
    }
  }
  try {
    keep(*replica_->files(), file->manifest, chunk);
  } catch (const Failure& failure) {
    if (!concernsOnlyFiles(failure)) throw;
    isFull_ = failure.code() == "store.full";
  }
}

std::string HubFiles::lackingFrame(storage::Store& store, const storage::LeafRow& leaf) {
  if (isFull_) return {};
  std::vector<FilePlaces> lacking;
  const storage::Connections::Lease reader = replica_->files()->reader();
  storage::FileDeliveries deliveries(*reader);
  for (const FileName& name : offered_) {
    const std::optional<FileAt> file = fileAt(store, name);
    if (!file) continue;
    if (!store.inScope(leaf.leaf, file->root) && !store.isReleasing(leaf.leaf, file->root)) {
      continue;
    }
    FilePlaces one{name, {}};
    if (deliveries.find(storedName(name))) {
      one.places = deliveries.lacking(storedName(name));
    } else {
      one.places.resize(file->manifest.chunks.size());
      for (std::uint32_t place = 0; place < one.places.size(); ++place) one.places[place] = place;
    }
    lacking.push_back(std::move(one));
  }
  return lacking.empty() ? std::string() : encodeFrame(FrameType::kLacking, encodeLacking(lacking));
}

// To whoever holds a record that names the file, and only of what came under that record. What this
// hub lacks itself it asks its own hub for.
std::string HubFiles::chunkFrames(storage::Store& store, const storage::LeafRow& leaf) {
  std::string frames;
  std::vector<std::pair<FileName, storage::FileManifest>> toAsk;
  std::size_t sent = 0;
  {
    const storage::Connections::Lease reader = replica_->files()->reader();
    storage::FileDeliveries deliveries(*reader);
    for (const FilePlaces& wanted : asked_.files) {
      const std::optional<FileAt> file = fileAt(store, wanted.name);
      if (!file || !store.inScope(leaf.leaf, file->root)) continue;
      const std::optional<storage::FileDelivery> here = deliveries.find(storedName(wanted.name));
      if (!here || !here->isWhole) {
        if (replica_->hasHub() && (!here || !here->isAsked)) {
          toAsk.emplace_back(wanted.name, file->manifest);
        }
        continue;
      }
      for (const std::uint32_t place : wanted.places) {
        if (sent == asked_.mostChunks || place >= here->places) break;
        frames += chunkFrame(deliveries, wanted.name, place);
        ++sent;
      }
    }
  }
  for (const auto& [name, manifest] : toAsk) askForFile(*replica_, name, manifest);
  return frames;
}

std::string HubFiles::answer(storage::Store& store, const storage::LeafRow& leaf) {
  if (replica_->files() == nullptr || (offered_.empty() && asked_.files.empty())) return {};
  if (isGuest(leaf, replica_->node())) return {};
  return lackingFrame(store, leaf) + chunkFrames(store, leaf);
}

void askForFile(Replica& replica, const FileName& name, const storage::FileManifest& manifest) {
  const storage::Connections::Lease writer = replica.files()->writer();
  storage::Transaction transaction(*writer);
  storage::FileDeliveries deliveries(*writer);
  deliveries.expect(manifest, storedName(name), rankOf(name.part));
  deliveries.ask(storedName(name));
  transaction.commit();
}

bool hasFilesForHub(Replica& replica, storage::Store& store, std::string_view root) {
  if (replica.files() == nullptr) return false;
  const storage::Connections::Lease reader = replica.files()->reader();
  storage::FileDeliveries deliveries(*reader);
  if (deliveries.countForHub() == 0) return false;
  std::string after;
  while (true) {
    const std::vector<storage::RecordRow> rows = store.recordsOfRoot(root, after, kRowsAtOnce);
    if (rows.empty()) return false;
    for (const storage::RecordRow& row : rows) {
      if (row.kind == kFileKind && deliveries.isForHub(row.id)) return true;
    }
    after = rows.back().id;
  }
}

}  // namespace waystation::sync
