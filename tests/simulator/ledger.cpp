#include "tests/simulator/ledger.h"

#include <algorithm>

namespace waystation::simulator {

void Ledger::saved(std::int64_t serial, std::int64_t node, std::int64_t record,
                   const std::string& field, const Saves& read) {
  Save& save = saves_[serial];
  save.node = node;
  save.fields.emplace_back(record, field);
  std::map<std::int64_t, Saves>& log = read_[{record, field}];
  // Who has read a value has read what its writer had read, also where that value was lost since.
  Saves all = read;
  for (const std::int64_t one : read) {
    const auto at = log.find(one);
    if (at != log.end()) all.insert(at->second.begin(), at->second.end());
  }
  log[serial] = std::move(all);
}

bool Ledger::isAsSaid(std::int64_t serial, const Part& part, const std::string& text) const {
  const auto at = texts_.find({serial, part});
  return at == texts_.end() || at->second == text;
}

void Ledger::deleted(std::int64_t serial, std::int64_t record,
                     const std::map<std::string, Saves>& read) {
  std::set<std::pair<std::string, std::int64_t>>& all = deletions_[serial];
  for (const auto& [field, saves] : read) {
    for (const std::int64_t save : saves) {
      all.emplace(field, save);
      const auto log = read_.find({record, field});
      if (log == read_.end() || !log->second.contains(save)) continue;
      for (const std::int64_t before : log->second.at(save)) all.emplace(field, before);
    }
  }
}

bool Ledger::counts(std::int64_t serial, const Part& part) const {
  const auto lost = lost_.find(serial);
  const auto aside = aside_.find(serial);
  return (lost == lost_.end() || !lost->second.contains(part)) &&
         (aside == aside_.end() || !aside->second.contains(part));
}

bool Ledger::counts(std::int64_t serial) const {
  const auto save = saves_.find(serial);
  return save != saves_.end() &&
         std::any_of(save->second.fields.begin(), save->second.fields.end(),
                     [&](const Part& part) { return counts(serial, part); });
}

bool Ledger::hidden(std::int64_t record) const {
  bool hides = false;
  for (const std::int64_t decision : expected(record, "_deleted")) {
    const auto deletion = deletions_.find(decision);
    if (deletion == deletions_.end()) return false;
    bool readAll = true;
    const Field first{record, ""};
    for (auto at = read_.lower_bound(first); at != read_.end() && at->first.first == record; ++at) {
      const std::string& field = at->first.second;
      if (field.starts_with('_')) continue;
      for (const std::int64_t save : expected(record, field)) {
        readAll = readAll && deletion->second.contains({field, save});
      }
    }
    hides = hides || readAll;
  }
  return hides;
}

Ledger::Saves Ledger::expected(std::int64_t record, const std::string& field) const {
  const auto at = read_.find({record, field});
  if (at == read_.end()) return {};
  Saves left;
  for (const auto& [serial, read] : at->second) {
    if (counts(serial, {record, field})) left.insert(serial);
  }
  for (const auto& [serial, read] : at->second) {
    if (!counts(serial, {record, field})) continue;
    for (const std::int64_t one : read) left.erase(one);
  }
  return left;
}

std::vector<std::pair<std::int64_t, std::string>> Ledger::fields() const {
  std::vector<Field> all;
  all.reserve(read_.size());
  for (const auto& [field, log] : read_) all.push_back(field);
  return all;
}

void Grants::meant(std::int64_t office, std::int64_t root) {
  if (!meant_[office].insert(root).second) return;
  const auto names = names_.find(root);
  if (names == names_.end()) return;
  for (const std::int64_t named : names->second) meant(office, named);
}

void Grants::named(std::int64_t by, std::int64_t root) {
  if (by == root || !names_[by].insert(root).second) return;
  for (auto& [office, roots] : meant_) {
    if (roots.contains(by)) meant(office, root);
  }
}

bool Grants::everMeant(std::int64_t office, std::int64_t root) const {
  const auto at = meant_.find(office);
  return at != meant_.end() && at->second.contains(root);
}

std::set<std::int64_t> Grants::withNamed(const std::set<std::int64_t>& direct) const {
  std::set<std::int64_t> all = direct;
  std::vector<std::int64_t> open(direct.begin(), direct.end());
  while (!open.empty()) {
    const auto names = names_.find(open.back());
    open.pop_back();
    if (names == names_.end()) continue;
    for (const std::int64_t named : names->second) {
      if (all.insert(named).second) open.push_back(named);
    }
  }
  return all;
}

}  // namespace waystation::simulator
