#pragma once

#include <functional>
#include <string>

#include "server/access/accounts.h"
#include "server/access/sessions.h"
#include "server/http/router.h"
#include "server/node.h"

namespace waystation::access {

// The door of the people's API: who asks, and whether the request comes from our own pages.
class Entrance {
 public:
  using Handler =
      std::function<http::Response(http::Request&, const http::PathParameters&, const Account&)>;

  // Borrows the node.
  explicit Entrance(server::Node& node);

  // POST and DELETE /api/v1/session.
  void addRoutes(http::Router& router);

  // A handler that is called only for people who are logged in, and for requests that change
  // something only from our own origin. `isUse`: see Sessions::find.
  http::Handler forPeople(Handler handler, bool isUse = true);

  // Throws Failure("access.cross-origin") for a request that changes something and that a page of
  // another origin made; a program that is no browser sends neither header.
  static void requireSameOrigin(const http::Request& request);

  // A session for an account that has proved who it is: its token.
  std::string open(const std::string& account) { return sessions_.open(account); }

  Sessions& sessions() { return sessions_; }
  Logins& logins() { return logins_; }

  // The token that a request bears, or nothing.
  static std::optional<std::string> tokenOf(const http::Request& request);

  // The request's JSON body. Throws Failure("http.media-type"), ("http.body-too-large"),
  // ("json.*").
  static http::Json jsonBody(http::Request& request);

 private:
  http::Response logIn(http::Request& request);
  http::Response logOut(http::Request& request);
  Account whoAsks(const http::Request& request, bool isUse);
  void note(const http::Request& request, const std::string& by, const char* deed);

  server::Node& node_;
  Sessions sessions_;
  Logins logins_;
};

}  // namespace waystation::access
