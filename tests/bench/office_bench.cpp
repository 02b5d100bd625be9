// How fast an office answers its people, against the same asked of its database alone, and what the
// strict reader of requests costs beside Poco's own server.
//
//   office_bench [--cases N] [--users U] [--rounds R] [--pause MS] [--quick] [--json]
//
// Makes an office of N cases, with persons and notes as a large one has them (44,000 persons and
// 300,000 notes to 26,000 cases), and serves it with the real program. U people work at once, each
// on a connection of their own: open a record, list, search, save, and a pause. Then the same is
// asked of the database without server, TLS, policy and JSON. Nothing is asserted. The office's key
// slot is a quick one: Argon2 takes as long as it is told to.

#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/SecureServerSocket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "server/access/accounts.h"
#include "server/cases/record_view.h"
#include "tests/bench/served_office.h"
#include "tests/server/application_support.h"

namespace waystation::bench {
namespace {

using http::Json;
using SteadyClock = std::chrono::steady_clock;

struct Settings {
  std::size_t cases = 2'000;
  std::size_t users = 40;
  std::size_t rounds = 20;
  std::chrono::milliseconds pause{250};
  bool json = false;
};

using Times = std::vector<double>;  // milliseconds

template <typename Action>
double timed(Action action) {
  const auto begin = SteadyClock::now();
  action();
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count();
}

double percentile(Times times, double share) {
  if (times.empty()) return 0;
  std::sort(times.begin(), times.end());
  const auto last = static_cast<double>(times.size() - 1);
  return times[static_cast<std::size_t>(std::ceil(share * last))];
}

constexpr std::array kOperations = {"open", "list", "search", "save"};

struct Measured {
  std::map<std::string, Times> served;
  std::map<std::string, Times> bare;
};

// The office's records, by the shares of a large one.
class MadeOffice {
 public:
  explicit MadeOffice(std::size_t cases) {
    node_ = waystation::testing::makeNode(directory(), server::Role::kOffice, "NBO");
    access::addAccount(*node_, {"amina", "supervisor"}, server::testing::kPassword);
    const std::size_t persons = cases * 44 / 26;
    const std::size_t notes = cases * 300 / 26;
    for (std::size_t i = 0; i < persons; ++i) {
      add("person", {{"given_name", name(i)}, {"family_name", name(i / 97)}});
    }
    flush();
    for (std::size_t i = 0; i < cases; ++i) {
      roots_.push_back(
          add("case_file", {{"case_no", "C-" + std::to_string(i)},
                            {"given_name", name(i * 7)},
                            {"summary", "Arrived by bus, asks for shelter " + name(i * 3)}}));
    }
    flush();
    for (std::size_t i = 0; i < notes; ++i) {
      add("note",
          {{"subject", "Visit " + std::to_string(i)},
           {"text", "Spoke with the family; " + name(i * 5) + " was there."}},
          roots_[i % roots_.size()]);
    }
    flush();
  }

  std::filesystem::path directory() const { return folder_.path() / "office"; }
  std::filesystem::path folder() const { return folder_.path(); }
  server::Node& node() { return *node_; }
  void close() { node_.reset(); }
  void reopen() { node_ = waystation::testing::openNode(directory()); }
  const std::vector<sync::RecordId>& roots() const { return roots_; }

  // One of some thousand names.
  static std::string name(std::size_t number) {
    constexpr std::array kParts = {"ama", "bel", "cor", "dan", "esi", "fat", "gro", "han",
                                   "ino", "jul", "kem", "lor", "mir", "nad", "oku", "pet"};
    std::string text;
    for (int i = 0; i < 3; ++i, number /= kParts.size()) text += kParts[number % kParts.size()];
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
  }

 private:
  static constexpr std::size_t kAtOnce = 500;

  sync::RecordId add(const std::string& kind, const std::map<std::string, std::string>& fields,
                     std::optional<sync::RecordId> root = std::nullopt) {
    if (!work_) {
      lease_.emplace(node_->connections().writer());
      work_ = std::make_unique<sync::Work>(node_->replica(), **lease_);
    }
    sync::DraftEdit draft;
    draft.record = work_->newRecord();
    draft.isNew = true;
    draft.kind = kind;
    draft.root = root;
    for (const auto& [field, value] : fields) {
      draft.writes.push_back({field, http::canonicalJson(value)});
    }
    work_->save("amina", {draft});
    if (++pending_ % kAtOnce == 0) flush();
    return draft.record;
  }

  void flush() {
    if (!work_) return;
    work_->commit();
    work_.reset();
    lease_.reset();
  }

  waystation::testing::TempDirectory folder_;
  std::unique_ptr<server::Node> node_;
  std::vector<sync::RecordId> roots_;
  std::optional<storage::Connections::Lease> lease_;
  std::unique_ptr<sync::Work> work_;
  std::size_t pending_ = 0;
};

// One person at work, over TLS.
class Person {
 public:
  Person(http::ClientSettings settings, std::string token, unsigned seed)
      : client_(std::move(settings)), token_(std::move(token)), random_(seed) {}

  void work(const std::vector<sync::RecordId>& roots, const Settings& settings, Measured& into) {
    for (std::size_t round = 0; round < settings.rounds; ++round) {
      const std::string id = roots[random_() % roots.size()].uuid();
      Json opened;
      const auto open = [&] { opened = ask("GET", "/records/" + id); };
      into.served["open"].push_back(timed(open));
      rest(settings);
      into.served["list"].push_back(timed([&] { ask("GET", "/records?kind=case_file"); }));
      rest(settings);
      const std::string word = MadeOffice::name(random_() % 4096);
      into.served["search"].push_back(timed([&] { ask("GET", "/records?q=" + word); }));
      rest(settings);
      const Json edit = {{"record", id},
                         {"seen", opened.at("tag")},
                         {"fields", {{"summary", "Seen again " + std::to_string(random_())}}}};
      into.served["save"].push_back(timed([&] { ask("POST", "/changes", {{"edits", {edit}}}); }));
      rest(settings);
    }
  }

 private:
  Json ask(const std::string& method, const std::string& path, const Json& body = nullptr) {
    std::map<std::string, std::string> headers = {{"Authorization", "Bearer " + token_}};
    if (!body.is_null()) headers["Content-Type"] = "application/json";
    const http::ClientResponse answer = client_.send(
        method, "/api/v1" + path, headers, body.is_null() ? "" : http::canonicalJson(body));
    if (answer.status != 200) throw std::runtime_error(path + ": " + answer.body);
    return http::parseJson(answer.body);
  }

  // Between half of the pause and one and a half.
  void rest(const Settings& settings) {
    const auto whole = static_cast<std::size_t>(settings.pause.count());
    if (whole == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(whole / 2 + random_() % whole));
  }

  http::Client client_;
  const std::string token_;
  std::mt19937 random_;
};

void workAll(const ServedOffice& office, const std::vector<sync::RecordId>& roots,
             const Settings& settings, Measured& measured) {
  http::Client client(office.settings());
  const Json login = {{"user", "amina"}, {"password", server::testing::kPassword}, {"token", true}};
  const http::ClientResponse answer =
      client.send("POST", "/api/v1/session", {{"Content-Type", "application/json"}},
                  http::canonicalJson(login));
  const std::string token = http::parseJson(answer.body).at("token").get<std::string>();
  std::vector<Measured> each(settings.users);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < settings.users; ++i) {
    threads.emplace_back([&, i] {
      Person(office.settings(), token, static_cast<unsigned>(i + 1)).work(roots, settings, each[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Measured& one : each) {
    for (const auto& [operation, times] : one.served) {
      Times& all = measured.served[operation];
      all.insert(all.end(), times.begin(), times.end());
    }
  }
}

// What the calls ask of the database, by one who does nothing else.
void askBare(MadeOffice& office, Measured& measured) {
  constexpr int kTimes = 300;
  std::mt19937 random(7);
  const auto rootAt = [&] { return office.roots()[random() % office.roots().size()].bytes(); };
  for (int i = 0; i < kTimes; ++i) {
    office.node().read([&](storage::Store& store) {
      const std::string id = rootAt();
      measured.bare["open"].push_back(timed([&] { store.record(id); }));
      storage::RecordQuery list;
      list.kind = "case_file";
      measured.bare["list"].push_back(timed([&] { store.find(list); }));
      storage::RecordQuery search;
      search.words = cases::searchQuery(MadeOffice::name(random() % 4096));
      measured.bare["search"].push_back(timed([&] { store.find(search); }));
    });
    const std::string id = rootAt();
    const storage::Connections::Lease writer = office.node().connections().writer();
    storage::Store store(*writer);
    measured.bare["save"].push_back(timed([&] {
      storage::Transaction transaction(*writer);
      const storage::RecordRow row = *store.record(id);
      store.putRecord(row);
      store.setMeta("bench.row", row.state);  // as much again, in place of the journal's entry
      transaction.commit();
    }));
  }
}

// Answers everything with the same small text.
class Answerer final : public Poco::Net::HTTPRequestHandler {
 public:
  explicit Answerer(const std::string& text) : text_(text) {}
  void handleRequest(Poco::Net::HTTPServerRequest&,
                     Poco::Net::HTTPServerResponse& response) override {
    response.setContentType("application/json");
    response.setContentLength64(static_cast<Poco::Int64>(text_.size()));
    response.send().write(text_.data(), static_cast<std::streamsize>(text_.size()));
  }

 private:
  const std::string& text_;
};

class Answerers final : public Poco::Net::HTTPRequestHandlerFactory {
 public:
  explicit Answerers(const std::string& text) : text_(text) {}
  Poco::Net::HTTPRequestHandler* createRequestHandler(
      const Poco::Net::HTTPServerRequest&) override {
    return new Answerer(text_);
  }

 private:
  const std::string& text_;
};

// The same requests to both servers in turns, on kept connections, and how long each took.
Measured compareReaders(bool quick) {
  const std::string text(500, 'x');
  http::Router router;
  router.add("GET", "/text", [&](http::Request&, const http::PathParameters&) {
    http::Response response;
    response.headers["Content-Type"] = "application/json";
    response.body = text;
    return response;
  });
  http::Server ours(http::testing::serverSettings(), router);
  ours.start();
  const Poco::Net::Context::Ptr context = new Poco::Net::Context(
      Poco::Net::Context::TLSV1_3_SERVER_USE, "", Poco::Net::Context::VERIFY_NONE);
  const crypto::KeyAndCertificate& identity = http::testing::serverIdentity();
  crypto::setUpTlsServer(context->sslContext(),
                         {identity.certificatePem, identity.privateKeyPem, "", ""});
  const Poco::Net::SecureServerSocket socket(Poco::Net::SocketAddress("127.0.0.1", 0), 64, context);
  auto* parameters = new Poco::Net::HTTPServerParams;
  parameters->setMaxKeepAliveRequests(0);
  parameters->setKeepAlive(true);
  Poco::Net::HTTPServer theirs(new Answerers(text), socket, parameters);
  theirs.start();
  http::ClientSettings toOurs = http::testing::clientSettings(ours);
  http::ClientSettings toTheirs = toOurs;
  toTheirs.port = socket.address().port();
  http::Client one(toOurs);
  http::Client other(toTheirs);
  Measured measured;
  const int turns = quick ? 3 : 20;
  constexpr int kRequests = 200;
  for (int turn = 0; turn < turns; ++turn) {
    for (int i = 0; i < kRequests; ++i) {
      measured.served["reader"].push_back(timed([&] { one.send("GET", "/text"); }));
    }
    for (int i = 0; i < kRequests; ++i) {
      measured.bare["reader"].push_back(timed([&] { other.send("GET", "/text"); }));
    }
  }
  theirs.stopAll(true);
  return measured;
}

void print(const std::string& operation, const Measured& measured, double rssMb, double readyMs,
           bool json) {
  const Times& times = measured.served.at(operation);
  const Times& bare = measured.bare.at(operation);
  const Json line = {{"operation", operation},
                     {"p50_ms", percentile(times, 0.50)},
                     {"p95_ms", percentile(times, 0.95)},
                     {"p99_ms", percentile(times, 0.99)},
                     {"bare_p50_ms", percentile(bare, 0.50)},
                     {"bare_p95_ms", percentile(bare, 0.95)},
                     {"rss_mb", rssMb},
                     {"ready_ms", readyMs}};
  if (json) {
    std::cout << line.dump() << '\n';
    return;
  }
  std::printf("%-8s %9.2f %9.2f %9.2f %12.3f %12.3f\n", operation.c_str(),
              line.at("p50_ms").get<double>(), line.at("p95_ms").get<double>(),
              line.at("p99_ms").get<double>(), line.at("bare_p50_ms").get<double>(),
              line.at("bare_p95_ms").get<double>());
}

std::optional<Settings> settingsFrom(const std::vector<std::string>& arguments) {
  Settings settings;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--json") {
      settings.json = true;
    } else if (word == "--quick") {
      settings.cases = 100;
      settings.users = 8;
      settings.rounds = 2;
      settings.pause = std::chrono::milliseconds(10);
    } else if (i + 1 == arguments.size()) {
      return std::nullopt;
    } else if (word == "--cases") {
      settings.cases = std::stoul(arguments[++i]);
    } else if (word == "--users") {
      settings.users = std::stoul(arguments[++i]);
    } else if (word == "--rounds") {
      settings.rounds = std::stoul(arguments[++i]);
    } else if (word == "--pause") {
      settings.pause = std::chrono::milliseconds(std::stoul(arguments[++i]));
    } else {
      return std::nullopt;
    }
  }
  return settings;
}

int main(const std::vector<std::string>& arguments) {
  const std::optional<Settings> settings = settingsFrom(arguments);
  if (!settings || settings->cases == 0 || settings->users == 0) {
    std::cerr << "usage: office_bench [--cases N] [--users U] [--rounds R] [--pause MS] [--quick] "
                 "[--json]\n";
    return 2;
  }
  MadeOffice office(settings->cases);
  const std::string authority = office.node().identity().authorityPem;
  office.close();
  Measured measured;
  double rssMb = 0;
  double readyMs = 0;
  {
    ServedOffice served(office.directory(), office.folder(), authority);
    readyMs = served.readyMs();
    workAll(served, office.roots(), *settings, measured);
    rssMb = served.residentMb();
  }
  office.reopen();
  askBare(office, measured);
  const bool quick = settings->cases <= 100;
  const Measured readers = compareReaders(quick);
  if (!settings->json) {
    std::printf(
        "%zu cases, %zu people at once; ready in %.0f ms, %.0f MB resident\n"
        "%-8s %9s %9s %9s %12s %12s\n",
        settings->cases, settings->users, readyMs, rssMb, "", "p50 ms", "p95 ms", "p99 ms",
        "bare p50 ms", "bare p95 ms");
  }
  for (const char* operation : kOperations) {
    print(operation, measured, rssMb, readyMs, settings->json);
  }
  print("reader", readers, rssMb, readyMs, settings->json);
  if (!settings->json) {
    std::printf("reader: one small request on a kept connection; bare is Poco's own HTTP server\n");
  }
  return 0;
}

}  // namespace
}  // namespace waystation::bench

int main(int count, char** arguments) {
  try {
    return waystation::bench::main({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
