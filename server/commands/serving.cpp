#include "server/commands/serving.h"

#include <chrono>
#include <thread>

#include "crypto/hash.h"
#include "server/audit.h"
#include "server/commands/key_slot_access.h"

namespace waystation::commands {
namespace {

using http::Json;

constexpr const char* kKind = "secret-kind";
constexpr const char* kSecret = "secret";
constexpr std::chrono::seconds kForeignWork{10};

crypto::SlotSecret secretIn(const Options& options) {
  const std::int64_t kind = options.number(kKind, 1, 5).value_or(1);
  return {static_cast<crypto::SlotKind>(kind),
          crypto::Secret::copyOf(crypto::fromBase64Url(options.text(kSecret)))};
}

void log(const server::ApplicationSettings& settings, server::LogLevel level,
         std::string_view event, Json fields) {
  if (settings.log != nullptr) settings.log->write(level, event, std::move(fields));
}

Failure ended() {
  return Failure("control.ended", "The server ended before this was done. Nothing was changed.");
}

}  // namespace

Serving::Serving(Settings settings, Output& output)
    : settings_(std::move(settings)),
      output_(output),
      config_(server::Node::readConfig(settings_.directory)) {
  settings_.application.lock = [this] { askToLock(); };
}

Serving::~Serving() {
  stop();
}

void Serving::begin(const std::optional<crypto::SlotSecret>& secret) {
  if (!secret) return serveLocked();
  open(*secret);
  startApplication();
}

// A command may have the directory for a moment: where the server locked, and where it failed to
// open.
void Serving::hold() {
  const auto deadline = std::chrono::steady_clock::now() + kForeignWork;
  while (!lock_) {
    if (auto taken = server::DirectoryLock::tryTake(settings_.directory)) {
      lock_.emplace(std::move(*taken));
      return;
    }
    if (std::chrono::steady_clock::now() > deadline) {
      lock_.emplace(server::DirectoryLock::take(settings_.directory));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void Serving::serveLocked() {
  hold();
  const std::string address = settings_.application.address.value_or(config_.address);
  const auto file = server::readLockedFile(settings_.directory);
  lockedServer_ = std::make_unique<server::LockedServer>(
      config_, file, settings_.directory, address,
      settings_.application.port.value_or(config_.port),
      settings_.application.syncPort.value_or(config_.syncPort));
  lockedServer_->start();
  settings_.application.port = lockedServer_->port();
  if (const std::uint16_t phonePort = lockedServer_->phonePort(); phonePort != 0) {
    settings_.application.syncPort = phonePort;
  }
  log(settings_.application, server::LogLevel::kInfo, "locked", Json::object());
  if (!settings_.asksHub || !file || !server::HubUnlock::isPossible(config_, *file)) return;
  const std::lock_guard lock(mutex_);
  hubUnlock_ = std::make_shared<server::HubUnlock>(
      config_, *file, [this](crypto::SlotSecret secret) { askToUnlock(std::move(secret)); });
}

void Serving::open(const crypto::SlotSecret& secret) {
  lock_.reset();
  node_ = std::make_unique<server::Node>(settings_.directory, secret,
                                         server::shareDirectory() / "programmes");
}

void Serving::startApplication() {
  application_ = std::make_unique<server::Application>(*node_, settings_.application);
  application_->start();
  {
    const std::lock_guard lock(mutex_);
    isOpen_ = true;
  }
  if (isTelling_) tell();
}

void Serving::tell() {
  isTelling_ = true;
  const std::string host = "https://" + settings_.host + ":";
  const std::string url = host + std::to_string(port());
  if (!application_) {
    output_.tell("locked " + url, {{"locked", url}});
    return;
  }
  if (node_->isHeadquarters()) {
    const std::string sync = host + std::to_string(application_->syncPort());
    output_.tell("sync " + sync, {{"sync", sync}});
  }
  output_.tell("ready " + url, {{"ready", url}});
}

std::uint16_t Serving::port() const {
  return application_ ? application_->port() : lockedServer_->port();
}

std::future<void> Serving::askToUnlock(crypto::SlotSecret secret) {
  std::promise<void> promise;
  std::future<void> done = promise.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (isStopping_) throw ended();
    unlockings_.push_back({std::move(secret), std::move(promise)});
  }
  settings_.wake();
  return done;
}

// First of all nothing on the box may open it again by itself, whatever comes of the rest.
void Serving::askToLock() {
  server::forgetBoxHalf(settings_.directory);
  isToLock_ = true;
  settings_.wake();
}

void Serving::unlock(const crypto::SlotSecret& secret) {
  if (node_) return;
  open(secret);
  node_->write([&](sync::Work& work) {
    server::noteDeed(work.store(), node_->clock(),
                     {"", "unlocked", {}, {{"way", kindName(secret.kind)}}});
  });
  log(settings_.application, server::LogLevel::kInfo, "unlocked", {{"way", kindName(secret.kind)}});
  std::shared_ptr<server::HubUnlock> asking;
  {
    const std::lock_guard lock(mutex_);
    asking.swap(hubUnlock_);
  }
  asking.reset();
  lockedServer_.reset();
  startApplication();
}

void Serving::doWhatWasAsked() {
  while (true) {
    Unlocking next;
    {
      const std::lock_guard lock(mutex_);
      if (unlockings_.empty()) return;
      next = std::move(unlockings_.front());
      unlockings_.pop_front();
    }
    try {
      unlock(next.secret);
      next.done.set_value();
    } catch (const std::exception& error) {
      const auto* failure = dynamic_cast<const Failure*>(&error);
      log(settings_.application, server::LogLevel::kWarning, "unlock-failed",
          {{"way", kindName(next.secret.kind)},
           {"code", failure != nullptr ? failure->code() : "internal.error"}});
      // Half open is no state to serve in: the process ends with what is wrong.
      if (!lockedServer_) throw;
      node_.reset();
      hold();
      if (next.secret.kind == crypto::SlotKind::kHubShare) output_.warn(error.what());
      next.done.set_exception(std::current_exception());
    }
  }
}

void Serving::stop() {
  {
    const std::lock_guard lock(mutex_);
    isStopping_ = true;
    for (Unlocking& waiting : unlockings_) {
      waiting.done.set_exception(std::make_exception_ptr(ended()));
    }
    unlockings_.clear();
  }
  std::shared_ptr<server::HubUnlock> asking;
  {
    const std::lock_guard lock(mutex_);
    asking.swap(hubUnlock_);
  }
  asking.reset();
  if (application_) application_->stop();
}

int Serving::run(const Command& command, const Options& options, Output& output) {
  bool isOpen = false;
  {
    const std::lock_guard lock(mutex_);
    isOpen = isOpen_;
  }
  if (!isOpen) return runLocked(command, options, output);
  CommandContext context{*node_, application_.get(), options, output};
  return command.run(context);
}

int Serving::runLocked(const Command& command, const Options& options, Output& output) {
  const std::string& words = command.form.words;
  if (words == "unlock") {
    askToUnlock(secretIn(options)).get();
    output.tell(config_.name + " is unlocked, at https://" + settings_.host + ":" +
                    std::to_string(application_->port()) + ".",
                {{"name", config_.name}, {"state", "open"}});
    return 0;
  }
  if (words == "lock") server::forgetBoxHalf(settings_.directory);
  if (words == "lock" || words == "status") {
    tellLocked(output);
    return 0;
  }
  throw Failure(
      "node.locked",
      config_.name + " is locked. Nothing was changed; open it with `waystation unlock`.");
}

void Serving::tellLocked(Output& output) {
  std::shared_ptr<server::HubUnlock> asking;
  {
    const std::lock_guard lock(mutex_);
    asking = hubUnlock_;
  }
  const std::string failure = asking ? asking->failure() : std::string();
  output.tell(config_.name + " is locked: it shows a page that says so, and nothing else. " +
                  "`waystation unlock` opens it.",
              {{"name", config_.name},
               {"state", "locked"},
               {"up", true},
               {"asksHeadquarters", asking != nullptr},
               {"failure", failure}});
  if (!asking) return;
  output.say("It asks headquarters for its share of the key until it has it." +
             (failure.empty() ? failure : " The last answer: " + failure));
}

void putSecret(Options& options, const crypto::SlotSecret& secret) {
  options.set(kKind, std::to_string(static_cast<int>(secret.kind)));
  options.set(kSecret, crypto::toBase64Url(secret.bytes.view()));
}

}  // namespace waystation::commands
