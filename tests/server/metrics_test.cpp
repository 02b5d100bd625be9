#include "server/metrics.h"

#include <regex>
#include <set>
#include <sstream>

#include "tests/server/application_support.h"

namespace waystation::server {
namespace {

using testing::RunningNode;

// The grammar of Prometheus' text format 0.0.4, as far as this server uses it: each metric has one
// HELP, one TYPE and one sample, in that order.
std::vector<std::string> metricsIn(const std::string& text) {
  static const std::regex help("# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) [^\\n]+");
  static const std::regex type("# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)");
  static const std::regex sample(
      "([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{[a-z_]+=\"[^\"\\\\]*\"(,[a-z_]+=\"[^\"\\\\]*\")*\\})? "
      "-?[0-9]+(\\.[0-9]+)?");
  std::vector<std::string> names;
  std::istringstream lines(text);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(std::regex_match(line, match, help)) << line;
    const std::string name = match[1];
    std::getline(lines, line);
    EXPECT_TRUE(std::regex_match(line, match, type)) << line;
    EXPECT_EQ(match[1], name);
    EXPECT_EQ(name.ends_with("_total"), match[2] == "counter") << name;
    std::getline(lines, line);
    EXPECT_TRUE(std::regex_match(line, match, sample)) << line;
    EXPECT_EQ(match[1], name);
    names.push_back(name);
  }
  EXPECT_TRUE(text.ends_with('\n'));
  return names;
}

TEST(Metrics, AreAnsweredToPrometheusInItsGrammarWithoutAnythingPersonal) {
  RunningNode office(Role::kOffice, "NBO");
  office.start();
  office.person("Zebrafinch");
  http::Client client(office.peopleSettings());
  const http::ClientResponse answer = client.send("GET", "/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const std::vector<std::string> names = metricsIn(answer.body);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_GE(names.size(), 14U);
  EXPECT_NE(answer.body.find("waystation_records 1\n"), std::string::npos) << answer.body;
  EXPECT_EQ(answer.body.find("Zebrafinch"), std::string::npos);
  EXPECT_EQ(answer.body.find("amina"), std::string::npos);
}

}  // namespace
}  // namespace waystation::server
