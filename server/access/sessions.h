#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/random.h"
#include "sync/clock.h"

namespace waystation::access {

inline constexpr std::int64_t kSessionIdleMs = 15 * 60 * 1000;  // PCs are shared
inline constexpr std::int64_t kSessionMostMs = 10 * 60 * 60 * 1000;
inline constexpr std::size_t kSessionsPerAccount = 20;

// Who is logged in. In memory only: a restart logs everybody out. Of a token only its SHA-256 is
// kept, so that a picture of the memory's index opens nothing.
class Sessions {
 public:
  // Borrows both.
  Sessions(const sync::Clock& clock, crypto::Random& random) : clock_(clock), random_(random) {}

  // A new session's token: 32 random bytes, base64url. The account's oldest goes where it has too
  // many.
  std::string open(const std::string& account);

  // The account's name, if the session lives. `isUse`: the idle time begins anew (a screen that
  // asks by itself for the state of the link is not a person at work).
  std::optional<std::string> find(std::string_view token, bool isUse = true);

  void close(std::string_view token);

 private:
  struct Session {
    std::string account;
    std::int64_t openedMs = 0;
    std::int64_t usedMs = 0;
  };

  bool isOver(const Session& session, std::int64_t nowMs) const;
  void makeRoom(const std::string& account, std::int64_t nowMs);

  const sync::Clock& clock_;
  crypto::Random& random_;
  std::mutex mutex_;
  std::map<std::string, Session> sessions_;  // guarded by mutex_; by the token's hash
};

inline constexpr std::string_view kSessionCookie = "__Host-waystation";

// The value of Set-Cookie that keeps the token in a browser, or takes it away again.
std::string sessionCookie(std::string_view token);
std::string endedSessionCookie();

// The value of one cookie of a Cookie field, if it is there once.
std::optional<std::string> cookieValue(std::string_view field, std::string_view name);

}  // namespace waystation::access
