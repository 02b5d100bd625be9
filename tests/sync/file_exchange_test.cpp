// Files between offices and headquarters: real stores in memory, no sockets.

#include "sync/file_exchange.h"

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "sync/byte_stream.h"
#include "sync/erasure.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using storage::FileDeliveries;
using storage::FileManifest;
using storage::FileOutcome;
using testing::enrol;
using testing::exchange;
using testing::exchangeAll;
using testing::TestNode;

std::string contentOf(std::size_t size, unsigned seed) {
  std::string content(size, '\0');
  std::uint32_t state = seed * 2654435761U + 1;
  for (char& byte : content) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24U);
  }
  return content;
}

FileManifest manifestOfBytes(const std::string& content) {
  storage::ManifestBuilder builder;
  builder.add(content);
  return builder.finish();
}

std::string chunkOf(const std::string& content, std::size_t place) {
  return content.substr(place * storage::kChunkSize, storage::kChunkSize);
}

void give(TestNode& node, const FileName& name, const std::string& content) {
  const storage::Connections::Lease writer = node.files().writer();
  storage::Transaction transaction(*writer);
  FileDeliveries deliveries(*writer);
  const FileManifest manifest = manifestOfBytes(content);
  deliveries.expect(manifest, storedName(name), rankOf(name.part));
  for (std::uint32_t place = 0; place < manifest.chunks.size(); ++place) {
    deliveries.take(storedName(name), place, chunkOf(content, place));
  }
  transaction.commit();
}

// A file record alone, as if its bytes were elsewhere.
RecordId name(TestNode& node, const RecordId& root, const std::string& content,
              const std::string& thumbnail = "") {
  std::optional<FileManifest> small;
  if (!thumbnail.empty()) small = manifestOfBytes(thumbnail);
  return node.create("file", manifestWrites(manifestOfBytes(content), small), root);
}

RecordId attach(TestNode& node, const RecordId& root, const std::string& content,
                const std::string& thumbnail = "") {
  const RecordId id = name(node, root, content, thumbnail);
  give(node, {id, FilePart::kContent}, content);
  if (!thumbnail.empty()) give(node, {id, FilePart::kThumbnail}, thumbnail);
  return id;
}

// What the node would show of it; empty where it is not whole.
std::string read(TestNode& node, const RecordId& id, FilePart part = FilePart::kContent) {
  const storage::Connections::Lease reader = node.files().reader();
  FileDeliveries deliveries(*reader);
  const auto delivery = deliveries.find(storedName({id, part}));
  if (!delivery || !delivery->isWhole) return {};
  return deliveries.read(storedName({id, part}), 0, kMostFileBytes);
}

void ask(TestNode& node, const RecordId& id, FilePart part = FilePart::kContent) {
  const std::optional<FileManifest> manifest = manifestOf(*node.record(id), part);
  askForFile(node.replica(), {id, part}, *manifest);
}

std::int64_t chunksAt(TestNode& node) {
  const storage::Connections::Lease reader = node.files().reader();
  return storage::ChunkStore(*reader).countChunks();
}

std::vector<Frame> framesOf(const std::string& bytes) {
  FrameReader reader;
  reader.add(bytes);
  std::vector<Frame> frames;
  while (const auto frame = reader.next()) frames.push_back(*frame);
  return frames;
}

std::size_t count(const std::string& bytes, FrameType type) {
  const std::vector<Frame> frames = framesOf(bytes);
  return static_cast<std::size_t>(std::count_if(
      frames.begin(), frames.end(), [&](const Frame& frame) { return frame.type == type; }));
}

class Files : public ::testing::Test {
 protected:
  Files() {
    for (TestNode* node : {&hq_, &nairobi_, &mombasa_}) node->keepFiles();
    enrol(hq_, nairobi_);
    enrol(hq_, mombasa_);
    exchangeAll(hq_, nairobi_);
    exchangeAll(hq_, mombasa_);
  }

  // A case of Nairobi's that Mombasa sees too.
  RecordId shared() {
    const RecordId id = hq_.create("case_file", {{"_custody", "\"NBO\""}, {"_scope", "[\"MBA\"]"}});
    settle();
    return id;
  }

  RecordId own() { return nairobi_.create("person", {{"name", "\"A\""}}); }

  void settle() {
    for (int i = 0; i < 2; ++i) {
      exchangeAll(hq_, nairobi_);
      exchangeAll(hq_, mombasa_);
    }
  }

  // What headquarters answers Mombasa to these frames, behind a hello of its own.
  std::string answerTo(const std::string& frames) {
    LeafExchange up(mombasa_.replica(), mombasa_.connections(), mombasa_.key());
    HubExchange down(hq_.replica(), hq_.connections(), "MBA");
    down.receive(up.request() + frames);
    return down.answer();
  }

  std::string askedFrame(const RecordId& id) {
    return encodeFrame(FrameType::kAsked, encodeAsked({8, {{{id, FilePart::kContent}, {0, 1}}}}));
  }

  TestNode hq_{"HQ", false, 1};
  TestNode nairobi_{"NBO", true, 2};
  TestNode mombasa_{"MBA", true, 3};
  const std::string photo_ = contentOf(5 * storage::kChunkSize + 77, 1);
  const std::string small_ = contentOf(900, 2);
};

TEST_F(Files, GoUpWholeByThemselvesAndDownOnRequestAlone) {
  const RecordId root = shared();
  const RecordId file = attach(nairobi_, root, photo_, small_);
  settle();
  EXPECT_EQ(read(hq_, file), photo_);
  EXPECT_EQ(read(hq_, file, FilePart::kThumbnail), small_);
  ASSERT_TRUE(mombasa_.record(file));  // the record is there before its bytes
  EXPECT_EQ(chunksAt(mombasa_), 0);
  ask(mombasa_, file, FilePart::kThumbnail);
  exchangeAll(hq_, mombasa_);
  EXPECT_EQ(read(mombasa_, file, FilePart::kThumbnail), small_);
  EXPECT_EQ(read(mombasa_, file), "");
  ask(mombasa_, file);
  EXPECT_EQ(exchangeAll(hq_, mombasa_).agreement, Agreement::kAgree);
  EXPECT_EQ(read(mombasa_, file), photo_);
}

TEST_F(Files, AnExchangeOfNothingSaysNothingOfThem) {
  const RecordId file = attach(nairobi_, own(), photo_);
  settle();
  ASSERT_EQ(read(hq_, file), photo_);
  LeafExchange up(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
  HubExchange down(hq_.replica(), hq_.connections(), "NBO");
  const std::string request = up.request();
  down.receive(request);
  const std::string answer = down.answer();
  EXPECT_EQ(count(request, FrameType::kOffered), 0U);
  EXPECT_LE(request.size() + answer.size(), 200U);
}

TEST_F(Files, GoBehindAllChangesAndOnlySoManyChunksAtATime) {
  const RecordId root = own();
  attach(nairobi_, root, photo_);
  exchange(hq_, nairobi_);  // now its chunks are wanted
  nairobi_.edit(root, "name", "\"B\"");
  LeafExchange up(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
  up.allowChunks(2, 2);
  const std::vector<Frame> frames = framesOf(up.request());
  ASSERT_GE(frames.size(), 4U);
  EXPECT_EQ(frames[frames.size() - 1].type, FrameType::kChunk);
  EXPECT_EQ(frames[frames.size() - 2].type, FrameType::kChunk);
  EXPECT_NE(frames[frames.size() - 3].type, FrameType::kChunk);
  EXPECT_TRUE(std::any_of(frames.begin(), frames.end(),
                          [](const Frame& frame) { return frame.type == FrameType::kChanges; }));
}

TEST_F(Files, WhatIsSavedWhileChunksAreOnTheirWayGoesAhead) {
  const RecordId root = own();
  attach(nairobi_, root, contentOf(3 * storage::kChunkSize, 1));
  LeafExchange offer(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
  offer.request();
  EXPECT_FALSE(offer.filesBehind()) << "it carries no chunk yet";
  exchange(hq_, nairobi_);
  nairobi_.edit(root, "name", "\"B\"");
  LeafExchange underWay(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
  ASSERT_GT(count(underWay.request(), FrameType::kChunk), 0U);
  ASSERT_TRUE(underWay.filesBehind());
  std::int64_t after = *underWay.filesBehind();
  const auto ahead = [&] {
    return LeafExchange(nairobi_.replica(), nairobi_.connections(), nairobi_.key())
        .requestAhead(after, true);
  };
  EXPECT_EQ(ahead(), "") << "what the request has, it has before its chunks";
  nairobi_.edit(root, "phone", "\"1\"");
  const std::string body = ahead();
  HubExchange(hq_.replica(), hq_.connections(), "NBO").receive(body);
  EXPECT_EQ(hq_.record(root)->value("phone"), "\"1\"");
  EXPECT_EQ(ahead(), "") << "it has gone";
  for (int i = 0; i < 20; ++i) {
    nairobi_.create("person", {{"note", "\"" + std::string(1000, 'n') + "\""}});
  }
  EXPECT_EQ(ahead(), "") << "a backlog takes its turn";
  EXPECT_EQ(exchangeAll(hq_, nairobi_).agreement, Agreement::kAgree);
  EXPECT_TRUE(hq_.quarantine().empty());
}

TEST_F(Files, TheThumbnailsGoFirst) {
  const RecordId root = own();
  const RecordId first = attach(nairobi_, root, photo_, small_);
  const RecordId second = attach(nairobi_, root, contentOf(90'000, 3), contentOf(800, 4));
  exchange(hq_, nairobi_);
  LeafExchange up(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
  up.allowChunks(2, 2);
  std::vector<FileName> sent;
  for (const Frame& frame : framesOf(up.request())) {
    if (frame.type == FrameType::kChunk) sent.push_back(decodeChunk(frame.payload).name);
  }
  std::sort(sent.begin(), sent.end());
  const std::vector<FileName> thumbnails = {{first, FilePart::kThumbnail},
                                            {second, FilePart::kThumbnail}};
  EXPECT_EQ(sent, thumbnails);
}

// Only the cut exchange's own chunks can be sent again, and after a cut an office first asks.
TEST_F(Files, GoOnAfterACutAtEveryByteOfAChunk) {
  const RecordId file = attach(nairobi_, own(), photo_);
  exchange(hq_, nairobi_);
  std::size_t sent = 0;
  for (int tries = 0; read(hq_, file).empty(); ++tries) {
    ASSERT_LT(tries, 100);
    LeafExchange ahead(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
    ahead.allowChunks(tries % 2 == 0 ? 1 : 0, 0);
    HubExchange hub(hq_.replica(), hq_.connections(), "NBO");
    const std::string request = ahead.request();
    const std::size_t chunks = count(request, FrameType::kChunk);
    sent += chunks;
    hub.receive(request);
    if (chunks != 0) continue;  // the line is cut before the answer
    ahead.receive(hub.answer());
    EXPECT_TRUE(ahead.finish().more || !read(hq_, file).empty());
  }
  EXPECT_EQ(sent, 6U);
  EXPECT_EQ(read(hq_, file), photo_);
}

TEST_F(Files, ARequestCutInTheMiddleOfAChunkKeepsTheOnesBefore) {
  const RecordId file = attach(nairobi_, own(), photo_);
  exchange(hq_, nairobi_);
  LeafExchange up(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
  up.allowChunks(4, 0);
  const std::string request = up.request();
  {
    HubExchange hub(hq_.replica(), hq_.connections(), "NBO");
    hub.receive(request.substr(0, request.size() - 1));
  }
  EXPECT_EQ(chunksAt(hq_), 3);
  exchangeAll(hq_, nairobi_);
  EXPECT_EQ(read(hq_, file), photo_);
}

TEST_F(Files, WrongBytesAreNeverShownAndDoNotStopTheRest) {
  const RecordId root = own();
  const RecordId file = name(nairobi_, root, photo_);
  exchangeAll(hq_, nairobi_);
  LeafExchange up(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
  HubExchange hub(hq_.replica(), hq_.connections(), "NBO");
  const auto chunk = [&](std::uint32_t place, const std::string& bytes) {
    return encodeFrame(FrameType::kChunk, encodeChunk({{file, FilePart::kContent}, place, bytes}));
  };
  hub.receive(up.request() + chunk(0, chunkOf(photo_, 1)) + chunk(1, "short") +
              chunk(2, chunkOf(photo_, 2)) + chunk(600, chunkOf(photo_, 3)));
  up.receive(hub.answer());
  up.finish();
  EXPECT_EQ(chunksAt(hq_), 1);
  give(nairobi_, {file, FilePart::kContent}, photo_);
  exchangeAll(hq_, nairobi_);
  EXPECT_EQ(read(hq_, file), photo_);
}

TEST_F(Files, NobodyGetsBytesOfARecordOutsideTheirScope) {
  const RecordId file = attach(nairobi_, own(), photo_);
  settle();
  ASSERT_EQ(read(hq_, file), photo_);
  ASSERT_FALSE(mombasa_.record(file));
  EXPECT_EQ(count(answerTo(askedFrame(file)), FrameType::kChunk), 0U);
}

TEST_F(Files, NobodyBringsBytesForARecordOutsideTheirScope) {
  const RecordId file = name(nairobi_, own(), photo_);
  settle();
  answerTo(encodeFrame(FrameType::kOffered, encodeOffered({{file, FilePart::kContent}})) +
           encodeFrame(FrameType::kChunk,
                       encodeChunk({{file, FilePart::kContent}, 0, chunkOf(photo_, 0)})));
  EXPECT_EQ(chunksAt(hq_), 0);
  EXPECT_EQ(
      count(answerTo(encodeFrame(FrameType::kOffered, encodeOffered({{file, FilePart::kContent}}))),
            FrameType::kLacking),
      0U);
}

// Mombasa has seen the hashes once, and names them in a record of its own.
TEST_F(Files, WhoKnowsTheHashesHasNoRightToTheBytes) {
  const RecordId file = attach(nairobi_, own(), photo_);
  settle();
  ASSERT_EQ(read(hq_, file), photo_);
  const RecordId guess = name(mombasa_, mombasa_.create("person", {}), photo_);
  exchangeAll(hq_, mombasa_);
  ASSERT_TRUE(hq_.record(guess));
  EXPECT_EQ(count(answerTo(askedFrame(guess)), FrameType::kChunk), 0U);
  // One that it has, and asks for another.
  answerTo(encodeFrame(FrameType::kChunk,
                       encodeChunk({{guess, FilePart::kContent}, 0, chunkOf(photo_, 0)})));
  EXPECT_EQ(count(answerTo(askedFrame(guess)), FrameType::kChunk), 0U);
  EXPECT_EQ(read(hq_, guess), "");
  EXPECT_EQ(read(hq_, file), photo_);
}

TEST_F(Files, ARecordThatTwoNameIsKeptOnceAndBroughtTwice) {
  const RecordId first = attach(nairobi_, own(), photo_);
  const RecordId second = attach(nairobi_, own(), photo_);
  exchangeAll(hq_, nairobi_);
  EXPECT_EQ(read(hq_, first), photo_);
  EXPECT_EQ(read(hq_, second), photo_);
  EXPECT_EQ(chunksAt(hq_), 6);
}

TEST_F(Files, AreWrittenOnceAndCanBeDeleted) {
  const RecordId root = own();
  const RecordId file = attach(nairobi_, root, photo_);
  exchangeAll(hq_, nairobi_);
  nairobi_.edit(file, "sha256", jsonString(std::string(64, 'a')));
  exchangeAll(hq_, nairobi_);
  ASSERT_EQ(hq_.quarantine().size(), 1U);
  EXPECT_EQ(hq_.quarantine()[0].reason, "field-is-headquarters");
  EXPECT_EQ(read(hq_, file), photo_);
}

TEST_F(Files, AnErasureTakesThemAwayAtEveryNodeWithoutABitLeft) {
  const RecordId root = shared();
  const RecordId file = attach(nairobi_, root, photo_, small_);
  const RecordId kept = attach(nairobi_, root, contentOf(50'000, 9));
  settle();
  ask(mombasa_, file);
  exchangeAll(hq_, mombasa_);
  ASSERT_EQ(read(mombasa_, file), photo_);
  {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    eraseForGood(work, hq_.key(), "officer", {file});
    work.commit();
    storage::Store store(*writer);
    dropFilesOfGone(hq_.replica(), store);
  }
  settle();
  EXPECT_EQ(chunksAt(hq_), 2);
  EXPECT_EQ(chunksAt(nairobi_), 2);
  EXPECT_EQ(chunksAt(mombasa_), 0);
  EXPECT_EQ(read(nairobi_, kept), contentOf(50'000, 9));
}

TEST_F(Files, ACaseThatLeavesTakesItsFilesAlongOnceHeadquartersHasThem) {
  const RecordId root = own();
  exchangeAll(hq_, nairobi_);
  const RecordId file = attach(nairobi_, root, photo_);
  exchange(hq_, nairobi_);
  hq_.edit(root, "_custody", "\"MBA\"");
  exchange(hq_, nairobi_);
  EXPECT_TRUE(nairobi_.record(root)) << "evicted before its file was safe";
  settle();
  EXPECT_FALSE(nairobi_.record(root));
  EXPECT_EQ(chunksAt(nairobi_), 0);
  EXPECT_EQ(read(hq_, file), photo_);
  ask(mombasa_, file);
  exchangeAll(hq_, mombasa_);
  EXPECT_EQ(read(mombasa_, file), photo_);
}

TEST_F(Files, WhatARestoredHeadquartersLostComesAgain) {
  const RecordId root = own();
  exchangeAll(hq_, nairobi_);
  const std::string before = hq_.copyOfStore();
  const RecordId file = attach(nairobi_, root, photo_);
  exchangeAll(hq_, nairobi_);
  hq_.startOnCopy(before);
  hq_.keepFiles();
  exchangeAll(hq_, nairobi_);
  EXPECT_EQ(read(hq_, file), photo_);
}

// Through an office that a phone or another office is a leaf of.
TEST_F(Files, OfASubOfficeGoUpAndComeDownThroughItsOffice) {
  TestNode garissa("GAR", true, 4, "", true);
  garissa.keepFiles();
  enrol(nairobi_, garissa);
  exchangeAll(nairobi_, garissa);
  exchangeAll(hq_, nairobi_);
  const RecordId root = garissa.create("person", {{"name", "\"A\""}});
  const RecordId file = attach(garissa, root, photo_);
  exchangeAll(nairobi_, garissa);
  exchangeAll(hq_, nairobi_);
  EXPECT_EQ(read(nairobi_, file), photo_);
  EXPECT_EQ(read(hq_, file), photo_);
}

TEST(FileFrames, AreReadAsTheyWereWritten) {
  const FileName name{{7, 8}, FilePart::kThumbnail};
  const std::vector<FilePlaces> files = {{name, {0, 1, 2, 9, 639}}, {name, {}}, {name, {5}}};
  EXPECT_EQ(decodeLacking(encodeLacking(files)), files);
  EXPECT_EQ(decodeAsked(encodeAsked({3, files})).files, files);
  EXPECT_EQ(decodeOffered(encodeOffered({name, name})), std::vector<FileName>({name, name}));
  const FileChunk chunk = decodeChunk(encodeChunk({name, 4, "bytes"}));
  EXPECT_EQ(chunk.place, 4U);
  EXPECT_EQ(chunk.bytes, "bytes");
}

TEST(FileFrames, BeyondTheirLimitsAreRefused) {
  const auto refuses = [](auto decode, const std::string& payload) {
    try {
      decode(payload);
      return false;
    } catch (const Failure& failure) {
      return failure.code() == "sync.malformed";
    }
  };
  const FileName name{{7, 8}, FilePart::kContent};
  EXPECT_TRUE(refuses(decodeLacking, encodeLacking({{name, {640}}})));
  EXPECT_TRUE(refuses(decodeOffered, encodeOffered(std::vector<FileName>(65, name))));
  EXPECT_TRUE(refuses(decodeChunk, encodeChunk({name, 640, "bytes"})));
  EXPECT_TRUE(
      refuses(decodeChunk, encodeChunk({name, 0, std::string(storage::kChunkSize + 1, 'x')})));
  std::string wrongPart = encodeChunk({name, 0, "bytes"});
  wrongPart[16] = 2;
  EXPECT_TRUE(refuses(decodeChunk, wrongPart));
}

}  // namespace
}  // namespace waystation::sync
