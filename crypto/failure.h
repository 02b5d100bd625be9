#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace waystation {

// Something was asked for and could not be done. `code` is stable (scripts and the API rely on it),
// dotted, lower case: "key.wrong-passphrase". `what()` is for people: what happened, what was kept,
// what to do; one to three plain sentences, no personal data.
//
// Lives in the lowest layer because every layer throws it. Derive a type only where some caller
// treats it differently.
class Failure : public std::runtime_error {
 public:
  Failure(std::string code, const std::string& sentence)
      : std::runtime_error(sentence), code_(std::move(code)) {}

  const std::string& code() const noexcept { return code_; }

 private:
  std::string code_;
};

}  // namespace waystation
