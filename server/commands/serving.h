#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "server/application.h"
#include "server/commands/command.h"
#include "server/directory_lock.h"
#include "server/hub_unlock.h"
#include "server/locked_server.h"

namespace waystation::commands {

// What `waystation serve` runs: a node that is locked, and then, from its unlocking on, an open one
// with its application. There is no way back but a new start: what the process had in memory goes
// with it (docs/decisions, "Locking is a new start").
class Serving {
 public:
  struct Settings {
    std::filesystem::path directory;
    server::ApplicationSettings application;
    std::string host;            // for the addresses that it tells of
    bool asksHub = true;         // for its half of the share, while locked
    std::function<void()> wake;  // from any thread: makes the owner call doWhatWasAsked()
  };

  // Throws Failure("node.missing").
  Serving(Settings settings, Output& output);
  ~Serving();
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  // With a secret the node is opened, and what that throws is thrown; else it is served locked.
  // Throws Failure("node.in-use").
  void begin(const std::optional<crypto::SlotSecret>& secret);
  // Tells where it answers, now and whenever that changes. Once commands can be taken.
  void tell();
  // Runs a command of the control socket, in its thread.
  int run(const Command& command, const Options& options, Output& output);

  // The owner's thread only.
  void doWhatWasAsked();
  bool isToLock() const { return isToLock_; }
  // Ends what people do, and answers who waits; the node stays open for commands that end.
  void stop();
  // The ports in use, to be taken again.
  std::uint16_t port() const;
  std::uint16_t syncPort() const {
    return application_ ? application_->syncPort() : std::uint16_t{0};
  }

 private:
  struct Unlocking {
    crypto::SlotSecret secret;
    std::promise<void> done;
  };

  void serveLocked();
  void hold();
  void open(const crypto::SlotSecret& secret);
  void startApplication();
  void unlock(const crypto::SlotSecret& secret);
  std::future<void> askToUnlock(crypto::SlotSecret secret);
  void askToLock();
  int runLocked(const Command& command, const Options& options, Output& output);
  void tellLocked(Output& output);

  Settings settings_;
  Output& output_;
  const server::NodeConfig config_;
  std::optional<server::DirectoryLock> lock_;  // while no node holds it
  std::unique_ptr<server::LockedServer> lockedServer_;
  std::unique_ptr<server::Node> node_;
  std::unique_ptr<server::Application> application_;
  bool isTelling_ = false;
  std::atomic<bool> isToLock_ = false;
  std::mutex mutex_;
  // All below guarded by mutex_.
  bool isOpen_ = false;  // from then on node_ and application_ stand
  bool isStopping_ = false;
  std::deque<Unlocking> unlockings_;
  std::shared_ptr<server::HubUnlock> hubUnlock_;
};

// What the running server answers to `lock` when it has begun to: it is not locked yet.
inline constexpr int kLocking = 3;
// Asks it until it is.
int waitUntilLocked(const Options& options, Output& output);

// How the secret for `unlock` travels to the server.
void putSecret(Options& options, const crypto::SlotSecret& secret);

}  // namespace waystation::commands
