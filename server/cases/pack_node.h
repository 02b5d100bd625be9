#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/cases/programme_pack.h"

namespace waystation::cases {

// One value of a pack file together with the place where it stands, so that everything wrong with
// it can be told with file and path. Borrows the JSON, which must outlive it.
class PackNode {
 public:
  PackNode(std::string file, const Json& value) : file_(std::move(file)), value_(&value) {}

  const std::string& path() const { return path_; }

  // Throws Failure("programme.invalid"): file, path, what is wrong and what to do.
  [[noreturn]] void fail(const std::string& what) const;

  // This must be an object that has no keys but these.
  void onlyKeys(std::initializer_list<std::string_view> allowed) const;

  bool has(std::string_view key) const;
  PackNode at(std::string_view key) const;  // fails if missing
  std::vector<PackNode> list(std::string_view key) const;
  // The entries of an object under `key`, which may be missing.
  std::vector<std::pair<std::string, PackNode>> entries(std::string_view key) const;

  std::string text() const;  // not empty
  std::string text(std::string_view key) const { return at(key).text(); }
  std::vector<std::string> texts(std::string_view key) const;  // may be missing
  bool flag(std::string_view key) const;                       // may be missing: false
  std::optional<std::int64_t> integer(std::string_view key) const;
  Label label(std::string_view key) const;

  // A name of a kind, field or list: a letter, then letters, digits, '_' or '-', 64 at most.
  std::string name(std::string_view key) const;
  void checkName(const std::string& name) const;

 private:
  PackNode child(std::string path, const Json& value) const;

  std::string file_;
  std::string path_;
  const Json* value_;
};

}  // namespace waystation::cases
