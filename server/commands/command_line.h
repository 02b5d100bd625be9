#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/failure.h"

namespace waystation::commands {

// The program was called in a way that it does not understand: exit 2, and the usage is shown.
class WrongUsage : public Failure {
 public:
  explicit WrongUsage(const std::string& sentence) : Failure("usage", sentence) {}
};

// One option of a command, as its help shows it.
struct Option {
  std::string name;        // without the dashes
  std::string value = {};  // what stands for the value in the help; empty: a switch
  std::string help = {};   // empty: known, but not listed
  bool isRequired = false;
  bool isPath = false;  // made absolute where it was typed
};

// What a command is called and what it takes. Every command also takes --data, --json, --help and,
// where it opens the store, --passphrase-file.
struct CommandForm {
  std::string words;    // "user add"
  std::string summary;  // one line
  std::vector<Option> options;
  std::vector<Option> arguments;  // by position, all required
  std::string notes;              // further sentences of the help
};

// What was given, by option name; a switch that was given stands as "".
class Options {
 public:
  bool has(std::string_view name) const { return values_.contains(name); }
  // Empty if not given.
  std::string text(std::string_view name) const;
  std::optional<std::string> find(std::string_view name) const;
  // A whole number within the limits. Throws WrongUsage.
  std::optional<std::int64_t> number(std::string_view name, std::int64_t least,
                                     std::int64_t most) const;
  // The parts between commas, none empty.
  std::vector<std::string> list(std::string_view name) const;

  void set(const std::string& name, std::string value) { values_[name] = std::move(value); }
  void remove(const std::string& name) { values_.erase(name); }
  const std::map<std::string, std::string, std::less<>>& values() const { return values_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

// Reads what stands behind the command's words. Paths become absolute. With --help the rest is not
// looked at. Throws WrongUsage.
Options parseOptions(const CommandForm& form, const std::vector<std::string>& words);

// The help of one command.
std::string usageOf(const CommandForm& form);

}  // namespace waystation::commands
