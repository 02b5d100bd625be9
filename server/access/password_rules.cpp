#include "server/access/password_rules.h"

#include <algorithm>
#include <fstream>
#include <set>

#include "crypto/failure.h"
#include "server/http/target.h"
#include "server/node.h"

namespace waystation::access {
namespace {

constexpr std::size_t kLeast = 12;
constexpr std::size_t kMost = 1024;
constexpr std::size_t kLongestPeriod = 6;

Failure weak(const std::string& why) {
  return Failure("account.password-weak",
                 why + " Take several words that have nothing to do with each other.");
}

bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
}

// In small letters, with the usual signs in place of letters put back, and without what is no
// letter at both ends.
std::string coreOf(std::string_view password) {
  std::string plain;
  for (char c : password) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    plain += c;
  }
  const auto begin = std::find_if(plain.begin(), plain.end(), isLetter);
  const auto end = std::find_if(plain.rbegin(), plain.rend(), isLetter).base();
  if (begin >= end) return {};
  std::string core(begin, end);
  for (char& c : core) {
    if (c == '@' || c == '4') c = 'a';
    if (c == '3') c = 'e';
    if (c == '0') c = 'o';
    if (c == '$' || c == '5') c = 's';
    if (c == '1' || c == '!') c = 'i';
    if (c == '7') c = 't';
  }
  return core;
}

// The shortest piece that makes the text when repeated; the text itself where there is none.
std::string periodOf(const std::string& text) {
  for (std::size_t size = 1; size * 2 <= text.size(); ++size) {
    if (text.size() % size != 0) continue;
    bool repeats = true;
    for (std::size_t i = size; repeats && i < text.size(); ++i) {
      repeats = text[i] == text[i - size];
    }
    if (repeats) return text.substr(0, size);
  }
  return text;
}

// "aaaaaaaaaaaa", "123123123123", "abcdefghijkl", "qwertyuiopas".
bool isRun(const std::string& text) {
  if (periodOf(text).size() <= kLongestPeriod) return true;
  constexpr std::string_view kRows =
      "01234567890|abcdefghijklmnopqrstuvwxyz|qwertyuiopasdfghjklzxcvbnm";
  std::size_t steps = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const std::string pair = text.substr(i, 2);
    const std::string back(pair.rbegin(), pair.rend());
    if (kRows.find(pair) != std::string_view::npos || kRows.find(back) != std::string_view::npos)
      ++steps;
  }
  return steps * 10 >= (text.size() - 1) * 9;
}

bool isListed(const std::filesystem::path& words, const std::set<std::string>& wanted) {
  std::ifstream file(words);
  if (!file) {
    throw Failure("account.word-list-missing",
                  "The list of common passwords is missing from this installation, so no password "
                  "can be set. Nothing was changed; install the program anew.");
  }
  for (std::string line; std::getline(file, line);) {
    if (wanted.contains(line)) return true;
  }
  return false;
}

}  // namespace

void checkNewPassword(std::string_view password, std::string_view accountName,
                      const std::filesystem::path& words) {
  if (password.size() < kLeast) throw weak("A password has at least 12 characters.");
  if (password.size() > kMost) throw weak("A password has at most 1024 bytes.");
  const bool isText =
      http::isUtf8(password) && std::none_of(password.begin(), password.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      });
  if (!isText) throw weak("A password is text, without control characters.");
  std::string small;
  for (const char c : password)
    small += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (isRun(small)) throw weak("This password is one character or a run of keys.");
  const std::string core = coreOf(password);
  std::string letters;
  std::copy_if(core.begin(), core.end(), std::back_inserter(letters), isLetter);
  const std::string period = periodOf(letters);
  const std::string name(accountName);
  if (core == name || period == name || periodOf(small) == name) {
    throw weak("This password is made of the account's name.");
  }
  if (isListed(words, {small, core, letters, period, periodOf(small)})) {
    throw weak("This password is made of one common word.");
  }
}

void checkNewPassword(std::string_view password, std::string_view accountName) {
  checkNewPassword(password, accountName, server::shareDirectory() / "common-words.txt");
}

}  // namespace waystation::access
