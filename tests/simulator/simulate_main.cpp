// simulate --seed S [--seeds N] --offices K --phones P --days D [--hostile H]
//          [--backwards] [--roaming] [--twice] [--json] [--quiet] [--story FILE]
// One line per seed, at the end the count of each kind of fault over all of them; exit 1 on any
// violation. A seed that fails prints the shortest story found that still does; `--story` tells
// such a one again. `--twice` lives each seed twice and compares the traces.

#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "tests/simulator/story.h"

namespace {

using waystation::simulator::Event;
using waystation::simulator::Outcome;
using waystation::simulator::Progress;
using waystation::simulator::Settings;

constexpr std::int64_t kEventsToShorten = 400'000;
constexpr std::chrono::seconds kToldEvery{1};

struct Arguments {
  Settings settings;
  std::uint64_t seeds = 1;
  bool json = false;
  bool quiet = false;
  bool twice = false;
  std::string story;
};

Arguments parsed(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--json") {
      arguments.json = true;
      continue;
    }
    if (word == "--backwards") {
      arguments.settings.backwards = true;
      continue;
    }
    if (word == "--roaming") {
      arguments.settings.roaming = true;
      continue;
    }
    if (word == "--quiet") {
      arguments.quiet = true;
      continue;
    }
    if (word == "--twice") {
      arguments.twice = true;
      continue;
    }
    if (i + 1 == count) throw std::invalid_argument(word);
    const std::string value = words[++i];
    if (word == "--story") {
      arguments.story = value;
    } else if (word == "--seed") {
      arguments.settings.seed = std::stoull(value);
    } else if (word == "--seeds") {
      arguments.seeds = std::stoull(value);
    } else if (word == "--offices") {
      arguments.settings.offices = std::stoi(value);
    } else if (word == "--phones") {
      arguments.settings.phones = std::stoi(value);
    } else if (word == "--days") {
      arguments.settings.days = std::stoi(value);
    } else if (word == "--hostile") {
      arguments.settings.hostile = std::stoi(value);
    } else {
      throw std::invalid_argument(word);
    }
  }
  return arguments;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + '"';
}

std::string inJson(const std::map<std::string, std::int64_t>& faults) {
  std::string text;
  for (const auto& [kind, count] : faults) {
    text += (text.empty() ? "{" : ",") + quoted(kind) + ":" + std::to_string(count);
  }
  return text.empty() ? "{}" : text + "}";
}

void printJson(std::uint64_t seed, const Outcome& outcome) {
  std::string line = "{\"seed\":" + std::to_string(seed) +
                     ",\"events\":" + std::to_string(outcome.story.size()) +
                     ",\"faults\":" + inJson(outcome.faults);
  line += ",\"changes\":" + std::to_string(outcome.changes) + ",\"violations\":[";
  for (std::size_t i = 0; i < outcome.violations.size(); ++i) {
    const auto& [rule, text] = outcome.violations[i];
    line += (i == 0 ? "" : ",") + quoted(rule + ": " + text);
  }
  std::cout << line << "],\"trace\":" << quoted(outcome.trace) << "}\n";
}

void printWords(std::uint64_t seed, const Outcome& outcome) {
  std::cout << "seed " << seed << ": " << outcome.story.size() << " events, " << outcome.changes
            << " changes, " << outcome.violations.size() << " violations, trace " << outcome.trace
            << "\n";
  for (const auto& [rule, text] : outcome.violations) {
    std::cout << "  " << rule << ": " << text << "\n";
  }
}

std::vector<Event> storyIn(const std::string& file) {
  std::ifstream in(file);
  if (!in) throw std::invalid_argument(file);
  std::vector<Event> story;
  for (std::string line; std::getline(in, line);) {
    if (const auto event = waystation::simulator::parsedEvent(line)) story.push_back(*event);
  }
  return story;
}

// On a terminal, a line that says how far it is, about once a second.
class Ticker {
 public:
  explicit Ticker(std::uint64_t seed) : seed_(seed), isShown_(isatty(STDERR_FILENO) != 0) {}
  ~Ticker() {
    if (hasShown_) std::fputs("\r\x1b[K", stderr);
  }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  void tell(const Progress& progress) {
    const auto now = std::chrono::steady_clock::now();
    if (!isShown_ || (now < next_ && !(hasShown_ && progress.isHealing))) return;
    next_ = now + kToldEvery;
    hasShown_ = true;
    std::fprintf(stderr, "\r\x1b[Kseed %llu: %zu of %lld events%s",
                 static_cast<unsigned long long>(seed_), progress.events,
                 static_cast<long long>(progress.of),
                 progress.isHealing ? ", all exchange until nothing moves, and are checked" : "");
  }

 private:
  std::uint64_t seed_;
  bool isShown_;
  bool hasShown_ = false;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + kToldEvery;
};

void printShortest(const Settings& settings, const Outcome& outcome) {
  const std::string rule = outcome.violations.front().rule;
  std::cerr << "seed " << settings.seed << ": looking for the shortest story that breaks it\n";
  const auto story =
      waystation::simulator::shortest(settings, outcome.story, rule, kEventsToShorten);
  const Outcome again = waystation::simulator::retold(settings, story);
  std::cerr << "seed " << settings.seed << ", the shortest story that still breaks \"" << rule
            << "\":\n";
  for (const Event& event : story) std::cerr << "  " << printed(event) << "\n";
  for (const auto& [broken, text] : again.violations) {
    std::cerr << "  " << broken << ": " << text << "\n";
  }
}

Outcome told(const Arguments& arguments, const Settings& settings) {
  Ticker ticker(settings.seed);
  return arguments.story.empty()
             ? waystation::simulator::lived(
                   settings, [&](const Progress& progress) { ticker.tell(progress); })
             : waystation::simulator::retold(settings, storyIn(arguments.story));
}

void printSum(const Arguments& arguments, std::uint64_t failed, double seconds,
              const std::map<std::string, std::int64_t>& faults) {
  if (arguments.json) {
    std::cout << "{\"seeds\":" << arguments.seeds << ",\"with_violations\":" << failed
              << ",\"faults\":" << inJson(faults) << "}\n";
    return;
  }
  std::fprintf(stderr, "%llu seeds%s, %llu with violations, %.1f s (%.3f s a seed)\n",
               static_cast<unsigned long long>(arguments.seeds),
               arguments.twice ? ", each twice" : "", static_cast<unsigned long long>(failed),
               seconds, seconds / static_cast<double>(arguments.seeds));
  for (const auto& [kind, count] : faults) {
    std::fprintf(stderr, "  %8lld %s\n", static_cast<long long>(count), kind.c_str());
  }
}

int run(const Arguments& arguments) {
  Settings settings = arguments.settings;
  const auto began = std::chrono::steady_clock::now();
  std::map<std::string, std::int64_t> faults;
  std::uint64_t failed = 0;
  for (std::uint64_t i = 0; i < arguments.seeds; ++i, ++settings.seed) {
    Outcome outcome = told(arguments, settings);
    if (arguments.twice && told(arguments, settings).trace != outcome.trace) {
      outcome.violations.push_back({"one seed tells two stories", "the traces differ"});
    }
    for (const auto& [kind, count] : outcome.faults) faults[kind] += count;
    if (arguments.json) {
      printJson(settings.seed, outcome);
    } else if (!arguments.quiet || !outcome.violations.empty()) {
      printWords(settings.seed, outcome);
    }
    std::cout.flush();
    if (outcome.violations.empty()) continue;
    ++failed;
    printShortest(settings, outcome);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  printSum(arguments, failed, took.count(), faults);
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // what one exchange gives back the next one takes again
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  try {
    return run(parsed(count, words));
  } catch (const std::invalid_argument& error) {
    std::cerr
        << "simulate: can't use " << error.what()
        << "\nusage: simulate --seed S [--seeds N] --offices K --phones P --days D "
           "[--hostile H] [--backwards] [--roaming] [--twice] [--json] [--quiet] [--story FILE]\n";
    return 2;
  }
}
