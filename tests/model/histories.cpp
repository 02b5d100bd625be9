#include "tests/model/histories.h"

#include <algorithm>
#include <optional>

#include "tests/model/field_states.h"

namespace waystation::model {
namespace {

constexpr int kReplicas = 3;
constexpr int kMost = 3;
constexpr int kCuts = 64;
using Id = FieldStates::Id;
using Cut = std::array<int, kReplicas>;  // how many writes of each replica
using Set = unsigned;                    // of writes

struct Cause {
  int replica = 0;
  Cut held{};  // when it was written
  int number() const { return replica * kMost + held[std::size_t(replica)]; }
  int nth() const { return held[std::size_t(replica)]; }
};

std::size_t placeOf(const Cut& cut) {
  return std::size_t(16 * cut[0] + 4 * cut[1] + cut[2]);
}

Set bit(int number) {
  return 1U << unsigned(number);
}

Set setOf(const Cut& cut) {
  Set set = 0;
  for (int r = 0; r < kReplicas; ++r) {
    for (int i = 0; i < cut[std::size_t(r)]; ++i) set |= bit(r * kMost + i);
  }
  return set;
}

template <typename Visit>
void eachIn(const Cut& from, const Cut& to, Visit visit) {
  Cut cut{};
  for (cut[0] = from[0]; cut[0] <= to[0]; ++cut[0]) {
    for (cut[1] = from[1]; cut[1] <= to[1]; ++cut[1]) {
      for (cut[2] = from[2]; cut[2] <= to[2]; ++cut[2]) visit(cut);
    }
  }
}

template <typename Visit>
void eachWrite(Set set, Visit visit) {
  for (int number = 0; number < FieldStates::kWrites; ++number) {
    if ((set & bit(number)) != 0) visit(number);
  }
}

std::string printed(const Cut& cut) {
  return std::to_string(cut[0]) + std::to_string(cut[1]) + std::to_string(cut[2]);
}

class Historian {
 public:
  explicit Historian(const HistorySettings& settings)
      : settings_(settings), states_(settings.join) {}

  HistoryResult run() {
    addCauses();
    result_.states = states_.states();
    result_.joins = states_.joins();
    return result_;
  }

 private:
  void addCauses();
  bool isFirstOrder(const Cause& next) const;
  bool isFirstName() const;
  bool holds(const Cut& cut) const;
  void addPage(std::size_t at);
  std::vector<std::optional<Cut>> pagesOf(const Cause& cause) const;
  Id writeOn(const Cause& cause, const std::optional<Cut>& page);
  void check(std::size_t at);
  void checkCut(const Cut& cut);
  void checkLate(const Cut& cut, int number);
  void checkMerges(const Cut& cut);
  bool isOver() const { return result_.problems.size() >= settings_.problemsKept; }
  void problem(const std::string& what);
  const Cause& causeOf(int number) const { return causes_[std::size_t(at_[std::size_t(number)])]; }

  const HistorySettings& settings_;
  FieldStates states_;
  HistoryResult result_;
  std::vector<Cause> causes_;                   // in an order in which it can have happened
  std::array<int, FieldStates::kWrites> at_{};  // of each write, where it stands there
  Cut made_{};
  // Of the history that is being made.
  std::array<Id, kCuts> state_{};
  std::array<Set, FieldStates::kWrites> read_{};  // with all that was read before
  std::array<Id, FieldStates::kWrites> write_{};
  std::vector<Cut> cuts_;
  std::vector<std::string> pages_;
};

void Historian::problem(const std::string& what) {
  if (isOver()) return;
  std::string text = what + "; replica, what it held, its page:";
  for (std::size_t i = 0; i < pages_.size(); ++i) {
    text += "\n    " + std::to_string(causes_[i].replica) + " " + printed(causes_[i].held) + " " +
            pages_[i];
  }
  result_.problems.push_back(text);
}

// Whether each write of these has its causes among them.
bool Historian::holds(const Cut& cut) const {
  for (int r = 0; r < kReplicas; ++r) {
    if (cut[std::size_t(r)] == 0) continue;
    const Cut& held = causeOf(r * kMost + cut[std::size_t(r)] - 1).held;
    for (std::size_t s = 0; s < kReplicas; ++s) {
      if (int(s) != r && held[s] > cut[s]) return false;
    }
  }
  return true;
}

// Of the orders in which writes can have happened that hold nothing of each other, one is enough:
// the one in which none comes directly after such of a later replica (Anisimov and Knuth's normal
// form of a trace).
bool Historian::isFirstOrder(const Cause& next) const {
  for (auto before = causes_.rbegin(); before != causes_.rend(); ++before) {
    const auto replica = std::size_t(before->replica);
    if (next.held[replica] > before->nth()) return true;
    if (before->replica > next.replica) return false;
  }
  return true;
}

// Whether no renaming of replicas that write equally often comes before this one.
bool Historian::isFirstName() const {
  const auto keyAs = [&](const std::array<int, kReplicas>& name) {
    std::array<char, FieldStates::kWrites * kReplicas> key{};
    for (const Cause& cause : causes_) {
      const int number = name[std::size_t(cause.replica)] * kMost + cause.nth();
      for (std::size_t s = 0; s < kReplicas; ++s) {
        key[std::size_t(number * kReplicas + name[s])] = static_cast<char>(cause.held[s]);
      }
    }
    return key;
  };
  const auto mine = keyAs({0, 1, 2});
  std::array<int, kReplicas> name = {0, 1, 2};
  while (std::next_permutation(name.begin(), name.end())) {
    bool isEqual = true;
    for (std::size_t r = 0; r < kReplicas; ++r) {
      isEqual = isEqual && settings_.writes[r] == settings_.writes[std::size_t(name[r])];
    }
    if (isEqual && keyAs(name) < mine) return false;
  }
  return true;
}

void Historian::addCauses() {
  if (isOver()) return;
  if (made_ == Cut(settings_.writes)) {
    if (!isFirstName()) return;
    ++result_.orders;
    cuts_ = {Cut{}};
    state_[0] = states_.empty();
    addPage(0);
    return;
  }
  for (int r = 0; r < kReplicas; ++r) {
    const auto replica = std::size_t(r);
    if (made_[replica] == settings_.writes[replica]) continue;
    Cut from{};
    if (made_[replica] > 0) from = causeOf(r * kMost + made_[replica] - 1).held;
    from[replica] = made_[replica];
    Cut to = made_;
    eachIn(from, to, [&](const Cut& held) {
      const Cause next{r, held};
      if (!holds(held) || !isFirstOrder(next)) return;
      at_[std::size_t(next.number())] = static_cast<int>(causes_.size());
      causes_.push_back(next);
      ++made_[replica];
      addCauses();
      --made_[replica];
      causes_.pop_back();
    });
  }
}

// Pages that this writer can have had before him: none, that of then, older ones.
std::vector<std::optional<Cut>> Historian::pagesOf(const Cause& cause) const {
  std::vector<std::optional<Cut>> pages = {std::nullopt, cause.held};
  const auto own = std::size_t(cause.replica);
  if (settings_.pages == OlderPages::kPrevious && cause.nth() > 0) {
    Cut page = causeOf(cause.number() - 1).held;
    ++page[own];
    pages.emplace_back(page);
  }
  if (settings_.pages != OlderPages::kAny) return pages;
  eachIn(Cut{}, cause.held, [&](const Cut& page) {
    if (page == cause.held || !holds(page)) return;
    if (page[own] < cause.nth()) {  // it had no more than what it held at its next write
      const Cut& held = causeOf(cause.replica * kMost + page[own]).held;
      for (std::size_t s = 0; s < kReplicas; ++s) {
        if (s != own && page[s] > held[s]) return;
      }
    }
    if (page[own] > 0) {  // and no less than at the one before
      const Cut& held = causeOf(cause.replica * kMost + page[own] - 1).held;
      for (std::size_t s = 0; s < kReplicas; ++s) {
        if (s != own && page[s] < held[s]) return;
      }
    }
    pages.emplace_back(page);
  });
  return pages;
}

// The write that the engine makes of it, and what its writer had read.
Id Historian::writeOn(const Cause& cause, const std::optional<Cut>& page) {
  const int number = cause.number();
  const Id now = state_[placeOf(cause.held)];
  const sync::Field field = states_.field(now);
  sync::Field onPage;
  Set read = 0;
  if (page) {
    onPage = states_.field(state_[placeOf(*page)]);
    const Set shown = states_.shown(state_[placeOf(*page)]);
    eachWrite(shown, [&](int other) { read |= bit(other) | read_[std::size_t(other)]; });
  }
  // A save covers those writes of its own replica, too, that had been replaced there before.
  for (int i = 0; i < cause.nth(); ++i) {
    const int own = cause.replica * kMost + i;
    if ((states_.shown(now) & bit(own)) == 0) read |= bit(own);
  }
  read_[std::size_t(number)] = read;
  sync::Context seen = seenOf(sync::contextOf(onPage), &field, FieldStates::dotOf(number).replica);
  if (settings_.plainVectors) {
    sync::Context plain;
    for (const sync::Context::Entry& entry : seen.entries()) {
      plain.add({entry.replica, entry.upTo, {}});
    }
    seen = plain;
  }
  return states_.write(number, seen);
}

void Historian::addPage(std::size_t at) {
  if (isOver()) return;
  if (at == causes_.size()) {
    ++result_.histories;
    return;
  }
  const Cause cause = causes_[at];
  std::vector<Id> tried;
  for (const std::optional<Cut>& page : pagesOf(cause)) {
    const Id write = writeOn(cause, page);
    const bool isKnown = std::find(tried.begin(), tried.end(), write) != tried.end();
    if (isKnown) continue;  // another page that says the same
    tried.push_back(write);
    write_[std::size_t(cause.number())] = write;
    const std::size_t before = cuts_.size();
    pages_.push_back(page ? printed(*page) : "none");
    check(at);
    if (!isOver()) addPage(at + 1);
    pages_.pop_back();
    cuts_.resize(before);
  }
}

// All that is new with the write at this place.
void Historian::check(std::size_t at) {
  const Cause& cause = causes_[at];
  const auto own = std::size_t(cause.replica);
  Cut from = cause.held;
  ++from[own];
  Cut to{};
  for (std::size_t i = 0; i <= at; ++i) ++to[std::size_t(causes_[i].replica)];
  const std::size_t before = cuts_.size();
  eachIn(from, to, [&](const Cut& cut) {
    if (!holds(cut) || isOver()) return;
    checkCut(cut);
    cuts_.push_back(cut);
  });
  for (std::size_t i = 0; i < cuts_.size() && !isOver(); ++i) {
    if (i < before) {
      checkLate(cuts_[i], cause.number());
      continue;
    }
    for (std::size_t j = 0; j <= at; ++j) checkLate(cuts_[i], causes_[j].number());
    checkMerges(cuts_[i]);
  }
}

// One state, whichever write is joined last, which shows what nobody had read.
void Historian::checkCut(const Cut& cut) {
  std::optional<Id> state;
  for (std::size_t r = 0; r < kReplicas; ++r) {
    Cut without = cut;
    if (without[r]-- == 0 || !holds(without)) continue;
    const Id one =
        states_.joined(state_[placeOf(without)], write_[std::size_t(int(r) * kMost + without[r])]);
    if (state && *state != one) problem("the order of changes matters");
    state = one;
  }
  if (!state || *state == FieldStates::kBroken) return problem("a pruned record is another");
  state_[placeOf(cut)] = *state;
  ++result_.cuts;
  const Set all = setOf(cut);
  Set expected = all;
  eachWrite(all, [&](int number) { expected &= ~read_[std::size_t(number)]; });
  const Set shown = states_.shown(*state);
  if ((expected & ~shown) != 0) problem("a sibling is lost");
  if ((shown & ~expected) != 0) problem("a sibling is resurrected");
  const Set covered = states_.covered(*state);
  if ((shown & ~covered) != 0) problem("a page's context leaves out what the page shows");
  if ((covered & ~all) != 0) problem("a page's context covers what its reader did not hold");
}

void Historian::checkLate(const Cut& cut, int number) {
  const Id state = state_[placeOf(cut)];
  const Set shown = states_.shown(state);
  Set read = 0;
  eachWrite(shown, [&](int other) { read |= read_[std::size_t(other)]; });
  Set expected = shown;
  const bool isIn = (setOf(cut) & bit(number)) != 0;
  if (!isIn && (read & bit(number)) == 0) {
    expected = (shown & ~read_[std::size_t(number)]) | bit(number);
  }
  const Id late = states_.joined(state, write_[std::size_t(number)]);
  const bool isRight = late != FieldStates::kBroken && states_.shown(late) == expected;
  if (!isRight || (isIn && late != state)) {
    problem("a change that comes late does what it should not");
  }
}

void Historian::checkMerges(const Cut& cut) {
  const Id state = state_[placeOf(cut)];
  for (const Cut& other : cuts_) {
    Cut both{};
    for (std::size_t r = 0; r < kReplicas; ++r) both[r] = std::max(cut[r], other[r]);
    const Id expected = state_[placeOf(both)];
    const Id from = state_[placeOf(other)];
    result_.merges += 2;
    if (states_.merged(state, from) != expected || states_.merged(from, state) != expected) {
      return problem("what is taken over as a pruned record is not what both had");
    }
  }
}

}  // namespace

HistoryResult histories(const HistorySettings& settings) {
  return Historian(settings).run();
}

}  // namespace waystation::model
