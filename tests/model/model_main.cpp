// model [--operations N] [--each N] [--only KIND,...]
// Tries every order of that many operations at three replicas, at most so many at each (model.h),
// and prints how many states and orders it saw; exit 1 where one breaks a promise.

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <stdexcept>

#include "tests/model/model.h"

namespace {

using waystation::model::kOperations;
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

Settings parsed(int count, char** words) {
  Settings settings;
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
    } else {
      throw std::invalid_argument(word);
    }
  }
  return settings;
}

}  // namespace

int main(int count, char** words) {
  try {
    const Settings settings = parsed(count, words);
    const Result result = waystation::model::explored(settings);
    std::printf(
        "%d operations of %zu kinds at 3 replicas, at most %d each: %llu states, %llu "
        "steps, %llu late or repeated changes, %llu orders, %zu problems\n",
        settings.operations, settings.kinds.size(), settings.perReplica,
        static_cast<unsigned long long>(result.states),
        static_cast<unsigned long long>(result.steps),
        static_cast<unsigned long long>(result.lateChanges),
        static_cast<unsigned long long>(result.orders), result.problems.size());
    for (const std::string& problem : result.problems) std::cout << problem << "\n";
    return result.problems.empty() ? 0 : 1;
  } catch (const std::invalid_argument& error) {
    std::cerr << "model: can't use " << error.what()
              << "\nusage: model [--operations N] [--each N] [--only KIND,...]; kinds:";
    for (const char* kind : kOperations) std::cerr << " " << kind;
    std::cerr << "\n";
    return 2;
  }
}
