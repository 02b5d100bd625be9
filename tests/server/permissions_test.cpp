// Every cell of docs/spec/permissions.md, asked of the running server.

#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "crypto/hash.h"
#include "server/cases/files.h"
#include "server/http/api_routes.h"
#include "server/http/sync_endpoint.h"
#include "sync/replica.h"
#include "tests/server/application_support.h"

namespace waystation::http {
namespace {

using server::Role;
using server::testing::RunningNode;

constexpr const char* kSecret = "zebrafinch";  // what stands in sensitive fields
constexpr const char* kElsewhere = "DKR";

struct Row {
  std::string call;
  bool atHqOnly = false;
  bool custody = false;
  bool custodyAtHq = false;
  std::string about;
  std::map<std::string, std::string> cells;  // by role
};

std::vector<std::string> cut(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream parts(line.substr(1));
  for (std::string cell; std::getline(parts, cell, '|');) {
    const std::size_t first = cell.find_first_not_of(' ');
    const std::size_t last = cell.find_last_not_of(' ');
    cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return cells;
}

std::vector<Row> readTable() {
  std::ifstream file(std::string(WAYSTATION_SOURCE_DIR) + "/docs/spec/permissions.md");
  std::vector<Row> rows;
  std::vector<std::string> header;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| ")) continue;
    const std::vector<std::string> cells = cut(line);
    if (cells[0] == "call") {
      header = cells;
      continue;
    }
    Row row;
    const std::size_t end = cells[0].rfind('`');
    row.call = cells[0].substr(1, end - 1);
    row.custodyAtHq = cells[0].find(" C", end) != std::string::npos;
    row.custody = row.custodyAtHq || cells[0].find(" c", end) != std::string::npos;
    row.atHqOnly = cells[0].find(" hq", end) != std::string::npos;
    row.about = cells[1];
    for (std::size_t i = 2; i < cells.size(); ++i) row.cells[header.at(i)] = cells[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

// One of the two roots of a class: with a conflict, a note and a hand-over that waits for an
// answer.
struct Case {
  bool isSealed = false;
  bool isHere = true;
  std::string kind;
  std::string plainField;
  std::string root;
  std::string handover;
  std::string file;    // whose name and content hold the secret
  std::string upload;  // that is not finished
};

struct Person {
  std::string name;
  std::string role;           // the account's own
  std::string programmeRole;  // named for both programmes; empty: none
};

class Permissions : public ::testing::Test {
 protected:
  void prepare(Role role, const std::string& name) {
    running_ = std::make_unique<RunningNode>(role, name);
    for (const bool isSealed : {false, true}) {
      for (const bool isHere : {true, false}) makeCase(isSealed, isHere);
    }
    for (const std::string& own : access::roles()) {
      addPerson(own, "");
      addPerson("hq-operator", own);
      addPerson(own, "reader");
    }
    running_->start();
    client_ = std::make_unique<Client>(running_->peopleSettings());
  }

  server::Node& node() { return running_->node(); }

  void addPerson(const std::string& own, const std::string& inProgrammes) {
    const std::string name = own + "." + (inProgrammes.empty() ? "none" : inProgrammes);
    if (tokens_.contains(name)) return;
    Json programmes = Json::object();
    if (!inProgrammes.empty()) {
      programmes = {{"common", inProgrammes}, {"counter-trafficking", inProgrammes}};
    }
    const Json row = {
        {"role", own}, {"programmes", programmes}, {"language", "en"}, {"hash", "none"}};
    node().write(
        [&](sync::Work& work) { work.store().setMeta("account." + name, canonicalJson(row)); });
    people_.push_back({name, own, inProgrammes});
    tokens_[name] = "";
  }

  std::string save(const Json& edit) {
    const Json answer = cases::saveChanges(node(), "amina", {{"edits", {edit}}});
    return answer["records"][edit["record"].get<std::string>()]["id"].get<std::string>();
  }

  void makeCase(bool isSealed, bool isHere) {
    Case made;
    made.isSealed = isSealed;
    made.isHere = isHere;
    made.kind = isSealed ? "ct_case" : "person";
    made.plainField = isSealed ? "case_number" : "family_name";
    const std::string sensitive = isSealed ? "prs_First_Name" : "address";
    Json fields = {{made.plainField, "plainword"}, {sensitive, kSecret}};
    if (!isSealed) fields["given_name"] = "Amina";
    made.root = save({{"record", "new:1"}, {"kind", made.kind}, {"fields", fields}});
    const std::string tag = cases::showRecord(node(), made.root)["tag"].get<std::string>();
    for (const char* value : {"one", "two"}) {
      save({{"record", made.root}, {"seen", tag}, {"fields", {{made.plainField, value}}}});
    }
    const sync::RecordId root = *sync::RecordId::fromUuid(made.root);
    made.handover = node().write([&](sync::Work& work) {
      sync::DraftEdit asked;
      asked.record = work.newRecord();
      asked.isNew = true;
      asked.kind = "handover";
      asked.root = root;
      asked.writes = {{"status", "\"done\""}, {"to", sync::jsonString(node().config().name)}};
      work.save("amina", {asked});
      return asked.record.uuid();
    });
    made.file = attach(made.root, kSecret, true);
    made.upload = attach(made.root, "unfinished", false);
    cases_.push_back(made);
  }

  // Answers the file's record, or the upload.
  std::string attach(const std::string& root, const std::string& content, bool isFinished) {
    const std::string hash = crypto::toHex(crypto::view(crypto::sha256(content)));
    const Json begun =
        cases::beginUpload(node(), {{"root", root},
                                    {"name", content + ".txt"},
                                    {"size", content.size()},
                                    {"sha256", hash},
                                    {"chunks", {hash}},
                                    {"thumbnail", crypto::toBase64Url("\xff\xd8\xff" + content)}});
    const std::string upload = begun.at("upload").get<std::string>();
    if (!isFinished) return upload;
    cases::putChunk(node(), upload, "0", content);
    return cases::finishUpload(node(), "amina", upload).at("record").get<std::string>();
  }

  // As if headquarters had handed it over; until its next save.
  void moveElsewhere(const Case& about) {
    node().write([&](sync::Work& work) {
      const std::string root = sync::RecordId::fromUuid(about.root)->bytes();
      storage::RootRow row = *work.store().root(root);
      row.custody = kElsewhere;
      work.store().putRoot(root, row);
    });
  }

  ClientResponse ask(const Person& person, const std::string& method, const std::string& path,
                     const Json& body = nullptr) {
    std::string& token = tokens_[person.name];
    if (token.empty()) token = running_->application().entrance().open(person.name);
    std::map<std::string, std::string> headers = {{"Authorization", "Bearer " + token}};
    if (!body.is_null()) headers["Content-Type"] = "application/json";
    return client_->send(method, path, headers, body.is_null() ? "" : canonicalJson(body));
  }

  // A cell as the server answers it: "y", "m", "-", "." (as if it were not there) or "c".
  static std::string letterOf(const ClientResponse& answer, bool reads) {
    if (answer.status == 401) return "401";
    const bool isJson = answer.body.starts_with('{');
    const Json body = isJson ? parseJson(answer.body) : Json::object();
    const std::string code = body.value("code", "");
    if (code == "access.refused") return "-";
    if (code == "record.not-found") return ".";
    if (code == "case.not-in-custody") return "c";
    if (answer.status >= 500) return std::to_string(answer.status);
    if (!reads) return "y";
    const bool hasSecret = answer.body.find(kSecret) != std::string::npos;
    const bool isMasked = answer.body.find("\"masked\":[\"") != std::string::npos;
    return hasSecret ? (isMasked ? "both" : "y") : (isMasked ? "m" : "neither");
  }

  // What of that one record a list says.
  static std::string listed(const ClientResponse& answer, const std::string& id) {
    if (answer.status != 200) return std::to_string(answer.status);
    const Json body = parseJson(answer.body);
    for (const Json& record : body.at("records")) {
      if (record.at("id") != id) continue;
      return letterOf({200, {}, canonicalJson(record)}, true);
    }
    return "-";
  }

  struct Probe {
    std::string what;
    std::string letter;
    bool isList = false;
    bool finds = true;  // false: by a word that is masked, so masked means absent
  };

  std::vector<Probe> probes(const std::string& call, const Person& person, const Case& about);
  void checkRow(const Row& row);
  void checkCell(const Row& row, const Person& person, const Case& about);
  void checkEverything(bool isHq);

  std::unique_ptr<RunningNode> running_;
  std::unique_ptr<Client> client_;
  std::vector<Case> cases_;
  std::vector<Person> people_;
  std::map<std::string, std::string> tokens_;
  std::size_t cells_ = 0;
};

std::vector<Permissions::Probe> Permissions::probes(const std::string& call, const Person& person,
                                                    const Case& about) {
  const std::size_t space = call.find(' ');
  const std::string method = call.substr(0, space);
  std::string path = call.substr(space + 1);
  const auto list = [&](const std::string& query, bool finds) {
    return Probe{query, listed(ask(person, "GET", path + query), about.root), true, finds};
  };
  if (call == "GET /api/v1/records") {
    return {list("?limit=200", true), list("?kind=" + about.kind, true),
            list("?root=" + about.root, true), list("?q=" + std::string(kSecret), false)};
  }
  if (call == "GET /api/v1/conflicts") return {list("", true)};
  if (call == "GET /api/v1/programmes") {
    const std::string id = about.isSealed ? "counter-trafficking" : "common";
    const std::string body = ask(person, method, path).body;
    return {{"", body.find("\"id\":\"" + id + "\"") == std::string::npos ? "." : "y"}};
  }
  if (call == "POST /api/v1/changes") {
    const std::string tag = cases::showRecord(node(), about.root)["tag"].get<std::string>();
    const auto change = [&](const char* what, const Json& edit) {
      return Probe{what, letterOf(ask(person, method, path, {{"edits", {edit}}}), false)};
    };
    return {change("edit", {{"record", about.root},
                            {"seen", tag},
                            {"fields", {{about.plainField, "plainword"}}}}),
            change("new under it", {{"record", "new:1"},
                                    {"kind", "note"},
                                    {"root", about.root},
                                    {"fields", {{"subject", "Arrival"}}}})};
  }
  Json body = nullptr;
  if (method == "POST") body = Json::object();
  if (call == "POST /api/v1/handovers") {
    body = {{"root", about.root}, {"to", "NOWHERE"}, {"why", "moved"}};
  }
  if (call == "POST /api/v1/files") body = {{"root", about.root}};
  if (call == "GET /api/v1/files") {
    return {{"", letterOf(ask(person, method, path + "?root=" + about.root), true)}};
  }
  std::string id = path.find("handovers") == std::string::npos ? about.root : about.handover;
  if (path.find("files") != std::string::npos) id = method == "GET" ? about.file : about.upload;
  if (const std::size_t at = path.find("{n}"); at != std::string::npos) path.replace(at, 3, "0");
  if (const std::size_t at = path.find("{id}"); at != std::string::npos) path.replace(at, 4, id);
  if (const std::size_t at = path.find("{name}"); at != std::string::npos) {
    path.replace(at, 6, "nobody");
  }
  const bool reads = method == "GET" && call.find("{id}") != std::string::npos;
  return {{"", letterOf(ask(person, method, path, body), reads)}};
}

void Permissions::checkCell(const Row& row, const Person& person, const Case& about) {
  const bool byProgramme = row.about == "record" || row.about == "programme";
  const bool isMember = !person.programmeRole.empty();
  std::string expected = row.cells.at(byProgramme && isMember ? person.programmeRole : person.role);
  if (byProgramme && about.isSealed && !isMember) expected = ".";
  if (row.about == "accounts") {
    const bool isSupervisor = isMember && row.cells.at(person.programmeRole) == "s";
    expected = isSupervisor || expected == "y" ? "y" : "-";
  }
  const bool asksCustody = node().isHeadquarters() ? row.custodyAtHq : row.custody;
  if (expected == "y" && asksCustody && !about.isHere) expected = "c";
  if (row.custody && !about.isHere) moveElsewhere(about);
  for (const Probe& probe : probes(row.call, person, about)) {
    std::string wanted = expected;
    if (probe.isList && (wanted == "." || (wanted == "m" && !probe.finds))) wanted = "-";
    EXPECT_EQ(probe.letter, wanted)
        << row.call << " " << probe.what << " by " << person.name << " of a "
        << (about.isSealed ? "sealed" : "open") << " case " << (about.isHere ? "here" : "elsewhere")
        << " at " << node().config().name;
    ++cells_;
  }
}

void Permissions::checkRow(const Row& row) {
  if (row.about == "certificate") return;
  if (row.about == "anyone") {
    const std::size_t space = row.call.find(' ');
    Json body = nullptr;
    if (row.call.starts_with("POST")) body = Json::object();
    std::map<std::string, std::string> headers = {{"Content-Type", "application/json"}};
    const ClientResponse answer =
        client_->send(row.call.substr(0, space), row.call.substr(space + 1), headers,
                      body.is_null() ? "" : canonicalJson(body));
    EXPECT_NE(answer.status, 401) << row.call;
    EXPECT_LT(answer.status, 500) << row.call;
    ++cells_;
    return;
  }
  for (const Person& person : people_) {
    for (const Case& about : cases_) checkCell(row, person, about);
  }
  std::string path = row.call.substr(row.call.find(' ') + 1);
  if (const std::size_t at = path.find("{id}"); at != std::string::npos) path.replace(at, 4, "x");
  if (const std::size_t at = path.find("{name}"); at != std::string::npos) path.replace(at, 6, "x");
  if (const std::size_t at = path.find("{n}"); at != std::string::npos) path.replace(at, 3, "0");
  EXPECT_EQ(client_->send(row.call.substr(0, row.call.find(' ')), path).status, 401) << row.call;
  ++cells_;
}

void Permissions::checkEverything(bool isHq) {
  for (const Row& row : readTable()) {
    if (isHq || !row.atHqOnly) checkRow(row);
  }
  std::cout << "permissions at " << node().config().name << ": " << cells_
            << " cells asserted over HTTPS\n";
}

TEST_F(Permissions, AnOfficeAnswersEveryCellAsTheTableSays) {
  prepare(Role::kOffice, "NBO");
  checkEverything(false);
}

TEST_F(Permissions, HeadquartersAnswersEveryCellAsTheTableSays) {
  prepare(Role::kHeadquarters, "HQ");
  checkEverything(true);
}

TEST(PermissionsTable, NamesEveryCallThatTheServerAnswersAndNoOther) {
  std::set<std::string> listed;
  std::set<std::string> listedAtOffices;
  for (const Row& row : readTable()) {
    listed.insert(row.call);
    if (!row.atHqOnly) listedAtOffices.insert(row.call);
  }
  for (const Role role : {Role::kOffice, Role::kHeadquarters}) {
    const waystation::testing::TempDirectory directory;
    const auto node = waystation::testing::makeNode(directory.path() / "node", role, "NBO");
    access::Entrance entrance(*node);
    SyncEndpoint endpoint(*node);
    Router router;
    addApiRoutes(router, *node, entrance,
                 {[] { return Json::object(); }, [] { return std::uint16_t{0}; }});
    endpoint.addRoutes(router);
    std::set<std::string> answered;
    for (const Route& route : router.routes()) answered.insert(route.method + " " + route.pattern);
    EXPECT_EQ(answered, node->isHeadquarters() ? listed : listedAtOffices);
  }
  std::cout << "permissions: " << listed.size() << " calls answered, each has its row\n";
}

}  // namespace
}  // namespace waystation::http
