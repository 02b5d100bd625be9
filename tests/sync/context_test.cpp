#include "sync/context.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/failure.h"
#include "tests/support/seeded_random.h"

namespace waystation::sync {
namespace {

using testing::SeededRandom;

Context randomContext(SeededRandom& random) {
  Context context;
  for (ReplicaId replica = 1; replica <= 3; ++replica) {
    const std::uint64_t upTo = random.draw() % 7;
    if (upTo == 0) continue;
    Context::Entry entry{replica, upTo, {}};
    for (std::uint64_t counter = 1; counter <= upTo; ++counter) {
      if (random.draw() % 3 == 0) entry.except.push_back(counter);
    }
    context.add(entry);
  }
  return context;
}

Context joined(Context a, const Context& b) {
  a.join(b);
  return a;
}

void expectSameCoverage(const Context& a, const Context& b) {
  for (ReplicaId replica = 1; replica <= 3; ++replica) {
    for (std::uint64_t counter = 1; counter <= 8; ++counter) {
      EXPECT_EQ(a.covers({replica, counter}), b.covers({replica, counter}));
    }
  }
}

TEST(ContextOfReads, JoinsCommutativelyAssociativelyAndIdempotently) {
  SeededRandom random(7);
  for (int i = 0; i < 5000; ++i) {
    const Context a = randomContext(random);
    const Context b = randomContext(random);
    const Context c = randomContext(random);
    EXPECT_EQ(joined(a, b), joined(b, a));
    expectSameCoverage(joined(joined(a, b), c), joined(a, joined(b, c)));
    EXPECT_EQ(joined(a, a), a);
  }
}

TEST(ContextOfReads, JoinedCoversExactlyWhatEitherCovered) {
  SeededRandom random(8);
  for (int i = 0; i < 5000; ++i) {
    const Context a = randomContext(random);
    const Context b = randomContext(random);
    const Context both = joined(a, b);
    for (ReplicaId replica = 1; replica <= 3; ++replica) {
      for (std::uint64_t counter = 1; counter <= 8; ++counter) {
        const Dot dot{replica, counter};
        EXPECT_EQ(both.covers(dot), a.covers(dot) || b.covers(dot));
      }
    }
  }
}

TEST(ContextOfReads, SurvivesItsEncoding) {
  SeededRandom random(9);
  for (int i = 0; i < 5000; ++i) {
    const Context context = randomContext(random);
    ByteWriter writer;
    context.encode(writer);
    ByteReader reader(writer.bytes());
    EXPECT_EQ(Context::decode(reader), context);
    EXPECT_TRUE(reader.atEnd());
  }
}

std::string refusalOf(const std::vector<std::string>& entries) {
  std::string bytes(1, static_cast<char>(entries.size()));
  for (const std::string& entry : entries) bytes += entry;
  try {
    ByteReader reader(bytes);
    Context::decode(reader);
    return "";
  } catch (const Failure& failure) {
    return failure.code();
  }
}

std::string entry(std::uint64_t replica, std::uint64_t upTo,
                  const std::vector<std::uint64_t>& distances) {
  ByteWriter writer;
  writer.fixed64(replica);
  writer.varint(upTo);
  writer.varint(distances.size());
  for (const std::uint64_t distance : distances) writer.varint(distance);
  return writer.take();
}

TEST(ContextOfReads, RefusesEveryOtherEncoding) {
  EXPECT_EQ(refusalOf({entry(1, 3, {0, 1})}), "");
  EXPECT_EQ(refusalOf({entry(2, 3, {}), entry(1, 3, {})}), "sync.malformed");
  EXPECT_EQ(refusalOf({entry(1, 3, {}), entry(1, 3, {})}), "sync.malformed");
  EXPECT_EQ(refusalOf({entry(1, 0, {})}), "sync.malformed");
  EXPECT_EQ(refusalOf({entry(1, 3, {3})}), "sync.malformed");
  EXPECT_EQ(refusalOf({entry(1, 3, {0, 0, 0, 0})}), "sync.malformed");
  EXPECT_EQ(refusalOf({entry(1, 3, {UINT64_MAX})}), "sync.malformed");
  EXPECT_EQ(refusalOf({entry(1, UINT64_MAX, {UINT64_MAX})}), "sync.malformed");
}

}  // namespace
}  // namespace waystation::sync
