#pragma once

#include <chrono>

#include "server/http/client.h"
#include "server/http/router.h"
#include "server/node.h"

namespace waystation::http {

// What headquarters and its offices say to each other about certificates and the share that opens
// an office after a power cut (docs/spec/sync.md, "Certificates"; docs/spec/key-slots.md, 10).

// At headquarters, for the offices' port; the first of them at an office, too, for its phones':
//
//   POST /sync/v1/certificate   {"use": "node" | "locked", "request": PEM, "hosts": [..]}
//                               -> {"certificate": PEM}; taken from one whose time is over, too
//   PUT  /sync/v1/share         {"half": base64url, sealed to headquarters} -> {}
//   POST /sync/v1/share/release -> {"half": base64url}; with the certificate for when it is locked
void addCertificateRoutes(Router& router, server::Node& hub);

// At an office: asks for what is due before the next exchange.
class CertificateKeeper {
 public:
  // Borrows the node.
  explicit CertificateKeeper(server::Node& office) : office_(office) {}

  // Whether the office's own certificate is another one now, which new connections must show.
  // Throws what Client::send throws, and what headquarters answers.
  bool keep(Client& client);

 private:
  bool renewOwn(Client& client);
  void keepDoor(Client& client);
  void handOverHalf(Client& client);

  server::Node& office_;
  // A clock that is years off would want new certificates at every exchange.
  std::chrono::steady_clock::time_point nextOwn_;
  std::chrono::steady_clock::time_point nextDoor_;
};

// While the office is locked: asks headquarters for its half of the share.
// Throws what Client::send throws, and what headquarters answers.
std::string askForHalf(Client& client);

}  // namespace waystation::http
