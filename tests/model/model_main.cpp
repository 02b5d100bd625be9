// model [--operations N] [--each N] [--only KIND,...]
// model --histories N,N,N [--pages none|previous|any]
// Tries every order of that many operations at three replicas, at most so many at each (model.h),
// or all histories of one field that the replicas write to so often (histories.h), and prints how
// many states and orders it saw; exit 1 where one breaks a promise.

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <stdexcept>

#include "tests/model/histories.h"

namespace {

using waystation::model::HistorySettings;
using waystation::model::kOperations;
using waystation::model::OlderPages;
using waystation::model::Operation;
using waystation::model::Result;
using waystation::model::Settings;

std::vector<Operation> kindsIn(const std::string& list) {
  std::vector<Operation> kinds;
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    const auto at = std::find(kOperations.begin(), kOperations.end(), word);
    if (at == kOperations.end()) throw std::invalid_argument(word);
    kinds.push_back(static_cast<Operation>(at - kOperations.begin()));
  }
  return kinds;
}

struct Arguments {
  Settings settings;
  HistorySettings histories;
  bool ofOneField = false;
};

std::array<int, 3> threeIn(const std::string& list) {
  std::array<int, 3> numbers{};
  std::istringstream words(list);
  std::string word;
  for (int& number : numbers) {
    if (!std::getline(words, word, ',')) throw std::invalid_argument(list);
    number = std::stoi(word);
  }
  const bool isRight = std::is_sorted(numbers.rbegin(), numbers.rend()) && numbers.back() >= 0 &&
                       numbers.front() <= 3;
  if (!isRight) throw std::invalid_argument(list);
  return numbers;
}

OlderPages pagesIn(const std::string& word) {
  if (word == "none") return OlderPages::kNone;
  if (word == "previous") return OlderPages::kPrevious;
  if (word == "any") return OlderPages::kAny;
  throw std::invalid_argument(word);
}

Arguments parsed(int count, char** words) {
  Arguments arguments;
  Settings& settings = arguments.settings;
  for (int i = 1; i < count; i += 2) {
    const std::string word = words[i];
    if (i + 1 == count) throw std::invalid_argument(word);
    const std::string value = words[i + 1];
    if (word == "--operations") {
      settings.operations = std::stoi(value);
    } else if (word == "--each") {
      settings.perReplica = std::min(std::stoi(value), 3);
    } else if (word == "--only") {
      settings.kinds = kindsIn(value);
    } else if (word == "--histories") {
      arguments.ofOneField = true;
      arguments.histories.writes = threeIn(value);
    } else if (word == "--pages") {
      arguments.histories.pages = pagesIn(value);
    } else {
      throw std::invalid_argument(word);
    }
  }
  return arguments;
}

int told(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) std::cout << problem << "\n";
  return problems.empty() ? 0 : 1;
}

int runHistories(const HistorySettings& settings) {
  const waystation::model::HistoryResult result = waystation::model::histories(settings);
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "%d, %d and %d writes to a field: %llu orders of causes, %llu histories, %llu cuts, %llu "
      "merges, %llu states, %llu joins, %zu problems\n",
      settings.writes[0], settings.writes[1], settings.writes[2], number(result.orders),
      number(result.histories), number(result.cuts), number(result.merges), number(result.states),
      number(result.joins), result.problems.size());
  return told(result.problems);
}

}  // namespace

int main(int count, char** words) {
  try {
    const Arguments arguments = parsed(count, words);
    if (arguments.ofOneField) return runHistories(arguments.histories);
    const Settings& settings = arguments.settings;
    const Result result = waystation::model::explored(settings);
    std::printf(
        "%d operations of %zu kinds at 3 replicas, at most %d each: %llu states, %llu "
        "steps, %llu late or repeated changes, %llu orders, %zu problems\n",
        settings.operations, settings.kinds.size(), settings.perReplica,
        static_cast<unsigned long long>(result.states),
        static_cast<unsigned long long>(result.steps),
        static_cast<unsigned long long>(result.lateChanges),
        static_cast<unsigned long long>(result.orders), result.problems.size());
    return told(result.problems);
  } catch (const std::invalid_argument& error) {
    std::cerr << "model: can't use " << error.what()
              << "\nusage: model [--operations N] [--each N] [--only KIND,...]\n       "
                 "model --histories N,N,N [--pages none|previous|any]; kinds:";
    for (const char* kind : kOperations) std::cerr << " " << kind;
    std::cerr << "\n";
    return 2;
  }
}
