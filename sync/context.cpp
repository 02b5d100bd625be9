#include "sync/context.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

bool entryCovers(const Context::Entry& entry, std::uint64_t counter) {
  return counter <= entry.upTo &&
         !std::binary_search(entry.except.begin(), entry.except.end(), counter);
}

// An exception survives only where neither side covers it.
void joinEntry(Context::Entry& into, const Context::Entry& from) {
  std::vector<std::uint64_t> except;
  const auto keep = [&except](const Context::Entry& own, const Context::Entry& other) {
    for (const std::uint64_t counter : own.except) {
      if (!entryCovers(other, counter)) except.push_back(counter);
    }
  };
  keep(into, from);
  keep(from, into);
  std::sort(except.begin(), except.end());
  except.erase(std::unique(except.begin(), except.end()), except.end());
  into.upTo = std::max(into.upTo, from.upTo);
  into.except = std::move(except);
}

}  // namespace

bool Context::covers(const Dot& dot) const {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), dot.replica,
      [](const Entry& entry, ReplicaId replica) { return entry.replica < replica; });
  return at != entries_.end() && at->replica == dot.replica && entryCovers(*at, dot.counter);
}

void Context::add(Entry entry) {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), entry.replica,
      [](const Entry& candidate, ReplicaId replica) { return candidate.replica < replica; });
  if (at != entries_.end() && at->replica == entry.replica) {
    joinEntry(*at, entry);
  } else {
    entries_.insert(at, std::move(entry));
  }
}

void Context::join(const Context& other) {
  for (const Entry& entry : other.entries_) add(entry);
}

void Context::encode(ByteWriter& writer) const {
  writer.varint(entries_.size());
  for (const Entry& entry : entries_) {
    writer.fixed64(entry.replica);
    writer.varint(entry.upTo);
    writer.varint(entry.except.size());
    std::uint64_t above = entry.upTo + 1;
    for (auto counter = entry.except.rbegin(); counter != entry.except.rend(); ++counter) {
      writer.varint(above - *counter - 1);
      above = *counter;
    }
  }
}

Context Context::decode(ByteReader& reader) {
  const auto malformed = [](const char* what) {
    throw Failure("sync.malformed", std::string("A sync message can't be read: ") + what + ".");
  };
  Context context;
  const std::size_t count = reader.count();
  for (std::size_t i = 0; i < count; ++i) {
    Entry entry;
    entry.replica = reader.fixed64();
    if (!context.entries_.empty() && context.entries_.back().replica >= entry.replica) {
      malformed("replicas of a context are out of order");
    }
    entry.upTo = reader.varint();
    if (entry.upTo == 0) malformed("a context covers nothing of a replica it names");
    std::uint64_t above = entry.upTo + 1;
    const std::size_t exceptions = reader.count();
    for (std::size_t j = 0; j < exceptions; ++j) {
      const std::uint64_t distance = reader.varint();
      if (distance + 1 >= above) malformed("an exception of a context lies outside it");
      above -= distance + 1;
      entry.except.push_back(above);
    }
    std::reverse(entry.except.begin(), entry.except.end());
    context.entries_.push_back(std::move(entry));
  }
  return context;
}

}  // namespace waystation::sync
