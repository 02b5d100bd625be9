#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "server/access/entrance.h"
#include "server/http/api_routes.h"
#include "server/http/sync_endpoint.h"
#include "tests/support/test_node.h"

namespace waystation::http {
namespace {

// "GET /api/v1/me"; "GET /sync/v1/news hq" for what only headquarters answers.
using Calls = std::set<std::string>;

constexpr const char* kOnlyAtHq = " hq";

std::string specification() {
  std::ifstream file(std::string(WAYSTATION_SOURCE_DIR) + "/docs/spec/http-api.yaml");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::size_t indentOf(const std::string& line) {
  const std::size_t first = line.find_first_not_of(' ');
  return first == std::string::npos ? 0 : first;
}

// The key of "  key: ..."; empty for what is no key.
std::string keyOf(const std::string& line) {
  const std::size_t begin = indentOf(line);
  const std::size_t end = line.find(':', begin);
  return end == std::string::npos ? std::string() : line.substr(begin, end - begin);
}

// Reads the file by its layout alone: paths at two spaces, methods at four, their keys at six.
Calls documentedCalls(const std::string& text) {
  const std::set<std::string> methods = {"get",     "put",  "post",  "delete",
                                         "options", "head", "patch", "trace"};
  std::vector<std::string> calls;
  std::istringstream lines(text);
  std::string path;
  bool inPaths = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    const std::string key = keyOf(line);
    switch (indentOf(line)) {
      case 0:
        inPaths = key == "paths";
        break;
      case 2:
        path = key;
        break;
      case 4:
        if (inPaths && methods.contains(key)) {
          std::string method = key;
          for (char& c : method) c = static_cast<char>(c - 'a' + 'A');
          calls.push_back(method + " " + path);
        }
        break;
      case 6:
        if (inPaths && key == "x-only-at" && !calls.empty()) calls.back() += kOnlyAtHq;
        break;
      default:
        break;
    }
  }
  return {calls.begin(), calls.end()};
}

Calls routesOf(server::Role role, const std::string& name) {
  const waystation::testing::TempDirectory directory;
  const auto node = waystation::testing::makeNode(directory.path() / "node", role, name);
  access::Entrance entrance(*node);
  SyncEndpoint endpoint(*node);
  Router router;
  addApiRoutes(router, *node, entrance,
               {[] { return Json::object(); }, [] { return std::uint16_t{0}; }});
  endpoint.addRoutes(router);
  Calls calls;
  for (const Route& route : router.routes()) calls.insert(route.method + " " + route.pattern);
  return calls;
}

// Everything that a node of either role answers.
const Calls& answeredCalls() {
  static const Calls all = [] {
    const Calls office = routesOf(server::Role::kOffice, "NBO");
    Calls calls = office;
    for (const std::string& call : routesOf(server::Role::kHeadquarters, "HQ")) {
      if (!office.contains(call)) calls.insert(call + kOnlyAtHq);
    }
    return calls;
  }();
  return all;
}

// What the one says and the other does not, a sentence each.
std::vector<std::string> differences(const Calls& documented, const Calls& answered) {
  std::vector<std::string> found;
  for (const std::string& call : answered) {
    if (!documented.contains(call)) found.push_back(call + " is answered and not specified");
  }
  for (const std::string& call : documented) {
    if (!answered.contains(call)) found.push_back(call + " is specified and not answered");
  }
  return found;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

using Found = std::vector<std::string>;

TEST(HttpApiSpecification, NamesExactlyTheCallsThatTheServerAnswers) {
  EXPECT_FALSE(answeredCalls().empty());
  EXPECT_EQ(differences(documentedCalls(specification()), answeredCalls()), Found());
}

TEST(HttpApiSpecification, ACallThatIsMissingInItIsFound) {
  const std::string renamed =
      replaced(specification(), "\n  /api/v1/conflicts:\n", "\n  /api/v1/quarrels:\n");
  EXPECT_EQ(differences(documentedCalls(renamed), answeredCalls()),
            Found({"GET /api/v1/conflicts is answered and not specified",
                   "GET /api/v1/quarrels is specified and not answered"}));
  const std::string otherMethod = replaced(specification(), "\n  /api/v1/changes:\n    post:\n",
                                           "\n  /api/v1/changes:\n    put:\n");
  EXPECT_EQ(differences(documentedCalls(otherMethod), answeredCalls()),
            Found({"POST /api/v1/changes is answered and not specified",
                   "PUT /api/v1/changes is specified and not answered"}));
}

TEST(HttpApiSpecification, ACallOfHeadquartersThatIsPromisedAtOfficesIsFound) {
  const std::string everywhere =
      replaced(specification(), "      operationId: keepShare\n      x-only-at: headquarters\n",
               "      operationId: keepShare\n");
  EXPECT_EQ(differences(documentedCalls(everywhere), answeredCalls()),
            Found({"PUT /sync/v1/share hq is answered and not specified",
                   "PUT /sync/v1/share is specified and not answered"}));
}

TEST(HttpApiSpecification, ARouteThatTheServerLosesIsFound) {
  Calls answered = answeredCalls();
  answered.erase("GET /health");
  answered.insert("GET /unheard-of");
  EXPECT_EQ(differences(documentedCalls(specification()), answered),
            Found({"GET /unheard-of is answered and not specified",
                   "GET /health is specified and not answered"}));
}

}  // namespace
}  // namespace waystation::http
