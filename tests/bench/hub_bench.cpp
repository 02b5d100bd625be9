// How many changes of its offices headquarters lets in a second, against the same rows written bare
// into a database of the same kind in the same run.
//
//   hub_bench [--offices N] [--changes M] [--quick] [--json]
//
// Of M changes, shared by N offices, three of four bear a case and the fourth edits it. Ours:
// frames opened, chains and signatures verified, admission, join, digests, search, journal, feeds,
// all on disk. Bare: the record, its root, the journal's entry, the link between them and the
// search words, 500 changes in a transaction. The aim is a third of the bare rate; nothing is
// asserted.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/cases/record_view.h"
#include "tests/server/application_support.h"
#include "tests/support/sync_nodes.h"

namespace waystation::bench {
namespace {

using http::Json;
using testing::TestNode;

constexpr std::size_t kPerExchange = 500;

template <typename Action>
double secondsOf(Action action) {
  const auto begin = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class HubBench {
 public:
  HubBench(std::size_t offices, std::size_t changes) : changes_(changes) {
    hq_ = testing::makeNode(folder_.path() / "hq", server::Role::kHeadquarters, "HQ");
    bare_ = testing::makeNode(folder_.path() / "bare", server::Role::kHeadquarters, "HQ");
    for (std::size_t i = 0; i < offices; ++i) {
      const std::string name = "O" + std::to_string(i);
      offices_.push_back(std::make_unique<TestNode>(name, true, 100 + i));
      const TestNode& office = *offices_.back();
      hq_->write([&](sync::Work& work) {
        sync::enrolLeaf(work, name, office.key().publicKey(), "", "",
                        office.sealingKey().publicKey());
      });
    }
  }

  // Seconds that headquarters took.
  double ours() {
    double seconds = 0;
    std::size_t made = 0;
    while (made < changes_) {
      for (const auto& office : offices_) {
        const std::size_t count = std::min(kPerExchange, changes_ - made);
        work(*office, count);
        made += count;
        seconds += exchange(*office);
      }
    }
    return seconds;
  }

  double bare() {
    std::vector<storage::JournalRow> journal;
    std::map<std::string, storage::RecordRow> records;
    hq_->read([&](storage::Store& store) {
      store.eachJournal([&](const storage::JournalRow& row) { journal.push_back(row); });
      store.eachRecord([&](const storage::RecordRow& row) { records[row.id] = row; });
    });
    for (auto& [id, row] : records) row.row = 0;
    return secondsOf([&] {
      for (std::size_t at = 0; at < journal.size(); at += kPerExchange) {
        writeBare(journal, at, std::min(at + kPerExchange, journal.size()), records);
      }
    });
  }

  std::size_t accepted() {
    return static_cast<std::size_t>(
        hq_->read([](storage::Store& store) { return store.lastJournalSeq(); }));
  }

 private:
  static void work(TestNode& office, std::size_t count) {
    const storage::Connections::Lease writer = office.connections().writer();
    sync::Work work(office.replica(), *writer);
    std::optional<sync::RecordId> last;
    for (std::size_t i = 0; i < count; ++i) {
      sync::DraftEdit draft;
      const std::string number = std::to_string(work.lastDot().counter);
      if (i % 4 == 3) {
        draft.record = *last;
        draft.sawCurrent = true;
        draft.writes = {{"summary", sync::jsonString("Seen again, note " + number)}};
      } else {
        draft.record = work.newRecord();
        draft.isNew = true;
        draft.kind = "case_file";
        draft.writes = {
            {"case_no", sync::jsonString(office.name() + "-" + number)},
            {"given_name", sync::jsonString("Amina")},
            {"family_name", sync::jsonString("Okello " + number)},
            {"dob", "\"1991-04-02\""},
            {"status", "\"open\""},
            {"priority", "\"high\""},
            {"summary", sync::jsonString("Arrived by bus, asks for shelter " + number)}};
        last = draft.record;
      }
      office.clock().advance(1000);
      work.save("amina", {draft});
    }
    work.commit();
  }

  double exchange(TestNode& office) {
    double seconds = 0;
    bool more = true;
    while (more) {
      sync::LeafExchange up(office.replica(), office.connections(), office.key());
      sync::HubExchange down(hq_->replica(), hq_->connections(), office.name(), hq_->admitted());
      const std::string request = up.request();
      std::string answer;
      seconds += secondsOf([&] {
        down.receive(request);
        answer = down.answer();
      });
      up.receive(answer);
      more = up.finish().more;
    }
    return seconds;
  }

  void writeBare(const std::vector<storage::JournalRow>& journal, std::size_t begin,
                 std::size_t end, std::map<std::string, storage::RecordRow>& records) {
    const storage::Connections::Lease writer = bare_->connections().writer();
    storage::Transaction transaction(*writer);
    storage::Store store(*writer);
    for (std::size_t i = begin; i < end; ++i) {
      const std::int64_t seq = store.appendJournal(journal[i]);
      for (const sync::Edit& edit : sync::decodeChange(journal[i].body).edits) {
        storage::RecordRow& row = records.at(edit.record.bytes());
        row.row = store.putRecord(row);
        store.putRoot(row.root, {std::string(16, '\0'), "", "O0", 1});
        store.linkRecord(row.row, seq);
        store.putSearch(row.row, "amina okello arrived by bus asks for shelter");
      }
    }
    transaction.commit();
  }

  std::size_t changes_;
  testing::TempDirectory folder_;
  std::unique_ptr<server::Node> hq_;
  std::unique_ptr<server::Node> bare_;
  std::vector<std::unique_ptr<TestNode>> offices_;
};

double residentMb() {
  std::ifstream status("/proc/self/status");
  constexpr std::string_view kResident = "VmRSS:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kResident)) return std::stod(line.substr(kResident.size())) / 1024;
  }
  return 0;
}

int main(const std::vector<std::string>& arguments) {
  std::size_t offices = 10;
  std::size_t changes = 20'000;
  bool json = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--json") {
      json = true;
    } else if (arguments[i] == "--quick") {
      offices = 2;
      changes = 400;
    } else if (arguments[i] == "--offices" && i + 1 < arguments.size()) {
      offices = std::stoul(arguments[++i]);
    } else if (arguments[i] == "--changes" && i + 1 < arguments.size()) {
      changes = std::stoul(arguments[++i]);
    } else {
      offices = 0;
      break;
    }
  }
  if (offices == 0 || changes == 0) {
    std::cerr << "usage: hub_bench [--offices N] [--changes M] [--quick] [--json]\n";
    return 2;
  }
  HubBench bench(offices, changes);
  const double ours = static_cast<double>(changes) / bench.ours();
  if (bench.accepted() != changes) throw std::runtime_error("not every change was let in");
  const double bare = static_cast<double>(changes) / bench.bare();
  const Json line = {{"store", "sqlite"},     {"offices", offices},      {"changes", changes},
                     {"per_second", ours},    {"bare_per_second", bare}, {"ratio", ours / bare},
                     {"rss_mb", residentMb()}};
  if (json) {
    std::cout << line.dump() << '\n';
  } else {
    std::printf(
        "%zu changes of %zu offices: %.0f a second let in, %.0f written bare: %.2f of it "
        "(the aim is 0.33)\n",
        changes, offices, ours, bare, ours / bare);
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
