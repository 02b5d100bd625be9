#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace waystation::simulator {

// The independent checker: a log of what people saved and of what they had on the screen when they
// did. It knows nothing of contexts, dots, chains or feeds; a save is named by the serial of its
// event, which the person's name bears to every screen ("p12@AAA").
class Ledger {
 public:
  using Saves = std::set<std::int64_t>;
  // A part of a save: one field of one record.
  using Part = std::pair<std::int64_t, std::string>;

  struct Save {
    std::int64_t node = 0;
    std::vector<std::pair<std::int64_t, std::string>> fields;  // record, field
  };

  // A save was answered with "saved". `read`: whose values stood in the field on the page.
  void saved(std::int64_t serial, std::int64_t node, std::int64_t record, const std::string& field,
             const Saves& read);
  // What was written there, to be read everywhere byte for byte.
  void said(std::int64_t serial, const Part& part, const std::string& text) {
    texts_[{serial, part}] = text;
  }
  bool isAsSaid(std::int64_t serial, const Part& part, const std::string& text) const;
  // The save before was a deletion, made by somebody who had read these values in these fields.
  void deleted(std::int64_t serial, std::int64_t record, const std::map<std::string, Saves>& read);
  // Whether the record has to be hidden: of those that decide, nobody restored it, and one had read
  // all that stands in it.
  bool hidden(std::int64_t record) const;
  // It was lost with the only disk that held it.
  void lost(std::int64_t serial, const Part& part) { lost_[serial].insert(part); }
  // A copy of that disk turned up.
  void found(std::int64_t serial, const Part& part) { lost_[serial].erase(part); }
  // It was kept aside, in sight, and is in nobody's record.
  void keptAside(std::int64_t serial, const Part& part) { aside_[serial].insert(part); }

  // The saves whose values have to stand in the field: those that nobody read who saved later.
  Saves expected(std::int64_t record, const std::string& field) const;
  // Fields in which something was saved.
  std::vector<std::pair<std::int64_t, std::string>> fields() const;
  const std::map<std::int64_t, Save>& saves() const { return saves_; }
  bool counts(std::int64_t serial, const Part& part) const;
  bool counts(std::int64_t serial) const;  // any part of it

 private:
  using Field = Part;
  std::map<std::int64_t, Save> saves_;
  std::map<std::pair<std::int64_t, Part>, std::string> texts_;
  std::map<Field, std::map<std::int64_t, Saves>> read_;  // by save: all that it had read
  std::map<std::int64_t, std::set<std::pair<std::string, std::int64_t>>> deletions_;
  std::map<std::int64_t, std::set<Part>> lost_;
  std::map<std::int64_t, std::set<Part>> aside_;
};

// What the rules of scope allow at most and ask for at least, from what headquarters' people and
// those who named records did. Roots and offices by number.
class Grants {
 public:
  void meant(std::int64_t office, std::int64_t root);
  void named(std::int64_t by, std::int64_t root);
  // Whether the office was ever to hold the root.
  bool everMeant(std::int64_t office, std::int64_t root) const;
  // All that the office may hold if `direct` are the roots that say so themselves.
  std::set<std::int64_t> withNamed(const std::set<std::int64_t>& direct) const;

 private:
  std::map<std::int64_t, std::set<std::int64_t>> meant_;  // office -> roots
  std::map<std::int64_t, std::set<std::int64_t>> names_;  // root -> roots
};

}  // namespace waystation::simulator
