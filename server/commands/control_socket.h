#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "server/commands/command.h"

namespace waystation::commands {

// The running server takes commands on DATA/control, a Unix stream socket of mode 0600; whoever is
// its user (or root) needs no passphrase. One command a connection, lines of JSON both ways:
//
//   -> {"command": "user add", "options": {"name": "ana", ...}}
//   <- {"out": text} | {"err": text} | {"progress": [done, total, rows]}   any number of them
//   <- {"exit": code} or {"failed": code, "sentence": text}                the last one
//
// A client that hangs up cancels its command.
class ControlServer {
 public:
  // Runs a command on the live node; called in a thread of the session's own.
  using Runner = std::function<int(const Command&, const Options&, Output&)>;

  // Listens at once, in the place of a socket that a killed server left. The caller holds the
  // directory's lock. Throws Failure("control.cannot-listen").
  ControlServer(const std::filesystem::path& directory, Runner runner);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // Takes no more commands and cancels those that run; `join` waits for them and removes the
  // socket. A command in the middle of a transaction ends it first.
  void cancel();
  void join();

 private:
  class Listener;
  std::unique_ptr<Listener> listener_;
};

// Has the running server do it and shows what it says; nullopt where no server listens. Throws the
// command's Failure, ("control.ended") where the server ended first, ("command.cancelled").
std::optional<int> runInServer(const std::filesystem::path& directory, const Command& command,
                               const Options& options, Output& output);

}  // namespace waystation::commands
