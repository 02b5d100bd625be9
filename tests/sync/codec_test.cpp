#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "sync/feed_codec.h"
#include "sync/frame.h"
#include "sync/leaf.h"
#include "tests/support/seeded_random.h"

namespace waystation::sync {
namespace {

using testing::SeededRandom;

constexpr ReplicaId kOffice = 0x1111111111111111;
constexpr ReplicaId kHeadquarters = 0x2222222222222222;
const RecordId kPerson{kOffice, 1};
const RecordId kCase{kHeadquarters, 300};

std::string codeOf(const std::function<void()>& act) {
  try {
    act();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "";
}

// The history of docs/spec/sync.md, "Worked example".
Change birth() {
  return {{kOffice, 1},
          0x018BCFE568000000,
          "amina@NBO",
          {{kPerson, {{"_kind", {}, "\"person\""}, {"name", {}, "\"Hawa\""}}}}};
}

Change edit() {
  Context seen;
  seen.add({kHeadquarters, 6, {4}});
  return {{kOffice, 3},
          0x018BCFE568000001,
          "amina@NBO",
          {{kPerson, {{"name", {}, "\"Hawa Ali\""}, {"phone", seen, "\"+254\""}}},
           {kCase, {{"person", {}, referenceValue(kPerson)}}}}};
}

// Saved on a page that had read the first name, but not the second.
Change staleEdit() {
  Context seen;
  seen.add({kOffice, 3, {3}});
  return {
      {kOffice, 4}, 0x018BCFE568010000, "omar@NBO", {{kPerson, {{"name", seen, "\"Hawa A.\""}}}}};
}

Record person() {
  Record record;
  record.id = kPerson;
  for (const Change& change : {birth(), edit(), staleEdit()}) {
    joinEdit(record, change, change.edits.front());
  }
  return record;
}

Hello hello() {
  Hello hello;
  hello.base = {kOffice, 2, "abcdefgh"};
  hello.feed = {kHeadquarters, 17, kCase.bytes()};
  hello.clockMs = 1'700'000'000'000;
  hello.digest = StateSum{1, 2};
  return hello;
}

Welcome welcome() {
  return {Position{kOffice, 5, "abcdefgh"}, true, FeedCursor{7, 8, ""}, 9, Agreement::kDiffer, 10};
}

// The usual one: all that was sent has come, and the feed begins where the leaf stands.
Welcome shortWelcome() {
  Welcome welcome;
  welcome.feedHead = 17;
  welcome.agreement = Agreement::kAgree;
  welcome.clockMs = 1'700'000'000'000;
  return welcome;
}

std::string batchBytes() {
  ByteWriter writer;
  BatchEncoder().encode({birth(), edit(), staleEdit()}, writer);
  return writer.take();
}

// Texts long enough to be written in words, with a rare one, a gap and a column of references.
std::vector<Change> texts() {
  const std::string text = "the child was seen at the market, the child is well; ";
  std::vector<Change> changes;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    const std::string value = "\"" + text + text + text + "n" + std::to_string(i) + "\"";
    Context seen;
    if (i == 3) seen.add({kHeadquarters, 302, {}});
    changes.push_back({{kOffice, i},
                       0x018BCFE568000000 + (i << 16),
                       "amina@NBO",
                       {{{kHeadquarters, 200 + 50 * i},
                         {{"note", seen, value}, {"person", seen, referenceValue(kPerson)}}}}});
  }
  return changes;
}

FeedFrame feedFrame() {
  FeedFrame frame;
  frame.after = {0, 19, kCase.bytes()};
  frame.items.push_back({storage::FeedType::kLeave, kPerson, {}});
  frame.items.push_back({storage::FeedType::kChange, {}, {edit()}});
  frame.items.push_back({storage::FeedType::kEnter, kCase, texts()});
  return frame;
}

std::string batchOfTexts() {
  ByteWriter writer;
  BatchEncoder().encode(texts(), writer);
  return writer.take();
}

std::map<std::string, std::string> computedVectors() {
  const std::string salt = chainSalt("0123456789abcdef", 1);
  const std::string digest = linkDigest(salt, encodeChange(birth()));
  const Record record = person();
  return {{"change-birth", encodeChange(birth())},
          {"change-edit", encodeChange(edit())},
          {"change-stale-edit", encodeChange(staleEdit())},
          {"chain-salt", salt},
          {"chain-digest", digest},
          {"chain-hash", nextChainHash("", digest)},
          {"record-state", encodeState(record)},
          {"record-hash", sumBytes(stateHash(record, encodeState(record)))},
          {"record-tag", crypto::fromBase64Url(encodeTag(record))},
          {"batch", batchBytes()},
          {"batch-of-texts", batchOfTexts()},
          {"hello-frame", encodeFrame(FrameType::kHello, encodeHello(hello()))},
          {"welcome", encodeWelcome(welcome())},
          {"welcome-short", encodeWelcome(shortWelcome())},
          {"gone", encodeGone({std::string(64, 's'), kOffice, 3, {std::string(32, 'd')}})}};
}

std::map<std::string, std::string> writtenVectors(const std::string& of = "sync.txt") {
  std::ifstream file(WAYSTATION_SOURCE_DIR "/tests/vectors/" + of);
  std::map<std::string, std::string> written;
  std::string name;
  std::string hex;
  while (file >> name >> hex) written[name] = hex;
  return written;
}

std::vector<Change> readBatch(const std::string& bytes) {
  ByteReader reader(bytes);
  std::vector<Change> changes = BatchDecoder().decode(reader);
  reader.expectEnd();
  return changes;
}

TEST(Vectors, AreReadAsWhatTheyHold) {
  auto written = writtenVectors();
  const auto bytes = [&](const char* name) { return crypto::fromHex(written[name]); };
  EXPECT_EQ(decodeChange(bytes("change-birth")), birth());
  EXPECT_EQ(decodeChange(bytes("change-edit")), edit());
  EXPECT_EQ(decodeChange(bytes("change-stale-edit")), staleEdit());
  EXPECT_EQ(readBatch(bytes("batch")), (std::vector<Change>{birth(), edit(), staleEdit()}));
  EXPECT_EQ(readBatch(bytes("batch-of-texts")), texts());
  EXPECT_EQ(encodeState(decodeState(kPerson, bytes("record-state"))), encodeState(person()));
  const Hello read = decodeHello(bytes("hello-frame").substr(2));
  EXPECT_EQ(read.base, hello().base);
  EXPECT_EQ(read.feed, hello().feed);
  EXPECT_EQ(read.digest, hello().digest);
  EXPECT_EQ(decodeWelcome(bytes("welcome")).received, welcome().received);
  EXPECT_EQ(decodeWelcome(bytes("welcome")).feed, welcome().feed);
  EXPECT_TRUE(decodeWelcome(bytes("welcome")).rewind);
  const Welcome brief = decodeWelcome(bytes("welcome-short"));
  EXPECT_FALSE(brief.received || brief.feed || brief.rewind);
  EXPECT_EQ(brief.agreement, Agreement::kAgree);
  EXPECT_EQ(decodeGone(bytes("gone")).firstNumber, 3U);
}

// How zstd packs is its version's affair: these are read, and only made where they are not there.
TEST(Vectors, OfPackedFramesAreReadAsWhatTheyHold) {
  auto written = writtenVectors("sync-packed.txt");
  PackedFrameWriter up;
  up.changes({kOffice, 1, {birth(), edit(), staleEdit()}, std::string(64, 's')});
  up.changes({kOffice, 4, texts(), std::string(64, 't')});
  PackedFrameWriter down;
  down.feed(feedFrame());
  const std::string made =
      "changes-frames " + crypto::toHex(up.take()) + "\nfeed-frame " + crypto::toHex(down.take());
  ASSERT_EQ(written.size(), 2U) << made;
  FrameReader frames;
  frames.add(crypto::fromHex(written["changes-frames"]) + crypto::fromHex(written["feed-frame"]));
  PackedFrameReader reader;
  const ChangesFrame first = reader.changes(frames.next()->payload);
  EXPECT_EQ(first.firstNumber, 1U);
  EXPECT_EQ(first.changes, (std::vector<Change>{birth(), edit(), staleEdit()}));
  EXPECT_EQ(reader.changes(frames.next()->payload).changes, texts());
  const FeedFrame feed = PackedFrameReader().feed(frames.next()->payload);
  EXPECT_EQ(feed.after, feedFrame().after);
  EXPECT_EQ(feed.items.at(2).changes, texts());
}

TEST(Vectors, AreWhatThisProgramWrites) {
  auto written = writtenVectors();
  const auto computed = computedVectors();
  EXPECT_EQ(written.size(), computed.size());
  for (const auto& [key, bytes] : computed) {
    EXPECT_EQ(written[key], crypto::toHex(bytes)) << key << " " << crypto::toHex(bytes);
  }
}

TEST(Codec, ReadsWhatItWrote) {
  for (const Change& change : {birth(), edit(), staleEdit()}) {
    EXPECT_EQ(decodeChange(encodeChange(change)), change);
  }
  const std::string state = encodeState(person());
  EXPECT_EQ(encodeState(decodeState(kPerson, state)), state);
  const std::string batch = batchBytes();
  ByteReader reader(batch);
  EXPECT_EQ(BatchDecoder().decode(reader), (std::vector<Change>{birth(), edit(), staleEdit()}));
  EXPECT_EQ(encodeHello(decodeHello(encodeHello(hello()))), encodeHello(hello()));
  EXPECT_EQ(encodeHello(decodeHello(encodeHello({}))), encodeHello({}));
  for (const Welcome& one : {welcome(), Welcome{}}) {
    EXPECT_EQ(encodeWelcome(decodeWelcome(encodeWelcome(one))), encodeWelcome(one));
  }
  const GoneFrame gone{
      std::string(64, 's'), kOffice, 3, {std::string(32, 'a'), std::string(32, 'b')}};
  EXPECT_EQ(encodeGone(decodeGone(encodeGone(gone))), encodeGone(gone));
  const std::vector<std::string> roots = {kPerson.bytes(), kCase.bytes()};
  EXPECT_EQ(decodeReceipts(encodeReceipts(roots)), roots);
}

TEST(Codec, OfATagKeepsWhatEachFieldHadBeenReadOf) {
  const auto tag = decodeTag(encodeTag(person()));
  EXPECT_EQ(tag.size(), 3U);
  EXPECT_TRUE(tag.at("name").covers({kOffice, 3}));
  EXPECT_TRUE(tag.at("name").covers({kOffice, 4}));
  EXPECT_TRUE(tag.at("phone").covers({kHeadquarters, 6}));
  EXPECT_FALSE(tag.at("phone").covers({kHeadquarters, 4}));
}

TEST(Codec, RefusesAChangeThatIsNotCanonical) {
  Change change = birth();
  std::swap(change.edits[0].writes[0], change.edits[0].writes[1]);
  EXPECT_EQ(codeOf([&] { decodeChange(encodeChange(change)); }), "sync.malformed");
  change = edit();
  std::swap(change.edits[0], change.edits[1]);
  EXPECT_EQ(codeOf([&] { decodeChange(encodeChange(change)); }), "sync.malformed");
  change = birth();
  change.dot.counter = 0;
  EXPECT_EQ(codeOf([&] { decodeChange(encodeChange(change)); }), "sync.malformed");
  change = birth();
  change.edits.clear();
  EXPECT_EQ(codeOf([&] { decodeChange(encodeChange(change)); }), "sync.malformed");
  change = birth();
  change.edits[0].writes.clear();
  EXPECT_EQ(codeOf([&] { decodeChange(encodeChange(change)); }), "sync.malformed");
  EXPECT_EQ(codeOf([&] { decodeChange(encodeChange(birth()) + "x"); }), "sync.malformed");
  change = birth();
  change.edits[0].writes[1].value = std::string(kMaxChangeBytes, '1');
  EXPECT_EQ(codeOf([&] { decodeChange(encodeChange(change)); }), "sync.malformed");
}

TEST(Codec, RefusesANumberThatIsNotInItsShortestForm) {
  const std::string padded("\x81\x00", 2);
  EXPECT_EQ(codeOf([&] { ByteReader(padded).varint(); }), "sync.malformed");
  const std::string tooLarge(11, '\xff');
  EXPECT_EQ(codeOf([&] { ByteReader(tooLarge).varint(); }), "sync.malformed");
}

// Whatever a mutated message is, it is refused with a code or read; sanitizers watch the rest.
template <typename Decode>
void mutate(const std::string& original, SeededRandom& random, int rounds, const Decode& decode) {
  for (int i = 0; i < rounds; ++i) {
    std::string bytes = original;
    const std::size_t flips = 1 + random.draw() % 4;
    for (std::size_t flip = 0; flip < flips && !bytes.empty(); ++flip) {
      const std::size_t at = random.draw() % bytes.size();
      switch (random.draw() % 4) {
        case 0:
          bytes.resize(at);
          break;
        case 1:
          bytes.insert(at, 1, static_cast<char>(random.draw()));
          break;
        default:
          bytes[at] = static_cast<char>(random.draw() % 3 == 0 ? 0xff : random.draw());
      }
    }
    try {
      decode(bytes);
    } catch (const Failure&) {
    }
  }
}

TEST(Codec, SurvivesHundredThousandMutations) {
  SeededRandom random(31);
  constexpr int kRounds = 15'000;
  mutate(encodeChange(edit()), random, kRounds, [](const std::string& bytes) {
    EXPECT_EQ(encodeChange(decodeChange(bytes)), bytes) << "what is read is canonical";
  });
  mutate(encodeState(person()), random, kRounds,
         [](const std::string& bytes) { decodeState(kPerson, bytes); });
  mutate(crypto::fromBase64Url(encodeTag(person())), random, kRounds,
         [](const std::string& bytes) { decodeTag(crypto::toBase64Url(bytes)); });
  mutate(batchBytes(), random, kRounds, [](const std::string& bytes) {
    ByteReader reader(bytes);
    BatchDecoder().decode(reader);
  });
  mutate(encodeHello(hello()), random, kRounds,
         [](const std::string& bytes) { decodeHello(bytes); });
  mutate(encodeIncarnation({1, 2, 3, std::string(32, 'p'), "0123456789abcdef"}), random, kRounds,
         [](const std::string& bytes) { decodeIncarnation(bytes); });
  mutate(encodeGone({std::string(64, 's'), 1, 2, {std::string(32, 'p')}}), random, kRounds,
         [](const std::string& bytes) { decodeGone(bytes); });
  mutate(encodeReceipts({kPerson.bytes()}), random, kRounds,
         [](const std::string& bytes) { decodeReceipts(bytes); });
}

TEST(Codec, OfPackedFramesSurvivesMutations) {
  SeededRandom random(32);
  PackedFrameWriter up;
  up.changes({kOffice, 1, {birth(), edit()}, std::string(64, 's')});
  const std::string changes = up.take().substr(2);
  mutate(changes, random, 3000,
         [](const std::string& bytes) { PackedFrameReader().changes(bytes); });
  PackedFrameWriter down;
  FeedFrame feed;
  feed.after.number = 5;
  feed.after.within = kPerson.bytes();
  feed.items.push_back({storage::FeedType::kEnter, kPerson, {birth(), edit()}});
  feed.items.push_back({storage::FeedType::kLeave, kCase, {}});
  down.feed(feed);
  mutate(down.take().substr(2), random, 3000,
         [](const std::string& bytes) { PackedFrameReader().feed(bytes); });
}

TEST(Codec, ReadsTheFeedThatItWrote) {
  const FeedFrame frame = feedFrame();
  PackedFrameWriter writer;
  writer.feed(frame);
  FrameReader frames;
  frames.add(writer.take());
  const FeedFrame read = PackedFrameReader().feed(frames.next()->payload);
  EXPECT_EQ(read.after, frame.after);
  ASSERT_EQ(read.items.size(), frame.items.size());
  for (std::size_t i = 0; i < read.items.size(); ++i) {
    EXPECT_EQ(read.items[i].type, frame.items[i].type);
    EXPECT_EQ(read.items[i].root, frame.items[i].root);
    EXPECT_EQ(read.items[i].changes, frame.items[i].changes);
  }
}

TEST(Codec, RefusesAFrameThatGrowsBeyondItsLimit) {
  const std::string bomb = Compressor(8 << 20).frame(std::string(8 << 20, '\0'));
  EXPECT_LT(bomb.size(), 2000U);
  EXPECT_EQ(codeOf([&] { PackedFrameReader().feed(bomb); }), "sync.malformed");
}

TEST(Codec, RefusesToAnnounceMoreThanFollows) {
  ByteWriter writer;
  writer.varint(100'000);
  const std::string bytes = writer.bytes() + std::string(100'000, '\0');
  ByteReader reader(bytes);
  EXPECT_EQ(codeOf([&] { BatchDecoder().decode(reader); }), "sync.malformed");
}

TEST(Frames, ComeOutWholeWhereverTheStreamIsCut) {
  const std::string stream = encodeFrame(FrameType::kHello, "hello") +
                             encodeFrame(FrameType::kChanges, std::string(300, 'c')) +
                             encodeFrame(FrameType::kEnd, "");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    FrameReader reader;
    std::vector<Frame> frames;
    for (const std::string& part : {stream.substr(0, cut), stream.substr(cut)}) {
      reader.add(part);
      while (auto frame = reader.next()) frames.push_back(*frame);
    }
    ASSERT_EQ(frames.size(), 3U);
    EXPECT_EQ(frames[0].payload, "hello");
    EXPECT_EQ(frames[1].payload, std::string(300, 'c'));
    EXPECT_EQ(frames[2].type, FrameType::kEnd);
    EXPECT_FALSE(reader.inMidFrame());
  }
}

TEST(Frames, AreNotInTheMiddleOfNothing) {
  FrameReader reader;
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.inMidFrame());
  reader.add("\x05");
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.inMidFrame());
}

TEST(Frames, OfTwoGibibytesAreRefusedAtTheirLength) {
  FrameReader reader;
  ByteWriter length;
  length.varint(1ULL << 31);
  reader.add(length.bytes());
  EXPECT_EQ(codeOf([&] { reader.next(); }), "sync.frame-too-large");
}

TEST(Frames, WithoutATypeAreRefused) {
  FrameReader reader;
  reader.add(std::string(1, '\0'));
  EXPECT_EQ(codeOf([&] { reader.next(); }), "sync.malformed");
}

TEST(Ids, ArePrintedAsUuidsAndReadBack) {
  const RecordId id{0x0123456789abcdef, 0x0102030405060708};
  EXPECT_EQ(id.uuid(), "01234567-89ab-cdef-0102-030405060708");
  EXPECT_EQ(RecordId::fromUuid(id.uuid()), id);
  EXPECT_EQ(referencedRecord(referenceValue(id)), id);
  EXPECT_FALSE(RecordId::fromUuid("01234567-89AB-cdef-0102-030405060708"));
  EXPECT_FALSE(RecordId::fromUuid("0123456789abcdef0102030405060708"));
  EXPECT_FALSE(referencedRecord("\"01234567-89ab-cdef-0102-030405060708\""));
}

}  // namespace
}  // namespace waystation::sync
