#include "server/cases/united_field.h"

#include <algorithm>
#include <set>
#include <string>

namespace waystation::cases {
namespace {

// Those of a list that was written whole.
std::set<std::string> wholeCodes(const Field& field, const sync::Record& record) {
  std::set<std::string> codes;
  const sync::Field* whole = record.field(field.name);
  if (whole == nullptr) return codes;
  for (const sync::Sibling& sibling : *whole) {
    const Json list = Json::parse(sibling.value, nullptr, false);
    if (!list.is_array()) continue;
    for (const Json& code : list) {
      if (code.is_string()) codes.insert(code.get<std::string>());
    }
  }
  return codes;
}

bool isTrue(const sync::Field& part) {
  return std::any_of(part.begin(), part.end(),
                     [](const sync::Sibling& sibling) { return sibling.value == "true"; });
}

std::set<std::string> codesOf(const Field& field, const sync::Record& record) {
  std::set<std::string> codes = wholeCodes(field, record);
  const std::string parts = sync::partName(field.name, "");
  for (auto at = record.fields.lower_bound(parts);
       at != record.fields.end() && at->first.starts_with(parts); ++at) {
    const std::string code = at->first.substr(parts.size());
    if (isTrue(at->second)) {
      codes.insert(code);
    } else if (!at->second.empty()) {
      codes.erase(code);
    }
  }
  return codes;
}

std::set<std::string> codesOf(const Json& list) {
  std::set<std::string> codes;
  for (const Json& code : list) codes.insert(code.get<std::string>());
  return codes;
}

// One code's part of the record, and what the editor had read of it.
class Part {
 public:
  Part(const Field& field, const std::string& code, const sync::Record& current,
       const sync::ReadContexts& read)
      : siblings_(current.field(sync::partName(field.name, code))) {
    const auto at = read.find(sync::partName(field.name, code));
    if (at != read.end()) read_ = &at->second;
  }

  bool exists() const { return siblings_ != nullptr; }

  // The editor's page showed another state. The codes that they left as they were are not theirs.
  bool hasMovedSinceRead() const {
    return exists() && read_ != nullptr &&
           !std::all_of(siblings_->begin(), siblings_->end(),
                        [&](const auto& sibling) { return read_->covers(sibling.dot); });
  }

  bool wasReadAsTrue() const {
    return exists() && read_ != nullptr &&
           std::any_of(siblings_->begin(), siblings_->end(), [&](const auto& sibling) {
             return sibling.value == "true" && read_->covers(sibling.dot);
           });
  }

 private:
  const sync::Field* siblings_;
  const sync::Context* read_ = nullptr;
};

}  // namespace

Json unitedCodes(const Field& field, const sync::Record& record) {
  std::set<std::string> codes = codesOf(field, record);
  Json list = Json::array();
  for (const Code& known : field.codes->codes) {
    if (codes.erase(known.code) > 0) list.push_back(known.code);
  }
  for (const std::string& other : codes) list.push_back(other);
  return list;
}

std::vector<sync::DraftWrite> writesToUnite(const Field& field, const sync::Record& current,
                                            const sync::ReadContexts& read, const Json& codes) {
  std::vector<sync::DraftWrite> writes;
  const std::set<std::string> wanted = codesOf(codes);
  const std::set<std::string> held = codesOf(field, current);
  // A list written whole becomes parts as soon as somebody who has read it changes it.
  const bool dissolves = read.contains(field.name) && !wholeCodes(field, current).empty();
  const auto write = [&](const std::string& code, const char* value) {
    writes.push_back({sync::partName(field.name, code), value});
  };
  for (const std::string& code : wanted) {
    const Part part(field, code, current, read);
    const bool isThere = held.contains(code) && (part.exists() || !dissolves);
    if (!isThere && !part.hasMovedSinceRead()) write(code, "true");
  }
  for (const std::string& code : held) {
    const Part part(field, code, current, read);
    if (!wanted.contains(code) && part.wasReadAsTrue()) write(code, "false");
  }
  if (dissolves) writes.push_back({field.name, "null"});
  return writes;
}

}  // namespace waystation::cases
