// Bytes, exchanges and round trips of the workloads W1 to W7, between a
// real headquarters and a real office over TLS on loopback. Application bytes are the bodies of the
// exchanges; TCP bytes are the whole payload with TLS and HTTP, as a relay in between counts them.
//
//   wire_bench --data DIR [--json] [--tables] [--records N] [--budgets NAME]
//
// DIR holds cases-10000.jsonl.zst and edits.json. Budgets are those of that name in
// tests/bench/wire_budgets.json. Exit 1 when one is exceeded. --tables shows what of the store's
// size is whose.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/failure.h"
#include "server/http/hub_call.h"
#include "server/http/hub_settings.h"
#include "sync/leaf.h"
#include "tests/bench/counting_relay.h"
#include "tests/server/application_support.h"

namespace waystation::bench {
namespace {

using http::Json;
using server::Role;
using server::testing::RunningNode;

struct Traffic {
  std::uint64_t appUp = 0;
  std::uint64_t appDown = 0;
  std::uint64_t tcpUp = 0;
  std::uint64_t tcpDown = 0;
  std::uint64_t exchanges = 0;
  std::uint64_t roundTrips = 0;
  std::uint64_t app() const { return appUp + appDown; }
  std::uint64_t tcp() const { return tcpUp + tcpDown; }
};

struct Outcome {
  std::string workload;
  Traffic traffic;
  std::size_t records = 0;
  std::optional<std::size_t> bothKept;
  std::optional<std::size_t> losingKept;
  std::string budget;
  bool ok = false;
};

// What a workload may take, application bytes both ways (W7: as a share of the same uncut).
Json budgetsNamed(const std::string& name) {
  std::ifstream file(WAYSTATION_SOURCE_DIR "/tests/bench/wire_budgets.json");
  return Json::parse(file).at("budgets").at(name);
}

struct Row {
  std::string caseNumber;
  std::vector<std::pair<std::string, std::string>> fields;  // name and JSON text
};

std::vector<Row> readRows(const std::filesystem::path& folder, std::size_t most) {
  const std::string command = "zstd -dcq '" + (folder / "cases-10000.jsonl.zst").string() + "'";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) throw std::runtime_error("zstd can't be started");
  std::string text;
  std::array<char, 65536> buffer;
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    text.append(buffer.data(), count);
  }
  std::vector<Row> rows;
  for (std::size_t at = 0; at < text.size() && rows.size() < most;) {
    const std::size_t end = text.find('\n', at);
    const auto record = nlohmann::ordered_json::parse(text.substr(at, end - at));
    Row row;
    for (const auto& [name, value] : record.items()) row.fields.emplace_back(name, value.dump());
    rows.push_back(std::move(row));
    at = end + 1;
  }
  if (rows.empty()) throw std::runtime_error("no records in " + folder.string());
  return rows;
}

// One office's side of the link, exchange by exchange, so that nothing else is on the line.
class Office {
 public:
  Office(const std::string& name, RunningNode& hq)
      : running_(Role::kOffice, name), relay_(hq.application().syncPort()) {
    running_.join(hq);
    http::ClientSettings settings = http::hubSettings(running_.node());
    settings.connectHost = "127.0.0.1";
    settings.connectPort = relay_.port();
    client_ = std::make_unique<http::Client>(settings);
  }

  server::Node& node() { return running_.node(); }
  CountingRelay& relay() { return relay_; }
  void disconnect() { client_->disconnect(); }

  // Exchanges until neither side has more. With `cut`: until the line is cut.
  Traffic exchange(bool cut = false) {
    Traffic traffic;
    const std::uint64_t up = relay_.up();
    const std::uint64_t down = relay_.down();
    const std::uint64_t opened = client_->connections();
    try {
      while (once(traffic)) {
      }
    } catch (const Failure&) {
      if (!cut) throw;
    }
    settle();
    traffic.tcpUp = relay_.up() - up;
    traffic.tcpDown = relay_.down() - down;
    traffic.roundTrips = traffic.exchanges + 2 * (client_->connections() - opened);
    return traffic;
  }

 private:
  bool once(Traffic& traffic) {
    const std::uint64_t up = call_.bytesUp();
    const std::uint64_t down = call_.bytesDown();
    const auto count = [&] {
      traffic.appUp += call_.bytesUp() - up;
      traffic.appDown += call_.bytesDown() - down;
    };
    traffic.exchanges += call_.isCut() ? 2 : 1;  // how much has come is asked first
    try {
      const sync::ExchangeOutcome outcome = call_.exchange(*client_, std::size_t{8} << 20);
      count();
      return outcome.more;
    } catch (...) {
      count();
      throw;
    }
  }

  // What the far end still sends after a cut, or TLS after an answer, has come through.
  void settle() {
    std::uint64_t before = 0;
    do {
      before = relay_.up() + relay_.down();
      usleep(20'000);
    } while (before != relay_.up() + relay_.down());
  }

  RunningNode running_;
  CountingRelay relay_;
  std::unique_ptr<http::Client> client_;
  http::HubCall call_{running_.node()};
};

struct Edit {
  std::size_t row = 0;
  std::string field;
  std::string value;  // JSON text
};

std::vector<Edit> editsOf(const Json& list, std::size_t rows) {
  std::vector<Edit> edits;
  for (const Json& edit : list) {
    const std::size_t row = edit.at("i").get<std::size_t>();
    if (row >= rows) continue;
    edits.push_back({row, edit.at("field").get<std::string>(), edit.at("value").dump()});
  }
  return edits;
}

class Bench {
 public:
  Bench(const std::filesystem::path& folder, std::size_t most, Json budgets, bool tables)
      : rows_(readRows(folder, most)), budgets_(std::move(budgets)), tables_(tables) {
    std::ifstream file(folder / "edits.json");
    edits_ = Json::parse(file);
    hq_.start();
    office_ = std::make_unique<Office>("NBO", hq_);
    office_->exchange();
  }

  std::vector<Outcome> run() {
    std::vector<Outcome> outcomes = {firstSync(), storeSize(), cold(), nothing(), oneField()};
    const Outcome thousand = thousandFields();
    outcomes.push_back(thousand);
    outcomes.push_back(differentFields());
    outcomes.push_back(sameField());
    outcomes.push_back(cutInTheMiddle(thousand));
    return outcomes;
  }

 private:
  // Each record saved by itself, as its caseworker would.
  Outcome firstSync() {
    for (std::size_t at = 0; at < rows_.size();) {
      hq_.node().write([&](sync::Work& work) {
        const std::size_t end = std::min(rows_.size(), at + 500);
        for (; at < end; ++at) ids_.push_back(born(work, rows_[at]));
      });
    }
    Outcome outcome = measured("W1", [&] { return office_->exchange(); });
    outcome.records = office_->node().read(
        [](storage::Store& store) { return static_cast<std::size_t>(store.countRecords("case")); });
    within(outcome, most("W1"));
    outcome.ok = outcome.ok && outcome.records == rows_.size();
    return outcome;
  }

  sync::RecordId born(sync::Work& work, const Row& row) {
    sync::DraftEdit edit;
    edit.record = work.newRecord();
    edit.isNew = true;
    edit.kind = "case";
    edit.writes.push_back({"_scope", "[\"NBO\"]"});
    for (const auto& [name, value] : row.fields) edit.writes.push_back({name, value});
    work.save("amina", {edit});
    return edit.record;
  }

  // The office's store once all has come and its log is in the database, without the pages of the
  // search index.
  Outcome storeSize() {
    const storage::Connections::Lease writer = office_->node().connections().writer();
    writer->execute("PRAGMA wal_checkpoint(TRUNCATE)");
    storage::Statement pages = writer->statement(
        "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name LIKE 'search%' "
        "OR name LIKE 'sqlite_autoindex_search%'");
    pages.step();
    const auto search = static_cast<std::size_t>(pages.integer(0));
    if (tables_) printTables(*writer);
    Outcome outcome;
    outcome.workload = "store";
    outcome.records = static_cast<std::size_t>(
                          std::filesystem::file_size(office_->node().directory() / "node.db")) -
                      search;
    outcome.budget = std::to_string(most("store")) + " and " + std::to_string(search) + " search";
    outcome.ok = outcome.records <= most("store");
    return outcome;
  }

  static void printTables(storage::Database& database) {
    storage::Statement tables = database.statement(
        "SELECT name, sum(pgsize), sum(payload), sum(ncell) FROM dbstat GROUP BY 1 ORDER BY 2 "
        "DESC");
    while (tables.step() && tables.integer(1) > 20'000) {
      std::printf("  %-34s %9lld bytes %9lld payload %7lld cells\n", tables.text(0).c_str(),
                  static_cast<long long>(tables.integer(1)),
                  static_cast<long long>(tables.integer(2)),
                  static_cast<long long>(tables.integer(3)));
    }
  }

  Outcome cold() {
    office_->exchange();
    office_->disconnect();
    Outcome outcome = measured("W2 cold", [&] { return office_->exchange(); });
    outcome.budget = std::to_string(most("cold_tcp")) + " of TCP, 3 round trips";
    outcome.ok = outcome.traffic.tcp() <= most("cold_tcp") && outcome.traffic.roundTrips <= 3;
    return outcome;
  }

  Outcome nothing() {
    Outcome outcome = measured("W2", [&] { return office_->exchange(); });
    within(outcome, most("W2"));
    outcome.budget += ", TCP " + std::to_string(most("idle_tcp"));
    outcome.ok = outcome.ok && outcome.traffic.tcp() <= most("idle_tcp");
    return outcome;
  }

  Outcome oneField() {
    const std::vector<Edit> edits = editsOf(edits_.at("W3"), rows_.size());
    apply(office_->node(), edits, "brahim");
    Outcome outcome = measured("W3", [&] { return office_->exchange(); });
    outcome.records = arrived(edits);
    within(outcome, most("W3"));
    outcome.ok = outcome.ok && outcome.records == edits.size();
    return outcome;
  }

  Outcome thousandFields() {
    const std::vector<Edit> edits = editsOf(edits_.at("W4"), rows_.size());
    apply(office_->node(), edits, "brahim");
    Outcome outcome = measured("W4", [&] { return office_->exchange(); });
    outcome.records = arrived(edits);
    within(outcome, most("W4"));
    outcome.ok = outcome.ok && outcome.records == edits.size();
    return outcome;
  }

  Outcome differentFields() {
    const std::vector<Edit> up = editsOf(edits_.at("W5").at("office"), rows_.size());
    const std::vector<Edit> down = editsOf(edits_.at("W5").at("hq"), rows_.size());
    Outcome outcome = bothSides("W5", up, down);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < up.size(); ++i) {
      kept += bothShow(up[i]) && bothShow(down[i]) ? 1 : 0;
    }
    outcome.bothKept = kept;
    outcome.budget = std::to_string(up.size()) + " kept";
    outcome.ok = kept == up.size();
    return outcome;
  }

  Outcome sameField() {
    const std::vector<Edit> up = editsOf(edits_.at("W6").at("office"), rows_.size());
    const std::vector<Edit> down = editsOf(edits_.at("W6").at("hq"), rows_.size());
    Outcome outcome = bothSides("W6", up, down);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < up.size(); ++i) {
      const std::vector<std::string> values = {std::min(up[i].value, down[i].value),
                                               std::max(up[i].value, down[i].value)};
      kept += siblings(hq_.node(), up[i]) == values && siblings(office_->node(), up[i]) == values
                  ? 1
                  : 0;
    }
    outcome.losingKept = kept;
    outcome.budget = std::to_string(up.size()) + " kept and shown";
    outcome.ok = kept == up.size();
    return outcome;
  }

  // A thousand fields again, cut after half the bytes and resumed; beside what the same changes
  // would have taken uncut.
  Outcome cutInTheMiddle(const Outcome& thousand) {
    const std::vector<Edit> edits = editsOf(edits_.at("W7"), rows_.size());
    apply(office_->node(), edits, "brahim");
    const std::uint64_t uncut =
        sync::LeafExchange(office_->node().replica(), office_->node().connections(),
                           office_->node().signingKey())
            .request()
            .size() +
        thousand.traffic.appDown;
    office_->relay().cutAfter(uncut / 2);
    Traffic traffic = office_->exchange(true);
    // What went out before the cut: of the bytes that the relay let through, the share that W4 had.
    traffic.appUp =
        std::min(traffic.appUp, traffic.tcpUp * thousand.traffic.appUp / thousand.traffic.tcpUp);
    const Traffic rest = office_->exchange();
    Outcome outcome;
    outcome.workload = "W7";
    outcome.traffic = {traffic.appUp + rest.appUp,         traffic.appDown + rest.appDown,
                       traffic.tcpUp + rest.tcpUp,         traffic.tcpDown + rest.tcpDown,
                       traffic.exchanges + rest.exchanges, traffic.roundTrips + rest.roundTrips};
    outcome.records = arrived(edits);
    const double share = static_cast<double>(outcome.traffic.app()) / static_cast<double>(uncut);
    const double w7 = budgets_.at("W7").get<double>();
    char text[64];
    std::snprintf(text, sizeof text, "%.2f x uncut; is %.3f", w7, share);
    outcome.budget = text;
    outcome.ok = share <= w7 && outcome.records == edits.size();
    return outcome;
  }

  Outcome bothSides(const std::string& name, const std::vector<Edit>& up,
                    const std::vector<Edit>& down) {
    apply(office_->node(), up, "brahim");
    apply(hq_.node(), down, "chen");
    Outcome outcome = measured(name, [&] { return office_->exchange(); });
    outcome.records = up.size() + down.size();
    return outcome;
  }

  Outcome measured(const std::string& name, const std::function<Traffic()>& work) {
    Outcome outcome;
    outcome.workload = name;
    outcome.traffic = work();
    return outcome;
  }

  void within(Outcome& outcome, std::uint64_t bytes) {
    outcome.budget = std::to_string(bytes);
    outcome.ok = outcome.traffic.app() <= bytes;
  }

  // Each edit a save of its own, on top of what the editor sees.
  void apply(server::Node& node, const std::vector<Edit>& edits, const std::string& person) {
    node.write([&](sync::Work& work) {
      for (const Edit& edit : edits) {
        sync::DraftEdit draft;
        draft.record = ids_[edit.row];
        draft.sawCurrent = true;
        draft.writes.push_back({edit.field, edit.value});
        work.save(person, {draft});
      }
    });
  }

  std::vector<std::string> siblings(server::Node& node, const Edit& edit) {
    return node.read([&](storage::Store& store) {
      std::vector<std::string> values;
      const std::optional<storage::RecordRow> row = store.record(ids_[edit.row].bytes());
      if (!row) return values;
      const sync::Record record = sync::decodeState(ids_[edit.row], row->state);
      if (const sync::Field* field = record.field(edit.field)) {
        for (const sync::Sibling& sibling : *field) values.push_back(sibling.value);
      }
      std::sort(values.begin(), values.end());
      return values;
    });
  }

  bool bothShow(const Edit& edit) {
    const std::vector<std::string> only = {edit.value};
    return siblings(hq_.node(), edit) == only && siblings(office_->node(), edit) == only;
  }

  std::size_t arrived(const std::vector<Edit>& edits) {
    std::size_t count = 0;
    for (const Edit& edit : edits) {
      count += siblings(hq_.node(), edit) == std::vector<std::string>{edit.value} ? 1 : 0;
    }
    return count;
  }

  std::uint64_t most(const char* workload) const {
    return budgets_.at(workload).get<std::uint64_t>();
  }

  std::vector<Row> rows_;
  Json budgets_;
  bool tables_;
  Json edits_;
  RunningNode hq_{Role::kHeadquarters, "HQ"};
  std::unique_ptr<Office> office_;
  std::vector<sync::RecordId> ids_;
};

Json toJson(const Outcome& outcome) {
  const Traffic& traffic = outcome.traffic;
  Json line = {{"workload", outcome.workload},      {"app_up", traffic.appUp},
               {"app_down", traffic.appDown},       {"tcp_up", traffic.tcpUp},
               {"tcp_down", traffic.tcpDown},       {"exchanges", traffic.exchanges},
               {"round_trips", traffic.roundTrips}, {"records", outcome.records},
               {"budget", outcome.budget},          {"ok", outcome.ok}};
  if (outcome.bothKept) line["both_kept"] = *outcome.bothKept;
  if (outcome.losingKept) line["losing_kept"] = *outcome.losingKept;
  return line;
}

void print(const Outcome& outcome) {
  const Traffic& traffic = outcome.traffic;
  std::printf("%-8s %9llu %9llu %9llu %9llu %5llu %5llu %6zu  %-28s %s\n", outcome.workload.c_str(),
              static_cast<unsigned long long>(traffic.appUp),
              static_cast<unsigned long long>(traffic.appDown),
              static_cast<unsigned long long>(traffic.tcpUp),
              static_cast<unsigned long long>(traffic.tcpDown),
              static_cast<unsigned long long>(traffic.exchanges),
              static_cast<unsigned long long>(traffic.roundTrips), outcome.records,
              outcome.budget.c_str(), outcome.ok ? "ok" : "OVER");
}

int main(const std::vector<std::string>& arguments) {
  std::filesystem::path data;
  bool json = false;
  bool tables = false;
  std::size_t records = 10'000;
  std::string budgets = "cases-10000";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--json") {
      json = true;
    } else if (arguments[i] == "--tables") {
      tables = true;
    } else if (arguments[i] == "--data" && i + 1 < arguments.size()) {
      data = arguments[++i];
    } else if (arguments[i] == "--budgets" && i + 1 < arguments.size()) {
      budgets = arguments[++i];
    } else if (arguments[i] == "--records" && i + 1 < arguments.size()) {
      records = std::stoul(arguments[++i]);
    } else {
      data.clear();
      break;
    }
  }
  if (data.empty()) {
    std::cerr << "usage: wire_bench --data DIR [--records N] [--budgets NAME] [--tables] [--json]\n"
                 "DIR holds cases-10000.jsonl.zst and edits.json.\n";
    return 2;
  }
  Bench bench(data, records, budgetsNamed(budgets), tables);
  if (!json) {
    std::printf("%-8s %9s %9s %9s %9s %5s %5s %6s  %s\n", "", "app up", "app down", "TCP up",
                "TCP down", "exch", "trips", "recs", "budget (application bytes)");
  }
  bool ok = true;
  for (const Outcome& outcome : bench.run()) {
    ok = ok && outcome.ok;
    if (json) {
      std::cout << toJson(outcome).dump() << '\n';
    } else {
      print(outcome);
    }
  }
  return ok ? 0 : 1;
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
