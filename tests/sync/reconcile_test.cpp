#include "sync/reconcile.h"

#include <gtest/gtest.h>

#include <set>

#include "crypto/failure.h"
#include "tests/support/seeded_random.h"

namespace waystation::sync {
namespace {

using testing::SeededRandom;

std::vector<Item> someItems(std::size_t count, SeededRandom& random) {
  std::vector<Item> items;
  for (std::size_t i = 0; i < count; ++i) {
    items.push_back({{1 + random.draw() % 7, i + 1}, {random.next64(), random.next64()}});
  }
  return items;
}

struct Found {
  std::set<RecordId> atA;
  std::set<RecordId> atB;
  int messages = 0;
  std::size_t bytes = 0;
};

// A speaks first; each message is encoded and read again.
Found reconcile(const ItemSet& a, const ItemSet& b) {
  Found found;
  Comparison said = a.whole();
  for (bool bAnswers = true; !said.empty() && found.messages < 20; bAnswers = !bAnswers) {
    const std::string bytes = encodeComparison(said);
    ++found.messages;
    found.bytes += bytes.size();
    const ItemSet::Reply reply = (bAnswers ? b : a).reply(decodeComparison(bytes));
    (bAnswers ? found.atB : found.atA).insert(reply.send.begin(), reply.send.end());
    (bAnswers ? found.atA : found.atB).insert(reply.want.begin(), reply.want.end());
    said = reply.next;
  }
  return found;
}

TEST(Reconcile, FindsExactlyTheRecordsThatDifferWhateverTheSizesAre) {
  SeededRandom random(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<Item> a = someItems(random.draw() % 3000, random);
    std::vector<Item> b = a;
    std::set<RecordId> atA;
    std::set<RecordId> atB;
    for (std::uint64_t i = random.draw() % 12; i > 0 && !b.empty(); --i) {
      const std::size_t at = random.draw() % b.size();
      switch (random.draw() % 3) {
        case 0:
          b[at].hash[0] ^= 1U << (random.draw() % 64);
          break;
        case 1:
          b.erase(b.begin() + static_cast<std::ptrdiff_t>(at));
          break;
        default:
          b.push_back({{9, i + 1}, {random.next64(), 0}});
      }
    }
    std::map<RecordId, StateSum> mapA;
    std::map<RecordId, StateSum> mapB;
    for (const Item& item : a) mapA[item.id] = item.hash;
    for (const Item& item : b) mapB[item.id] = item.hash;
    for (const auto& [id, hash] : mapA) {
      if (!mapB.contains(id) || mapB[id] != hash) atA.insert(id);
    }
    for (const auto& [id, hash] : mapB) {
      if (!mapA.contains(id) || mapA[id] != hash) atB.insert(id);
    }
    const Found found = reconcile(ItemSet(a), ItemSet(b));
    EXPECT_EQ(found.atA, atA);
    EXPECT_EQ(found.atB, atB);
  }
}

TEST(Reconcile, NeedsThreeMessagesAndFewKilobytesForOneDifferenceInAHundredThousand) {
  SeededRandom random(6);
  std::vector<Item> items = someItems(100'000, random);
  const ItemSet a(items);
  items[4711].hash[0] ^= 1;
  const Found found = reconcile(a, ItemSet(items));
  EXPECT_EQ(found.atA.size(), 1U);
  EXPECT_LE(found.messages, 3);
  EXPECT_LE(found.bytes, 3'600U);
}

TEST(Reconcile, AnswersAHostileComparisonWithBoundedWork) {
  SeededRandom random(7);
  const ItemSet set(someItems(100'000, random));
  // Ten thousand ranges, each with a wrong fingerprint.
  Comparison hostile(1);
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    hostile[0].parts.push_back({{1 + i / 1500, (i % 1500) * 60 + 1}, false, 1, {}});
  }
  std::sort(hostile[0].parts.begin(), hostile[0].parts.end(),
            [](const RangePart& x, const RangePart& y) { return x.to < y.to; });
  const ItemSet::Reply reply = set.reply(decodeComparison(encodeComparison(hostile)));
  EXPECT_LE(encodeComparison(reply.next).size(), (ItemSet::kMostParts + 128) * 20);
}

std::string codeOf(const std::string& payload) {
  try {
    decodeComparison(payload);
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "";
}

TEST(Reconcile, RefusesRangesThatOverlapAndListsOutOfPlace) {
  const RangePart wide{{5, 5}, false, 1, {}};
  EXPECT_EQ(codeOf(encodeComparison({{{0, 0}, {wide}}, {{5, 5}, {{{6, 1}, false, 1, {}}}}})), "");
  EXPECT_EQ(codeOf(encodeComparison({{{0, 0}, {wide}}, {{4, 1}, {{{6, 1}, false, 1, {}}}}})),
            "sync.malformed");
  EXPECT_EQ(codeOf(encodeComparison({{{0, 0}, {wide, wide}}})), "sync.malformed");
  const Item item{{3, 1}, {1, 0}};
  EXPECT_EQ(codeOf(encodeComparison({{{3, 1}, {{{4, 0}, true, 0, {item}}}}})), "");
  EXPECT_EQ(codeOf(encodeComparison({{{3, 2}, {{{4, 0}, true, 0, {item}}}}})), "sync.malformed");
  EXPECT_EQ(codeOf(encodeComparison({{{0, 0}, {{{3, 1}, true, 0, {item}}}}})), "sync.malformed");
  EXPECT_EQ(codeOf(encodeComparison({{{0, 0}, {{{4, 0}, true, 0, {item, item}}}}})),
            "sync.malformed");
}

}  // namespace
}  // namespace waystation::sync
