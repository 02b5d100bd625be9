#include "server/hub_unlock.h"

#include <algorithm>
#include <chrono>

#include "crypto/failure.h"
#include "server/http/certificate_exchange.h"
#include "server/http/hub_settings.h"

namespace waystation::server {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstWait{500};
// After a power cut the network comes back when it does; the office is to open within a minute.
constexpr milliseconds kLongestWait{20'000};

}  // namespace

bool HubUnlock::isPossible(const NodeConfig& config, const LockedFile& file) {
  return config.role == Role::kOffice && !config.hqHost.empty() && !file.boxHalf.empty() &&
         !file.door.certificatePem.empty();
}

HubUnlock::HubUnlock(const NodeConfig& config, const LockedFile& file, Opened opened)
    : client_(http::hubSettings(config, file)),
      boxHalf_(file.boxHalf),
      opened_(std::move(opened)),
      thread_([this] { run(); }) {}

HubUnlock::~HubUnlock() {
  {
    const std::lock_guard lock(mutex_);
    isStopping_ = true;
  }
  client_.cancel();
  changed_.notify_all();
  thread_.join();
}

std::string HubUnlock::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void HubUnlock::run() {
  for (int failures = 0;; ++failures) {
    try {
      opened_({crypto::SlotKind::kHubShare,
               crypto::Secret::copyOf(boxHalf_ + http::askForHalf(client_))});
      return;
    } catch (const std::exception& failure) {
      const std::lock_guard lock(mutex_);
      failure_ = failure.what();
    }
    if (!waitBeforeNext(failures)) return;
  }
}

// A random half of the wait is taken off, so that offices whose power came back at once do not ask
// at once.
bool HubUnlock::waitBeforeNext(int failures) {
  const std::int64_t whole =
      std::min<std::int64_t>(kLongestWait.count(), kFirstWait.count() << std::min(failures, 10));
  const auto random = static_cast<std::int64_t>(random_.next64() % 1024);
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, milliseconds(whole / 2 + whole / 2 * random / 1024),
                            [this] { return isStopping_; });
}

}  // namespace waystation::server
