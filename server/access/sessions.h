#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  // many. `from`: the address that it was opened from, for people to know it by.
  std::string open(const std::string& account, const std::string& from = {});

  // The account's name, if the session lives. `isUse`: the idle time begins anew (a screen that
  // asks by itself for the state of the link is not a person at work).
  std::optional<std::string> find(std::string_view token, bool isUse = true);

  void close(std::string_view token);

  // A session as its owner sees it; its name opens nothing.
  struct View {
    std::string name;  // the beginning of its token's hash, in hexadecimal
    std::string from;
    std::int64_t openedMs = 0;
    std::int64_t usedMs = 0;
    bool isCurrent = false;  // the one that asks
  };
  std::vector<View> list(const std::string& account, std::string_view currentToken = {});
  // Ends one of the account's sessions; false where it has none of that name.
  bool closeNamed(const std::string& account, std::string_view name);
  // Ends all of them, but for the one that asks; how many.
  std::size_t closeAll(const std::string& account, std::string_view exceptToken = {});

 private:
  struct Session {
    std::string account;
    std::string from;
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
