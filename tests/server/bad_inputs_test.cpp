// What a hostile or broken client may send to the people's port: each input over a real connection
// to a real server with a real store. Every one is answered or cut, none is carried out.

#include <iomanip>
#include <iostream>

#include "server/http/api_routes.h"
#include "tests/server/application_support.h"

namespace waystation::http {
namespace {

using testing::RawConnection;

constexpr std::string_view kStatusLine = "HTTP/1.1 ";
constexpr const char* kHost = "Host: office-one\r\n";

struct Input {
  const char* what;
  std::string bytes;
  std::vector<int> statuses;  // any of these; 0: cut without an answer
};

class BadInputs : public ::testing::Test {
 protected:
  BadInputs() {
    const Json row = {{"role", "caseworker"},
                      {"programmes", Json::object()},
                      {"language", "en"},
                      {"hash", "none"}};
    node_->write(
        [&](sync::Work& work) { work.store().setMeta("account.amina", canonicalJson(row)); });
    token_ = entrance_.open("amina");
  }

  void start(const ServerLimits& limits = {}) {
    addApiRoutes(router_, *node_, entrance_,
                 {[] { return Json::object(); }, [] { return std::uint16_t{0}; }});
    ServerSettings settings = testing::serverSettings();
    settings.limits = limits;
    settings.hosts = {"office-one"};
    server_ = std::make_unique<Server>(settings, router_);
    server_->start();
  }

  // A whole request that saves a person, were it carried out.
  std::string saving(const std::string& extraHeads = "") const {
    const std::string body = savingBody();
    return "POST /api/v1/changes HTTP/1.1\r\n" + std::string(kHost) + bearer() +
           "Content-Type: application/json\r\n" + extraHeads +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  static std::string savingBody() {
    return R"({"edits":[{"record":"new:1","kind":"person","fields":{"given_name":"Canary"}}]})";
  }

  std::string bearer() const { return "Authorization: Bearer " + token_ + "\r\n"; }

  // The same with this body, or with these heads in place of Content-Length.
  std::string posting(const std::string& path, const std::string& body) const {
    return "POST " + path + " HTTP/1.1\r\n" + kHost + bearer() +
           "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }

  std::string framed(const std::string& heads, const std::string& rest) const {
    return "POST /api/v1/changes HTTP/1.1\r\n" + std::string(kHost) + bearer() +
           "Content-Type: application/json\r\n" + heads + "\r\n" + rest;
  }

  std::string getting(const std::string& target, const std::string& heads = "") const {
    return "GET " + target + " HTTP/1.1\r\n" + kHost + bearer() + heads + "\r\n";
  }

  std::int64_t records() {
    return node_->read([](storage::Store& store) { return store.countRecords(""); });
  }

  bool answersHonestly() {
    Client client(testing::clientSettings(*server_));
    return client.send("GET", "/api/v1/records", {{"Authorization", "Bearer " + token_}}).status ==
           200;
  }

  void tryAll(const std::vector<Input>& inputs) {
    for (const Input& input : inputs) tryOne(input);
    EXPECT_TRUE(answersHonestly());
    std::cout << inputs.size() << " inputs, " << records() << " of them carried out\n";
  }

  void tryOne(const Input& input) {
    RawConnection connection(server_->port());
    connection.send(input.bytes);
    connection.endSending();
    const std::string said = connection.readToEnd();
    const int status = testing::statusIn(said);
    EXPECT_NE(std::find(input.statuses.begin(), input.statuses.end(), status), input.statuses.end())
        << input.what << ": " << said.substr(0, 300);
    std::string code;
    if (const std::size_t at = said.find("\"code\":\""); at != std::string::npos) {
      code = said.substr(at + 8, said.find('"', at + 8) - at - 8);
    }
    std::size_t answers = 0;
    for (std::size_t at = said.find(kStatusLine); at != std::string::npos;
         at = said.find(kStatusLine, at + 1)) {
      if (std::isdigit(said[at + kStatusLine.size()]) != 0) ++answers;
    }
    EXPECT_LE(answers, 1U) << input.what << ": a second request was answered";
    EXPECT_EQ(records(), 0) << input.what << " was carried out";
    std::cout << "| " << std::left << std::setw(46) << input.what << " | " << status << " | "
              << std::setw(28) << code << " |\n";
  }

  waystation::testing::TempDirectory directory_;
  std::unique_ptr<server::Node> node_ =
      waystation::testing::makeNode(directory_.path() / "node", server::Role::kOffice, "NBO");
  access::Entrance entrance_{*node_};
  Router router_;
  std::unique_ptr<Server> server_;
  std::string token_;
};

TEST_F(BadInputs, FramingThatCanBeReadInTwoWays) {
  start();
  const std::string body = savingBody();
  const std::string size = std::to_string(body.size());
  const std::string chunk = [&] {
    std::ostringstream text;
    text << std::hex << body.size();
    return text.str();
  }();
  const std::string smuggled = saving();
  const std::string te = "Transfer-Encoding: chunked\r\n";
  tryAll({
      {"length and chunked",
       framed("Content-Length: " + size + "\r\n" + te, "0\r\n\r\n" + smuggled),
       {400}},
      {"two lengths",
       framed("Content-Length: " + size + "\r\nContent-Length: 0\r\n", smuggled),
       {400}},
      {"two lengths that agree",
       framed("Content-Length: " + size + "\r\nContent-Length: " + size + "\r\n", body),
       {400}},
      {"length -1", framed("Content-Length: -1\r\n", smuggled), {400}},
      {"length +5", framed("Content-Length: +5\r\n", smuggled), {400}},
      {"length 0x5", framed("Content-Length: 0x5\r\n", smuggled), {400}},
      {"length 2^64", framed("Content-Length: 18446744073709551616\r\n", body), {400, 413}},
      {"gzip, chunked",
       framed("Transfer-Encoding: gzip, chunked\r\nContent-Length: 0\r\n", smuggled),
       {400, 501}},
      {"chunked, spelled oddly", framed("Transfer-Encoding: xchunked\r\n", smuggled), {400, 501}},
      {"chunk size of nine digits", framed(te, "000000001\r\nx\r\n0\r\n\r\n"), {400}},
      {"chunk size with a sign", framed(te, "+1\r\nx\r\n0\r\n\r\n"), {400}},
      {"chunk with an extension", framed(te, chunk + ";x=y\r\n" + body + "\r\n0\r\n\r\n"), {400}},
      {"trailers", framed(te, chunk + "\r\n" + body + "\r\n0\r\nX: y\r\n\r\n"), {400}},
      {"chunk longer than it says", framed(te, "1\r\n" + body + "\r\n0\r\n\r\n"), {400}},
      {"line feeds alone",
       "POST /api/v1/changes HTTP/1.1\nHost: office-one\nContent-Length: 0\n\n" + smuggled,
       {400}},
      {"space before the colon", framed("Content-Length : " + size + "\r\n", body), {400}},
      {"a folded line",
       framed("X-Folded: a\r\n b\r\nContent-Length: " + size + "\r\n", body),
       {400}},
      {"lines without a colon",
       "GET /health HTTP/1.1\r\n" + std::string(3000, 'x') + "\r\n\r\n",
       {400}},
      {"no length", framed("", smuggled), {411}},
      {"a body on GET",
       getting("/health", "Content-Length: " + std::to_string(smuggled.size()) + "\r\n") + smuggled,
       {200, 400}},
      {"a body cut short",
       framed("Content-Length: " + std::to_string(body.size() + 1) + "\r\n", body),
       {400, 0}},
      {"a chunked body cut short", framed(te, chunk + "\r\n" + body), {400, 0}},
      {"a body of 5 GB", framed("Content-Length: 5000000000\r\n", ""), {413}},
      {"HTTP/1.0", "GET /health HTTP/1.0\r\n\r\n", {505}},
      {"HTTP/0.9", "GET /health\r\n", {400, 505}},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505, 501}},
      {"NUL in a head", getting("/health", std::string("X: a\0b\r\n", 8)), {400}},
  });
}

TEST_F(BadInputs, HeadsAndTargetsThatAreNotOurs) {
  start();
  std::string many;
  for (int i = 0; i < 101; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  std::string ranges = "Range: bytes=0-1";
  for (int i = 0; i < 999; ++i) ranges += "," + std::to_string(i) + "-";
  tryAll({
      {"101 heads", getting("/health", many), {431}},
      {"a head of 8 kB", getting("/health", "X: " + std::string(8000, 'y') + "\r\n"), {431}},
      {"heads of 20 kB",
       getting("/health", "X: " + std::string(3000, 'y') + "\r\nY: " + std::string(3900, 'y') +
                              "\r\nZ: " + std::string(3900, 'y') + "\r\nA: " +
                              std::string(3900, 'y') + "\r\nB: " + std::string(3900, 'y') + "\r\n"),
       {431}},
      {"a target of 20 kB", getting("/" + std::string(20000, 'x')), {414}},
      {"%2e%2e%2f", getting("/%2e%2e%2f%2e%2e%2fetc/passwd"), {400}},
      {"../..", getting("/../../etc/passwd"), {400}},
      {"%00", getting("/api/v1/records/%00"), {400}},
      {"an overlong slash", getting("/%c0%af"), {400}},
      {"a name given twice", getting("/api/v1/records?kind=a&kind=b"), {400}},
      {"no Host", "GET /health HTTP/1.1\r\n\r\n", {400}},
      {"two Hosts", "GET /health HTTP/1.1\r\nHost: office-one\r\nHost: evil\r\n\r\n", {400}},
      {"a name of another site (DNS rebinding)",
       "GET /api/v1/records HTTP/1.1\r\nHost: rebound.example\r\n" + bearer() + "\r\n",
       {421}},
      {"a name of another site that begins with ours",
       "GET /api/v1/records HTTP/1.1\r\nHost: office-one.evil.example\r\n" + bearer() + "\r\n",
       {421}},
      {"TRACE", "TRACE / HTTP/1.1\r\n" + std::string(kHost) + "\r\n", {501}},
      {"CONNECT", "CONNECT evil:443 HTTP/1.1\r\n" + std::string(kHost) + "\r\n", {400, 501}},
      {"an unknown method", "BREW / HTTP/1.1\r\n" + std::string(kHost) + "\r\n", {501}},
      {"a method that the address does not take",
       "DELETE /health HTTP/1.1\r\n" + std::string(kHost) + "\r\n",
       {405}},
      {"a full address as the target", getting("https://evil/health"), {400}},
      {"1,000 ranges", getting("/health", ranges + "\r\n"), {200, 416, 431}},
      {"CR LF in an encoded word",
       getting("/health", "X: =?utf-8?q?a=0D=0AX-Evil:_b?=\r\n"),
       {200}},
      {"an expectation", framed("Expect: miracle\r\nContent-Length: 1\r\n", "x"), {417}},
  });
}

TEST_F(BadInputs, JsonThatIsNotAsItShouldBe) {
  start();
  const auto fields = [](const std::string& text) {
    return R"({"edits":[{"record":"new:1","kind":"person","fields":{)" + text + "}}]}";
  };
  const auto edit = [](const std::string& more) {
    return R"({"record":"new:1","kind":"person","fields":{"given_name":"A"})" + more + "}";
  };
  const auto edits = [](const std::vector<std::string>& all) {
    std::string list;
    for (const std::string& one : all) list += (list.empty() ? "" : ",") + one;
    return R"({"edits":[)" + list + "]}";
  };
  const auto save = [&](const std::string& body) { return posting("/api/v1/changes", body); };
  tryAll({
      {"a key twice", save(fields(R"("given_name":"A","given_name":"B")")), {400}},
      {"a key twice, one of them escaped",
       save(fields(R"("given_name":"A","given\u005fname":"B")")),
       {400}},
      {"10,000 levels", save(std::string(10000, '[') + std::string(10000, ']')), {400}},
      {"10,000 levels that do not end", save(std::string(10000, '[')), {400}},
      {"1e999", save(fields(R"("given_name":1e999)")), {400, 422}},
      {"NaN", save(fields(R"("given_name":NaN)")), {400}},
      {"30 digits", save(fields(R"("given_name":123456789012345678901234567890)")), {400}},
      {"a lone surrogate", save(fields(R"("given_name":"\ud800")")), {400}},
      {"bytes that are not UTF-8", save(fields("\"given_name\":\"\xff\xfe\"")), {400}},
      {"an overlong NUL", save(fields("\"given_name\":\"\xc0\x80\"")), {400}},
      {"U+0000", save(fields(R"("given_name":"\u0000")")), {400}},
      {"a byte order mark", save("\xef\xbb\xbf" + savingBody()), {400}},
      {"text behind the text", save(savingBody() + "{}"), {400}},
      {"comments", save("/* */" + savingBody()), {400}},
      {"an unknown field", save(fields(R"("given_name":"A","is_admin":true)")), {422}},
      {"a reserved field", save(fields(R"("given_name":"A","_custody":"EVIL")")), {422}},
      {"an unknown member of an edit", save(edits({edit(R"(,"role":"x")")})), {422}},
      {"a day of the year 2999",
       save(fields(R"("given_name":"A","birth_date":"2999-01-01")")),
       {422}},
      {"a day that there is not",
       save(fields(R"("given_name":"A","birth_date":"2026-02-30")")),
       {422}},
      {"a record twice", save(edits({edit(""), edit("")})), {422}},
      {"a record that is not there",
       save(R"({"edits":[{"record":"00000000-0000-0000-0000-000000000001","fields":{}}]})"),
       {404}},
      {"a text in place of the edits", save(R"({"edits":"x"})"), {422}},
      {"5 MB", save("\"" + std::string(5 << 20, 'x') + "\""), {413}},
      {"an entity bomb as XML",
       "POST /api/v1/changes HTTP/1.1\r\n" + std::string(kHost) + bearer() +
           "Content-Type: application/xml\r\nContent-Length: 4\r\n\r\n<!D>",
       {415}},
      {"JSON as text/plain",
       "POST /api/v1/changes HTTP/1.1\r\n" + std::string(kHost) + bearer() +
           "Content-Type: text/plain\r\nContent-Length: " + std::to_string(savingBody().size()) +
           "\r\n\r\n" + savingBody(),
       {415}},
  });
}

TEST_F(BadInputs, PagesOfOtherSitesAndSessionsThatAreNone) {
  start();
  const std::string cookie = "__Host-waystation=" + token_;
  const auto with = [](const std::string& heads) {
    const std::string body = savingBody();
    return "POST /api/v1/changes HTTP/1.1\r\n" + std::string(kHost) +
           "Content-Type: application/json\r\n" + heads +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  const auto logIn = [this](const std::string& body) { return posting("/api/v1/session", body); };
  tryAll({
      {"Origin of another site", saving("Origin: https://evil.example\r\n"), {403}},
      {"Origin null", saving("Origin: null\r\n"), {403}},
      {"Origin without TLS", saving("Origin: http://office-one\r\n"), {403}},
      {"Sec-Fetch-Site: cross-site", saving("Sec-Fetch-Site: cross-site\r\n"), {403}},
      {"Sec-Fetch-Site: same-site", saving("Sec-Fetch-Site: same-site\r\n"), {403}},
      {"no session", with(""), {401}},
      {"a session made up", with("Authorization: Bearer " + std::string(43, 'A') + "\r\n"), {401}},
      {"a session of 10 kB",
       with("Authorization: Bearer " + std::string(4000, 'A') + "\r\n"),
       {401}},
      {"the cookie twice", with("Cookie: " + cookie + "; " + cookie + "\r\n"), {401}},
      {"the cookie under a name without prefix",
       with("Cookie: waystation=" + token_ + "\r\n"),
       {401}},
      {"a name that is no text", logIn(R"({"user":1,"password":"x"})"), {400}},
      {"no password", logIn(R"({"user":"amina"})"), {400}},
      {"a password of 1 MB",
       logIn(R"({"user":"amina","password":")" + std::string(1 << 20, 'x') + "\"}"),
       {401}},
      {"U+0000 in a password", logIn(R"({"user":"amina","password":"a\u0000b"})"), {400}},
  });
  entrance_.sessions().closeAll("amina");
  tryOne({"a session that was ended", saving(), {401}});
  token_ = entrance_.open("amina");
}

TEST_F(BadInputs, WhatIsNoTlsIsCutAndHarmsNobody) {
  start();
  const auto sendPlain = [&](const std::string& bytes) {
    Poco::Net::StreamSocket socket(Poco::Net::SocketAddress("127.0.0.1", server_->port()));
    socket.setReceiveTimeout(Poco::Timespan(20, 0));
    socket.sendBytes(bytes.data(), static_cast<int>(bytes.size()));
    std::string said;
    std::array<char, 4096> buffer;
    try {
      while (true) {
        const int count = socket.receiveBytes(buffer.data(), buffer.size());
        if (count <= 0) break;
        said.append(buffer.data(), static_cast<std::size_t>(count));
      }
    } catch (const Poco::Exception&) {
      // Reset: cut all the same.
    }
    return said;
  };
  EXPECT_EQ(sendPlain(saving()).find(" 200 "), std::string::npos);
  sendPlain(std::string("\x16\x03\x01\xff\xff", 5) + std::string(2000, '\xff'));
  sendPlain(std::string("\x16\x03\x02\x00\x2f\x01\x00\x00\x2b\x03\x02", 11) +
            std::string(41, '\1'));
  EXPECT_EQ(records(), 0);
  EXPECT_TRUE(answersHonestly());
  EXPECT_GE(server_->counters().failedHandshakes, 2U);
}

TEST_F(BadInputs, FiveHundredSlowClientsDoNotHoldUpAnHonestOne) {
  constexpr int kSlow = 500;
  constexpr int kAsked = 300;
  ServerLimits limits;
  // All come from one address here, and none is to be rid of before the end.
  limits.connectionsPerAddress = kSlow + 8;
  limits.headTime = std::chrono::minutes(10);
  start(limits);
  std::vector<std::unique_ptr<RawConnection>> slow;
  for (int i = 0; i < kSlow; ++i) {
    slow.push_back(std::make_unique<RawConnection>(server_->port()));
    slow.back()->send(i % 2 == 0 ? "GET /hea" : framed("Content-Length: 100\r\n", "{"));
  }
  Client client(testing::clientSettings(*server_));
  std::vector<double> milliseconds;
  for (int i = 0; i < kAsked; ++i) {
    slow[static_cast<std::size_t>(i) % slow.size()]->send("x");
    const auto begin = std::chrono::steady_clock::now();
    const ClientResponse answer =
        client.send("GET", "/api/v1/records", {{"Authorization", "Bearer " + token_}});
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    milliseconds.push_back(took.count());
    ASSERT_EQ(answer.status, 200);
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  std::cout << kSlow << " slow clients, " << kAsked << " honest requests answered: median "
            << milliseconds[kAsked / 2] << " ms, p99 " << milliseconds[kAsked * 99 / 100]
            << " ms\n";
  EXPECT_EQ(records(), 0);
}

}  // namespace
}  // namespace waystation::http
