#include "sync/context.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

constexpr std::size_t kLeastEntryBytes = 10;

[[noreturn]] void malformed(const char* what) {
  throw Failure("sync.malformed", std::string("A sync message can't be read: ") + what + ".");
}

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

void Context::Entry::encodeExceptions(ByteWriter& writer) const {
  writer.varint(except.size());
  std::uint64_t below = upTo;  // the highest that the next one can be
  for (auto counter = except.rbegin(); counter != except.rend(); ++counter) {
    writer.varint(below - *counter);
    below = *counter - 1;
  }
}

void Context::Entry::decodeExceptions(ByteReader& reader) {
  const std::size_t count = reader.count();
  std::uint64_t below = upTo;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t distance = reader.varint();
    if (distance >= below) malformed("an exception of a context lies outside it");
    except.push_back(below - distance);
    below = except.back() - 1;
  }
  std::reverse(except.begin(), except.end());
}

bool Context::covers(const Dot& dot) const {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), dot.replica,
      [](const Entry& entry, ReplicaId replica) { return entry.replica < replica; });
  return at != entries_.end() && at->replica == dot.replica && entryCovers(*at, dot.counter);
}

bool Context::includes(const Context& other) const {
  Context both = *this;
  both.join(other);
  return both == *this;
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
    entry.encodeExceptions(writer);
  }
}

Context Context::decode(ByteReader& reader) {
  Context context;
  const std::size_t count = reader.count(kLeastEntryBytes);
  for (std::size_t i = 0; i < count; ++i) {
    Entry entry;
    entry.replica = reader.fixed64();
    if (!context.entries_.empty() && context.entries_.back().replica >= entry.replica) {
      malformed("replicas of a context are out of order");
    }
    entry.upTo = reader.varint();
    if (entry.upTo == 0) malformed("a context covers nothing of a replica it names");
    entry.decodeExceptions(reader);
    context.entries_.push_back(std::move(entry));
  }
  return context;
}

}  // namespace waystation::sync
