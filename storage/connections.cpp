#include <condition_variable>
#include <utility>

#include "storage/database.h"

namespace waystation::storage {

struct Connections::State {
  std::mutex mutex;
  std::condition_variable returned;
  std::unique_ptr<Database> writer;  // the only connection where readers is empty
  std::vector<std::unique_ptr<Database>> readers;
  std::vector<Database*> idleReaders;
  bool writerIdle = true;
};

Connections::Connections(const std::filesystem::path& file, const crypto::Secret& key,
                         OpenMode mode, int readers)
    : state_(std::make_unique<State>()) {
  state_->writer = std::make_unique<Database>(file, key, mode);
  for (int i = 0; i < readers; ++i) {
    state_->readers.push_back(std::make_unique<Database>(file, key, OpenMode::kReadOnly));
    state_->idleReaders.push_back(state_->readers.back().get());
  }
}

Connections::Connections(std::unique_ptr<Database> single) : state_(std::make_unique<State>()) {
  state_->writer = std::move(single);
}

Connections::~Connections() {
  if (!state_) return;
  // The writer goes last, so that it is the one to fold the log into the database.
  state_->readers.clear();
}

Connections::Lease Connections::writer() {
  std::unique_lock lock(state_->mutex);
  state_->returned.wait(lock, [this] { return state_->writerIdle; });
  state_->writerIdle = false;
  return Lease(*this, *state_->writer, true);
}

Connections::Lease Connections::reader() {
  if (state_->readers.empty()) return writer();
  std::unique_lock lock(state_->mutex);
  state_->returned.wait(lock, [this] { return !state_->idleReaders.empty(); });
  Database* reader = state_->idleReaders.back();
  state_->idleReaders.pop_back();
  return Lease(*this, *reader, false);
}

Connections::Lease::Lease(Connections& owner, Database& database, bool writer)
    : owner_(&owner), database_(&database), writer_(writer) {}

Connections::Lease::Lease(Lease&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      database_(other.database_),
      writer_(other.writer_) {}

Connections::Lease::~Lease() {
  if (owner_ == nullptr) return;
  State& state = *owner_->state_;
  {
    const std::lock_guard lock(state.mutex);
    if (writer_) {
      state.writerIdle = true;
    } else {
      state.idleReaders.push_back(database_);
    }
  }
  state.returned.notify_all();
}

}  // namespace waystation::storage
