#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/http/router.h"
#include "server/http/server.h"
#include "server/intake.h"
#include "server/locked_file.h"
#include "server/node.h"

namespace waystation::server {

// The ports of a node that is locked. To people: a page that says so in every language of the
// client, `GET /health`, and 503 node.locked to all else. To an office's phones: what they send to
// POST /sync/v1/exchange is kept sealed and answered 503 node.kept.
class LockedServer {
 public:
  LockedServer(const NodeConfig& config, const std::optional<LockedFile>& file,
               const std::filesystem::path& directory, const std::string& address,
               std::uint16_t port, std::uint16_t phonePort);

  // Throws as http::Server::start.
  void start();
  std::uint16_t port() const { return people_.port(); }
  std::uint16_t phonePort() const;  // 0: no phones

 private:
  http::Router peopleRouter_;
  http::Server people_;
  std::optional<IntakeSpool> spool_;
  http::Router phonesRouter_;
  std::optional<http::Server> phones_;
};

}  // namespace waystation::server
