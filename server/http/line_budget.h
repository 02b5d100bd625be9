#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "server/http/json.h"
#include "server/node.h"

namespace waystation::http {

// What a metered line may carry in a day or a month (UTC), as a technician has set it, and about
// what it has carried. Kept in the store; for all threads.
class LineBudget {
 public:
  struct State {
    std::uint64_t bytes = 0;  // 0: none is set
    std::string period;       // "day" or "month"
    std::uint64_t used = 0;   // of this day or month
    bool isSpent() const { return bytes != 0 && used >= bytes; }
  };

  // Borrows the node.
  explicit LineBudget(server::Node& node);

  // `bytes` 0 takes it away. Throws Failure("sync.budget-period") for another period.
  void set(std::uint64_t bytes, std::string_view period);
  // What calls have moved: bytes of HTTP, and how many connections and requests that took, for what
  // TCP and TLS add to it.
  void use(std::uint64_t bytes, std::uint64_t connections, std::uint64_t requests);
  State state() const;

 private:
  std::string now() const;  // the day or month that it is

  server::Node& node_;
  mutable std::mutex mutex_;
  State kept_;          // guarded by mutex_
  std::string usedIn_;  // the day or month of kept_.used; guarded by mutex_
};

// As the status says it; null where none is set.
Json jsonOf(const LineBudget::State& state);

}  // namespace waystation::http
