#include <gtest/gtest.h>

#include <new>

#include "server/http/router.h"
#include "tests/server/http_support.h"

namespace waystation::http::testing {
namespace {

Response ask(const Router& router, const std::string& method, const std::string& path) {
  StringBodyReader body("");
  Request request{method, path, path, {}, {}, "127.0.0.1", "", body};
  return router.answer(request);
}

Handler saying(const std::string& text) {
  return [text](Request&, const PathParameters& parameters) {
    Response response;
    response.body = text;
    for (const auto& [name, value] : parameters) response.body += " " + name + "=" + value;
    return response;
  };
}

TEST(HttpRouter, FindsTheHandlerAndTheParametersOfAPath) {
  Router router;
  router.add("GET", "/api/v1/records/{id}", saying("record"));
  router.add("GET", "/api/v1/records/{id}/history", saying("history"));
  router.add("POST", "/api/v1/records/{id}", saying("changed"));
  EXPECT_EQ(ask(router, "GET", "/api/v1/records/r1").body, "record id=r1");
  EXPECT_EQ(ask(router, "GET", "/api/v1/records/r1/history").body, "history id=r1");
  EXPECT_EQ(ask(router, "POST", "/api/v1/records/r1").body, "changed id=r1");
  EXPECT_EQ(ask(router, "HEAD", "/api/v1/records/r1").body, "record id=r1");
  EXPECT_EQ(ask(router, "GET", "/api/v1/records/").status, 404);
  EXPECT_EQ(ask(router, "GET", "/api/v1/records").status, 404);
}

TEST(HttpRouter, PrefersALiteralSegmentInWhateverOrderTheyCame) {
  Router router;
  router.add("GET", "/changes/{id}", saying("one"));
  router.add("GET", "/changes/feed", saying("feed"));
  EXPECT_EQ(ask(router, "GET", "/changes/feed").body, "feed");
  EXPECT_EQ(ask(router, "GET", "/changes/7").body, "one id=7");
}

TEST(HttpRouter, SaysWhichMethodsAnAddressTakes) {
  Router router;
  router.add("GET", "/a", saying("a"));
  router.add("PUT", "/a", saying("a"));
  const Response refusal = ask(router, "DELETE", "/a");
  EXPECT_EQ(refusal.status, 405);
  EXPECT_EQ(refusal.headers.at("Allow"), "GET, PUT");
  EXPECT_EQ(parseJson(refusal.body)["code"], "http.method-not-allowed");
}

TEST(HttpRouter, RefusesTwoHandlersForOneAddress) {
  Router router;
  router.add("GET", "/a", saying("a"));
  EXPECT_EQ(failureCode([&] { router.add("GET", "/a", saying("b")); }), "http.route-twice");
  EXPECT_EQ(router.routes().size(), 1U);
}

TEST(HttpRouter, MakesAProblemOfAFailure) {
  Router router;
  router.add("GET", "/{code}", [](Request&, const PathParameters& parameters) -> Response {
    throw Failure(parameters.at("code"), "What happened, and what to do.");
  });
  const std::map<std::string, int> statuses = {
      {"access.denied", 403},       {"access.unauthenticated", 401},
      {"record.not-found", 404},    {"json.duplicate-key", 400},
      {"http.body-too-large", 413}, {"case.type", 422},
      {"busy.hashing", 503},        {"store.full", 507},
      {"store.damaged", 500}};
  for (const auto& [code, status] : statuses) {
    const Response refusal = ask(router, "GET", "/" + code);
    EXPECT_EQ(refusal.status, status) << code;
    EXPECT_EQ(refusal.headers.at("Content-Type"), "application/problem+json");
    const Json told = parseJson(refusal.body);
    EXPECT_EQ(told["code"], code);
    EXPECT_EQ(told["status"], status);
    EXPECT_EQ(told["detail"], "What happened, and what to do.");
  }
}

TEST(HttpRouter, TellsNothingOfTheInsideWhenItFails) {
  Router router;
  router.add("GET", "/a", [](Request&, const PathParameters&) -> Response {
    throw std::runtime_error("passphrase hunter2 in /var/lib/secret");
  });
  const Response refusal = ask(router, "GET", "/a");
  EXPECT_EQ(refusal.status, 500);
  EXPECT_EQ(refusal.body.find("hunter2"), std::string::npos);
  EXPECT_EQ(parseJson(refusal.body)["code"], "internal.error");
}

}  // namespace
}  // namespace waystation::http::testing
