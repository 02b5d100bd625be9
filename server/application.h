#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "server/access/entrance.h"
#include "server/daily_backup.h"
#include "server/http/router.h"
#include "server/http/server.h"
#include "server/http/sync_client.h"
#include "server/http/sync_endpoint.h"
#include "server/log.h"
#include "server/mark_keeper.h"
#include "server/node.h"
#include "server/page_key_rotation.h"

namespace waystation::server {

struct ApplicationSettings {
  std::optional<std::uint16_t> port;      // else the node's own; 0: any free one
  std::optional<std::uint16_t> syncPort;  // likewise; HQ only
  std::optional<std::string> address;     // else the node's own
  std::filesystem::path web;              // the built client; empty: none
  http::SyncTimes times;
  const Log* log = nullptr;    // borrowed; nullptr: nothing is said
  std::function<void()> lock;  // what POST /api/v1/lock has done; none: it is not answered
};

// All that runs in `waystation serve`: the people's server, and at HQ the offices' server, at an
// office the link to HQ.
class Application {
 public:
  // Borrows the node, and hears of its commits while it lives.
  explicit Application(Node& node, ApplicationSettings settings = {});
  ~Application();  // stops

  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  // Listens; from its return on, everything is answered. Throws Failure("http.*"), ("tls.*").
  void start();
  // Ends within 2 s.
  void stop();

  // From start() on.
  std::string url() const;
  std::uint16_t port() const { return people_->port(); }
  std::uint16_t syncPort() const;  // 0 at an office without phones

  // What GET /api/v1/sync and `waystation status` say; nothing personal.
  http::Json status();

  // What GET /metrics says.
  std::string metrics();

  // The node has another certificate: connections that begin from now on get it. Or it goes by
  // other hosts: requests from now on may name them.
  void certificateChanged();

  // At an office: answers its phones, from its first token for one on; does nothing the next time.
  // Throws as start().
  void listenForPhones();

  // Has what the settings say done: the owner closes the store.
  void lock();

  // Who is logged in.
  access::Entrance& entrance() { return entrance_; }

  // nullptr at HQ.
  http::SyncClient* syncClient() { return syncClient_.get(); }

 private:
  void committed(bool forHub, bool forLeaves);
  void say(LogLevel level, std::string_view event, http::Json fields) const;
  http::ServerSettings leavesSettings(const std::string& authorityPem);
  http::Json leavesState();
  void addPageKeys(http::Json& status);
  void logBackup(const DailyBackup::Attempt& attempt) const;
  // Codes of what GET /health warns of.
  http::Json warnings() const;

  Node& node_;
  ApplicationSettings settings_;
  http::Router peopleRouter_;
  http::Router syncRouter_;
  access::Entrance entrance_;
  std::unique_ptr<http::SyncEndpoint> endpoint_;
  std::unique_ptr<http::SyncClient> syncClient_;  // office
  std::unique_ptr<http::Server> people_;
  mutable std::mutex leavesMutex_;
  std::unique_ptr<http::Server> leaves_;  // at HQ for offices, at an office for its phones
  PageKeyContinuation pageKeys_;
  MarkKeeper mark_;
  bool isRunning_ = false;
  DailyBackup backups_;
};

}  // namespace waystation::server
