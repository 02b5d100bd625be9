#include <algorithm>

#include "crypto/failure.h"
#include "server/access/accounts.h"

namespace waystation::access {
namespace {

constexpr int kMostHashing = 4;
constexpr std::size_t kMostTries = 10000;
constexpr std::int64_t kForgottenAfterMs = 15 * 60 * 1000;
constexpr std::int64_t kLongestDelayMs = 60'000;
// Failures of all accounts together that an address is spared before it waits: one password tried
// on a thousand accounts fails only once with each.
constexpr int kSparedPerAddress = 30;
constexpr const char* kTotpNeeded = "access.totp-needed";

Failure totpNeeded() {
  return Failure(kTotpNeeded, "This account asks for the code of its second factor too.");
}

// "NAME\nADDRESS" -> what stands for all that come from there. No account is named so.
std::string addressKey(const std::string& key) {
  return "@" + key.substr(key.find('\n'));
}

}  // namespace

std::int64_t Logins::delayMs(int failures) {
  if (failures < 3) return 0;
  return std::min(kLongestDelayMs, std::int64_t{1000} << std::min(failures - 3, 16));
}

void Logins::forgetOld(std::int64_t nowMs) {
  std::erase_if(tries_,
                [&](const auto& entry) { return nowMs - entry.second.lastMs > kForgottenAfterMs; });
  // More than that at once is an attack from many addresses; the hashes' own cost then guards.
  if (tries_.size() >= kMostTries) tries_.clear();
}

void Logins::begin(const std::string& key) {
  const std::int64_t now = clock_.nowMs();
  const std::lock_guard lock(mutex_);
  const auto waitFor = [&](const std::string& who, int spared) -> std::int64_t {
    const auto known = tries_.find(who);
    if (known == tries_.end()) return 0;
    Tries& tries = known->second;
    tries.lastMs = std::min(tries.lastMs, now);  // a clock set back makes nobody wait longer
    return tries.lastMs + delayMs(tries.failures - spared) - now;
  };
  const std::int64_t wait = std::max(waitFor(key, 0), waitFor(addressKey(key), kSparedPerAddress));
  if (wait > 0) {
    throw Failure("access.too-soon", "After several failed tries, the next one has to wait " +
                                         std::to_string((wait + 999) / 1000) + " s.");
  }
  if (hashing_ >= kMostHashing) {
    throw Failure("busy.login", "Several people are logging in just now. Try again in a moment.");
  }
  ++hashing_;
}

void Logins::release() {
  const std::lock_guard lock(mutex_);
  --hashing_;
}

void Logins::end(const std::string& key, bool succeeded) {
  const std::int64_t now = clock_.nowMs();
  const std::lock_guard lock(mutex_);
  --hashing_;
  if (succeeded) {
    tries_.erase(key);
    return;
  }
  if (!tries_.contains(key)) forgetOld(now);
  for (const std::string& who : {key, addressKey(key)}) {
    Tries& tries = tries_[who];
    ++tries.failures;
    tries.lastMs = now;
  }
}

std::optional<Account> Logins::logIn(const std::string& name, std::string_view password,
                                     const std::optional<std::string>& code,
                                     const std::string& clientAddress) {
  // A name that no account can have is not kept: it may be a password typed into the wrong box.
  const std::string key = (isAccountName(name) ? name : std::string()) + '\n' + clientAddress;
  begin(key);
  try {
    std::optional<Account> account = checkPassword(node_, name, password);
    const bool isCodeMissing = account && account->hasTotp && !code;
    if (account && account->hasTotp && code && !spendTotp(node_, name, *code)) account.reset();
    // A right password without its code is no failure, and does not wipe out those before it.
    if (isCodeMissing) {
      release();
      throw totpNeeded();
    }
    end(key, account.has_value());
    return account;
  } catch (const Failure& failure) {
    if (failure.code() != kTotpNeeded) end(key, false);
    throw;
  } catch (...) {
    end(key, false);
    throw;
  }
}

bool Logins::confirm(const std::string& name, std::string_view password,
                     const std::string& clientAddress) {
  const std::string key = name + '\n' + clientAddress;
  begin(key);
  bool isRight = false;
  try {
    isRight = checkPassword(node_, name, password).has_value();
  } catch (...) {
    end(key, false);
    throw;
  }
  end(key, isRight);
  return isRight;
}

}  // namespace waystation::access
