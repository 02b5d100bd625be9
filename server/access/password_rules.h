#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace waystation::access {

// What a new password must be: 12 to 1024 bytes of UTF-8 without control characters, nothing made
// of the account's name, and nothing made of one common word or password: such a word with digits
// and signs around it, written several times over, or one character or run of keys again and again.
// `words`: the list of them, a line each. Throws Failure("account.password-weak") with a sentence
// that says which rule it was, ("account.word-list-missing").
void checkNewPassword(std::string_view password, std::string_view accountName,
                      const std::filesystem::path& words);
// With the list that comes with the program.
void checkNewPassword(std::string_view password, std::string_view accountName);

}  // namespace waystation::access
