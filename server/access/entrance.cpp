#include "server/access/entrance.h"

#include "crypto/failure.h"
#include "server/audit.h"

namespace waystation::access {
namespace {

using http::Json;
using http::Request;
using http::Response;

constexpr std::size_t kMostBody = std::size_t{4} << 20;

bool isJson(const Request& request) {
  const std::string type = request.header("content-type").value_or("");
  constexpr std::string_view kJson = "application/json";
  return type.starts_with(kJson) &&
         (type.size() == kJson.size() || type[kJson.size()] == ';' || type[kJson.size()] == ' ');
}

std::string textOf(const Json& body, const char* name) {
  if (body.is_object() && body.contains(name) && body.at(name).is_string()) {
    return body.at(name).get<std::string>();
  }
  throw Failure("access.login-malformed", "A login gives 'user' and 'password'.");
}

// Told to those alone who have proved who they are.
Failure disabled() {
  return Failure("access.account-disabled",
                 "Headquarters has disabled this account. Ask your supervisor; what you saved is "
                 "kept.");
}

}  // namespace

Entrance::Entrance(server::Node& node)
    : node_(node), sessions_(node.clock(), node.random()), logins_(node, node.clock()) {}

void Entrance::addRoutes(http::Router& router) {
  router.add("POST", "/api/v1/session",
             [this](Request& request, const http::PathParameters&) { return logIn(request); });
  router.add("DELETE", "/api/v1/session",
             [this](Request& request, const http::PathParameters&) { return logOut(request); });
}

http::Handler Entrance::forPeople(Handler handler, bool isUse) {
  return [this, handler = std::move(handler), isUse](Request& request,
                                                     const http::PathParameters& parameters) {
    requireSameOrigin(request);
    const Account account = whoAsks(request, isUse);
    return handler(request, parameters, account);
  };
}

void Entrance::requireSameOrigin(const Request& request) {
  if (request.method == "GET" || request.method == "HEAD") return;
  const auto site = request.header("sec-fetch-site");
  const auto origin = request.header("origin");
  const bool siteIsOurs = !site || *site == "same-origin";
  const bool originIsOurs = !origin || *origin == "https://" + request.header("host").value_or("");
  if (siteIsOurs && originIsOurs) return;
  throw Failure("access.cross-origin",
                "This request was made by a page of another site. Nothing was changed.");
}

std::optional<std::string> Entrance::tokenOf(const Request& request) {
  constexpr std::string_view kBearer = "Bearer ";
  if (const auto field = request.header("authorization")) {
    if (!field->starts_with(kBearer)) return std::nullopt;
    return field->substr(kBearer.size());
  }
  const auto cookies = request.header("cookie");
  return cookies ? cookieValue(*cookies, kSessionCookie) : std::nullopt;
}

Json Entrance::jsonBody(Request& request) {
  if (!isJson(request)) {
    throw Failure("http.media-type", "This address takes application/json only.");
  }
  return http::parseJson(request.body.readAll(kMostBody));
}

Account Entrance::whoAsks(const Request& request, bool isUse) {
  const std::optional<std::string> token = tokenOf(request);
  const std::optional<std::string> name =
      token ? sessions_.find(*token, isUse) : std::optional<std::string>();
  // Read anew each time, so that what a role loses is lost at once.
  std::optional<Account> account = name ? findAccount(node_, *name) : std::nullopt;
  if (!account) {
    throw Failure("access.unauthenticated", "Log in first; your session may have ended.");
  }
  if (account->isDisabled) {
    sessions_.closeAll(account->name);
    throw disabled();
  }
  return std::move(*account);
}

void Entrance::note(const Request& request, const std::string& by, const char* deed) {
  node_.write([&](sync::Work& work) {
    server::noteDeed(work.store(), node_.clock(),
                     {by, deed, {}, {{"address", request.clientAddress}}});
  });
}

Response Entrance::logIn(Request& request) {
  requireSameOrigin(request);
  const Json body = jsonBody(request);
  const std::string user = textOf(body, "user");
  const std::string password = textOf(body, "password");
  const auto code = body.contains("totp") ? std::optional(textOf(body, "totp")) : std::nullopt;
  const auto account = logins_.logIn(user, password, code, request.clientAddress);
  if (!account) {
    // What was typed as a name is noted where it is one: it may be a password.
    note(request, findAccount(node_, user) ? user : std::string(), "login-failed");
    throw Failure("access.unauthenticated", "The name, the password or the code is wrong.");
  }
  if (account->isDisabled) {
    note(request, account->name, "login-failed");
    throw disabled();
  }
  note(request, account->name, "login");
  const std::string token = sessions_.open(account->name, request.clientAddress);
  Json answer = {{"user", account->name}};
  const auto wanted = body.find("token");
  if (wanted != body.end() && wanted->is_boolean() && wanted->get<bool>()) {
    answer["token"] = token;
    return http::json(200, answer);
  }
  Response response = http::json(200, answer);
  response.headers["Set-Cookie"] = sessionCookie(token);
  return response;
}

Response Entrance::logOut(Request& request) {
  requireSameOrigin(request);
  if (const std::optional<std::string> token = tokenOf(request)) {
    if (const auto name = sessions_.find(*token)) note(request, *name, "logout");
    sessions_.close(*token);
  }
  Response response = http::json(200, Json::object());
  response.headers["Set-Cookie"] = endedSessionCookie();
  return response;
}

}  // namespace waystation::access
