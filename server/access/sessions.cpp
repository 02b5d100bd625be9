#include "server/access/sessions.h"

#include "crypto/hash.h"

namespace waystation::access {
namespace {

std::string keyOf(std::string_view token) {
  return std::string(crypto::view(crypto::sha256(token)));
}

constexpr std::size_t kNameBytes = 8;

std::string nameOf(const std::string& key) {
  return crypto::toHex(std::string_view(key).substr(0, kNameBytes));
}

}  // namespace

bool Sessions::isOver(const Session& session, std::int64_t nowMs) const {
  const std::int64_t idleMs = nowMs - session.usedMs;
  // Of a clock that was set back nobody can tell how long it has been.
  return idleMs >= kSessionIdleMs || idleMs <= -kSessionIdleMs ||
         nowMs - session.openedMs >= kSessionMostMs;
}

void Sessions::makeRoom(const std::string& account, std::int64_t nowMs) {
  std::erase_if(sessions_, [&](const auto& entry) { return isOver(entry.second, nowMs); });
  std::size_t count = 0;
  auto oldest = sessions_.end();
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if (it->second.account != account) continue;
    ++count;
    if (oldest == sessions_.end() || it->second.usedMs < oldest->second.usedMs) oldest = it;
  }
  if (count >= kSessionsPerAccount) sessions_.erase(oldest);
}

std::string Sessions::open(const std::string& account, const std::string& from) {
  const std::string token = crypto::toBase64Url(random_.bytes(32));
  const std::int64_t now = clock_.nowMs();
  const std::lock_guard lock(mutex_);
  makeRoom(account, now);
  sessions_[keyOf(token)] = {account, from, now, now};
  return token;
}

std::optional<std::string> Sessions::find(std::string_view token, bool isUse) {
  const std::string key = keyOf(token);
  const std::int64_t now = clock_.nowMs();
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return std::nullopt;
  if (isOver(found->second, now)) {
    sessions_.erase(found);
    return std::nullopt;
  }
  if (isUse) found->second.usedMs = now;
  return found->second.account;
}

void Sessions::close(std::string_view token) {
  const std::lock_guard lock(mutex_);
  sessions_.erase(keyOf(token));
}

std::vector<Sessions::View> Sessions::list(const std::string& account,
                                           std::string_view currentToken) {
  const std::string current = keyOf(currentToken);
  const std::int64_t now = clock_.nowMs();
  const std::lock_guard lock(mutex_);
  std::vector<View> views;
  for (const auto& [key, session] : sessions_) {
    if (session.account != account || isOver(session, now)) continue;
    views.push_back({nameOf(key), session.from, session.openedMs, session.usedMs, key == current});
  }
  return views;
}

bool Sessions::closeNamed(const std::string& account, std::string_view name) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(sessions_, [&](const auto& entry) {
           return entry.second.account == account && nameOf(entry.first) == name;
         }) > 0;
}

std::size_t Sessions::closeAll(const std::string& account, std::string_view exceptToken) {
  const std::string except = keyOf(exceptToken);
  const std::lock_guard lock(mutex_);
  return std::erase_if(sessions_, [&](const auto& entry) {
    return entry.second.account == account && entry.first != except;
  });
}

std::string sessionCookie(std::string_view token) {
  std::string cookie(kSessionCookie);
  cookie.append("=").append(token).append("; Path=/; Secure; HttpOnly; SameSite=Strict");
  return cookie;
}

std::string endedSessionCookie() {
  return sessionCookie("") + "; Max-Age=0";
}

std::optional<std::string> cookieValue(std::string_view field, std::string_view name) {
  std::optional<std::string> found;
  while (!field.empty()) {
    const std::size_t end = std::min(field.find(';'), field.size());
    std::string_view pair = field.substr(0, end);
    field.remove_prefix(std::min(end + 1, field.size()));
    while (!pair.empty() && (pair.front() == ' ' || pair.front() == ',')) pair.remove_prefix(1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    if (found) return std::nullopt;
    found = std::string(pair.substr(equals + 1));
  }
  return found;
}

}  // namespace waystation::access
