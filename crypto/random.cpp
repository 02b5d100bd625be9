#include "crypto/random.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <limits>

#include "crypto/failure.h"

namespace waystation::crypto {
namespace {

constexpr std::size_t kPoolSize = 4096;

// Counts the forks between the first process and this one. A counter, not the process id: an id can
// come back, and a grandchild that got its grandparent's would go on with the same pool.
std::atomic<std::uint64_t> forks{0};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "used between fork and its return");

void countFork() {
  forks.fetch_add(1, std::memory_order_relaxed);
}

[[noreturn]] void throwUnavailable() {
  ERR_clear_error();
  throw Failure("random.unavailable",
                "The system gives no random numbers, so nothing can be encrypted now. Nothing was "
                "changed. Restart the service; if it stays so, restart the machine.");
}

void watchForks() {
  static const int registered = pthread_atfork(nullptr, nullptr, countFork);
  if (registered != 0) {
    throwUnavailable();
  }
}

void drawFromOpenSsl(char* out, std::size_t size) {
  constexpr std::size_t kMost = std::numeric_limits<int>::max();
  std::size_t done = 0;
  while (done < size) {
    const std::size_t part = std::min(size - done, kMost);
    if (RAND_bytes(reinterpret_cast<unsigned char*>(out + done), static_cast<int>(part)) != 1) {
      OPENSSL_cleanse(out, size);
      throwUnavailable();
    }
    done += part;
  }
}

// One for each thread and none of it locked: a lock held by another thread at the moment of a fork
// would stay locked in the child for ever. What was handed out is wiped at once.
class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  ~Pool() { drop(); }

  void take(char* out, std::size_t size) {
    const std::uint64_t now = forks.load(std::memory_order_relaxed);
    if (now != drawnAfterForks_) {
      drop();
      drawnAfterForks_ = now;
    }
    if (left_ < size) {
      // A failed draw must not leave the wiped bytes counted as fresh ones.
      left_ = 0;
      drawFromOpenSsl(bytes_.data(), bytes_.size());
      left_ = bytes_.size();
    }
    char* const from = bytes_.data() + (bytes_.size() - left_);
    std::memcpy(out, from, size);
    OPENSSL_cleanse(from, size);
    left_ -= size;
  }

 private:
  void drop() {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
    left_ = 0;
  }

  std::array<char, kPoolSize> bytes_{};
  std::size_t left_ = 0;
  std::uint64_t drawnAfterForks_ = 0;
};

}  // namespace

std::string Random::bytes(std::size_t size) {
  std::string result(size, '\0');
  fill(result.data(), result.size());
  return result;
}

std::uint64_t Random::next64() {
  std::uint64_t result = 0;
  fill(&result, sizeof result);
  return result;
}

void SystemRandom::fill(void* out, std::size_t size) {
  if (size == 0) {
    return;
  }
  watchForks();
  if (size > kPoolSize / 4) {
    drawFromOpenSsl(static_cast<char*>(out), size);
    return;
  }
  thread_local Pool pool;
  pool.take(static_cast<char*>(out), size);
}

}  // namespace waystation::crypto
