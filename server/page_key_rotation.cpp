#include "server/page_key_rotation.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "crypto/failure.h"

namespace waystation::server {
namespace {

constexpr int kCacheKiB = 256;

// Connections of their own, so that people go on saving meanwhile.
std::vector<std::unique_ptr<storage::Database>> ownConnections(Node& node) {
  std::vector<std::unique_ptr<storage::Database>> own;
  for (const NodeDatabase& database : node.databases()) {
    own.push_back(std::make_unique<storage::Database>(
        node.directory() / database.name, database.key, storage::OpenMode::kReadWrite, kCacheKiB));
  }
  return own;
}

}  // namespace

storage::RotationEnd rotatePageKeys(
    Node& node, const std::function<bool(const storage::RotationProgress&)>& goesOn) {
  const auto connections = ownConnections(node);
  // Begun in all before one is gone through, so that what goes on after a kill is the whole.
  for (const auto& connection : connections) {
    if (storage::isRotationUnfinished(*connection)) continue;
    storage::rotateKey(*connection, [](const storage::RotationProgress&) { return false; });
  }
  storage::RotationProgress before;
  for (const auto& connection : connections) {
    storage::RotationProgress own;
    const auto end = storage::rotateKey(*connection, [&](const storage::RotationProgress& now) {
      own = now;
      return goesOn({before.pagesDone + now.pagesDone, before.pages + now.pages});
    });
    if (end == storage::RotationEnd::kStopped) return end;
    before.pages += own.pages;
    before.pagesDone += own.pages;
  }
  return storage::RotationEnd::kFinished;
}

bool isPageKeyRotationUnfinished(Node& node) {
  const std::vector<NodeDatabase> databases = node.databases();
  return std::any_of(databases.begin(), databases.end(), [](const NodeDatabase& database) {
    return storage::isRotationUnfinished(*database.connections.reader());
  });
}

std::uint32_t pageKeyNumber(Node& node) {
  std::uint32_t number = 0;
  for (const NodeDatabase& database : node.databases()) {
    number = std::max(number, storage::keyEpoch(*database.connections.reader()));
  }
  return number;
}

PageKeyContinuation::~PageKeyContinuation() {
  stop();
}

void PageKeyContinuation::start() {
  if (thread_.joinable() || !isPageKeyRotationUnfinished(node_)) return;
  {
    const std::lock_guard lock(mutex_);
    isStopping_ = false;
    state_ = {true, {}, ""};
  }
  thread_ = std::thread([this] { run(); });
}

void PageKeyContinuation::stop() {
  {
    const std::lock_guard lock(mutex_);
    isStopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

PageKeyContinuation::State PageKeyContinuation::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void PageKeyContinuation::run() {
  std::string failure;
  try {
    for (const NodeDatabase& database : node_.databases()) {
      storage::Database connection(node_.directory() / database.name, database.key,
                                   storage::OpenMode::kReadWrite, kCacheKiB);
      if (!storage::isRotationUnfinished(connection)) continue;
      storage::rotateKey(connection, [this](const storage::RotationProgress& progress) {
        const std::lock_guard lock(mutex_);
        state_.progress = progress;
        return !isStopping_;
      });
    }
  } catch (const Failure& told) {
    failure = told.what();
  }
  const std::lock_guard lock(mutex_);
  state_.isRunning = false;
  state_.failure = std::move(failure);
}

}  // namespace waystation::server
