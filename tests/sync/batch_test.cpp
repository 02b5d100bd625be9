// Batches by columns: whatever changes go in come out, and what is forged stays small.

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "sync/batch_codec.h"
#include "tests/support/seeded_random.h"

namespace waystation::sync {
namespace {

using testing::SeededRandom;

constexpr ReplicaId kReplicas[] = {0x1111111111111111, 0x2222222222222222, 0x3333333333333333};

std::string codeOf(const std::function<void()>& act) {
  try {
    act();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "";
}

std::string valueFrom(SeededRandom& random) {
  static const std::vector<std::string> words = {"child", "market", "  ", ". ", "été",
                                                 "12",    "\\n",    "a",  "\"", "-"};
  switch (random.draw() % 7) {
    case 0:
      return std::to_string(random.draw() % 1000);
    case 1:
      return referenceValue({kReplicas[random.draw() % 3], random.draw() % 50});
    case 2:
      return "";
    case 3:
      return "two\nlines";
    case 4:
      return "\"";
    default: {
      std::string text = "\"";
      const std::size_t count = random.draw() % 60;
      for (std::size_t i = 0; i < count; ++i) {
        text += words[random.draw() % words.size()];
        if (random.draw() % 3 == 0) text += " ";
      }
      return text + "\"";
    }
  }
}

Context contextFrom(SeededRandom& random) {
  Context context;
  const std::size_t entries = random.draw() % 3;
  for (std::size_t i = 0; i < entries; ++i) {
    Context::Entry entry{kReplicas[random.draw() % 3], 5 + random.draw() % 100, {}};
    if (random.draw() % 3 == 0) entry.except = {2, 5};
    context.add(std::move(entry));
  }
  return context;
}

Change changeFrom(SeededRandom& random) {
  Change change{{kReplicas[random.draw() % 3], 1 + random.draw() % 300}, random.draw(), "a@B", {}};
  if (random.draw() % 2 == 0) change.time = random.draw() % (1 << 18);
  const std::size_t first = random.draw() % 40;
  for (std::size_t i = 0; i <= random.draw() % 3; ++i) {
    Edit edit{{kReplicas[0], first + i}, {}};
    static const std::vector<std::string> fields = {"_kind", "name", "note", "person"};
    for (const std::string& field : fields) {
      if (random.draw() % 2 == 0) continue;
      const bool isNote = field == "note";
      edit.writes.push_back({field, contextFrom(random),
                             isNote
                                 ? "\"" + std::string(50, 'x') + " the " + valueFrom(random) + "\""
                                 : valueFrom(random)});
    }
    if (edit.writes.empty()) edit.writes.push_back({"status", {}, "1"});
    change.edits.push_back(std::move(edit));
  }
  return change;
}

TEST(Batch, GivesBackWhateverChangesWentIn) {
  SeededRandom random(41);
  for (int round = 0; round < 200; ++round) {
    BatchEncoder encoder;
    BatchDecoder decoder;
    for (int batch = 0; batch < 3; ++batch) {
      std::vector<Change> changes(random.draw() % 12);
      for (Change& change : changes) change = changeFrom(random);
      ByteWriter writer;
      encoder.encode(changes, writer);
      ByteReader reader(writer.bytes());
      ASSERT_EQ(decoder.decode(reader), changes) << "round " << round;
      reader.expectEnd();
    }
  }
}

TEST(Batch, SaysNothingOfContextsThatAreAsExpected) {
  std::vector<Change> changes;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    Context birth;  // of the record, which was born by headquarters' change i + 3
    birth.add({kReplicas[1], i + 3, {}});
    changes.push_back(
        {{kReplicas[0], i}, i << 16, "a@B", {{{kReplicas[1], i}, {{"status", birth, "1"}}}}});
  }
  const auto sizeOf = [](const std::vector<Change>& some) {
    ByteWriter writer;
    BatchEncoder().encode(some, writer);
    return writer.bytes().size();
  };
  std::vector<Change> unread = changes;
  for (Change& change : unread) change.edits[0].writes[0].seen = {};
  EXPECT_LE(sizeOf(changes), sizeOf({changes[0]}) + 99 * 12);
  EXPECT_GT(sizeOf(unread), sizeOf(changes)) << "having read nothing is what is unexpected";
}

TEST(Batch, CountsWritesSoThatNoneIsTooLargeToRead) {
  Change change{{kReplicas[0], 1}, 1, "a@B", {}};
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    change.edits.push_back({{kReplicas[0], i}, {{"a", {}, "1"}, {"b", {}, "1"}}});
  }
  EXPECT_EQ(weightOf(change, 10), 2000 * kLeastWriteWeight);
  EXPECT_EQ(weightOf(change, 1'000'000), 1'000'000U);
}

// 130 bytes of shapes and a run of handles would else become millions of writes.
TEST(Batch, OfMoreWritesThanItsLimitIsRefused) {
  ByteWriter writer;
  std::vector<Change> changes;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    Change change{{kReplicas[0], i}, i << 16, "a@B", {}};
    for (std::uint64_t j = 1; j <= 1000; ++j) {
      Edit edit{{kReplicas[0], j}, {}};
      for (const char* field : {"a", "b", "c", "d", "e", "f", "g"})
        edit.writes.push_back({field, {}, ""});
      change.edits.push_back(std::move(edit));
    }
    changes.push_back(std::move(change));
  }
  BatchEncoder().encode(changes, writer);
  ByteReader reader(writer.bytes());
  EXPECT_EQ(codeOf([&] { BatchDecoder().decode(reader); }), "sync.malformed");
}

// The values of a column in words, as a forger would write them.
std::string words(const std::string& codes, const std::string& table,
                  const std::string& rare = "") {
  ByteWriter writer;
  writer.byte(4);
  writer.varint(static_cast<std::uint64_t>(std::count(table.begin(), table.end(), '\n')));
  writer.raw(table);
  writer.string(rare);
  writer.raw(codes);
  return writer.take();
}

std::string read(const std::string& bytes) {
  std::string value;
  Handles<ReplicaId> replicas;
  ByteReader reader(bytes);
  ValueDecoder().decode({{&value}}, replicas, reader);
  reader.expectEnd();
  return value;
}

TEST(Batch, PutsTheSpacesBetweenWordsBack) {
  EXPECT_EQ(read(words(std::string("\x02\x03\x01\x02\x00", 5), "one\ntwo\n", ", \n")),
            "\"one two, one\"");
}

TEST(Batch, RefusesWordsThatAreUnknownEmptyOrTooMany) {
  const std::string end(1, '\0');
  EXPECT_EQ(codeOf([&] { read(words("\x03" + end, "one\n")); }), "sync.malformed");
  EXPECT_EQ(codeOf([&] { read(words("\x01" + end, "one\n")); }), "sync.malformed");
  EXPECT_EQ(codeOf([&] { read(words("\x02" + end, "one\n", "two\n")); }), "sync.malformed");
  EXPECT_EQ(codeOf([&] { read(words("\x02" + end, "\n")); }), "sync.malformed");
  EXPECT_EQ(codeOf([&] { read(words("\x02" + end, std::string(65, 'x') + "\n")); }),
            "sync.malformed");
  const std::string bomb(100'000, '\x02');
  EXPECT_EQ(codeOf([&] { read(words(bomb + end, std::string(64, 'x') + "\n")); }),
            "sync.malformed");
}

}  // namespace
}  // namespace waystation::sync
