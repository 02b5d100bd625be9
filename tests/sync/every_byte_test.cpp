// A session of 200 changes each way is cut, with everything that either end had of it in memory
// lost, and both go on as the product does (server/http/sync_client.cpp). Each cut begins with the
// same two stores, and is followed by whole exchanges until neither side has more.
//
// Here the cuts stand at every 101st byte: a prime, so that they fall into all parts of frames.
// WAYSTATION_CUT_STRIDE=1 tries every byte, in a quarter of an hour, and prints how far it has
// come.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "sync/feed_codec.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchangeAll;
using testing::TestNode;

constexpr std::size_t kChanges = 200;
constexpr std::size_t kTextBytes = 1200;
constexpr std::int64_t kWorthAsking = 50;  // as of the sync client
constexpr std::size_t kNoCut = SIZE_MAX;

std::size_t stride() {
  const char* const named = std::getenv("WAYSTATION_CUT_STRIDE");
  const long number = named == nullptr ? 101 : std::strtol(named, nullptr, 10);
  return static_cast<std::size_t>(std::max(1L, number));
}

// Long enough for several frames, and packed to little, so that there are not too many bytes.
std::string text(TestNode& node) {
  std::string words;
  while (words.size() < kTextBytes) words += "walked from the border with two children, ";
  return "\"" + words + std::to_string(node.random().draw()) + "\"";
}

std::int64_t journalSize(TestNode& node) {
  const storage::Connections::Lease reader = node.connections().reader();
  storage::Statement count = reader->statement("SELECT count(*) FROM journal");
  count.step();
  return count.integer(0);
}

// What a frame of changes carries, each change by its encoding.
using Contents = std::set<std::string>;

void addTo(Contents& contents, const std::vector<Change>& changes) {
  for (const Change& change : changes) contents.insert(encodeChange(change));
}

// The frames of changes in `sent` bytes of a stream, the one that was cut too.
std::vector<Contents> framesIn(const std::string& stream, std::size_t sent) {
  std::vector<Contents> frames;
  FrameReader reader;
  PackedFrameReader unpack;
  reader.add(stream);
  std::size_t begin = 0;
  while (const std::optional<Frame> frame = reader.next()) {
    if (begin >= sent) break;
    begin += encodeFrame(frame->type, frame->payload).size();
    Contents contents;
    if (frame->type == FrameType::kChanges) addTo(contents, unpack.changes(frame->payload).changes);
    if (frame->type == FrameType::kFeed) {
      for (const FeedItem& item : unpack.feed(frame->payload).items) addTo(contents, item.changes);
    }
    if (!contents.empty()) frames.push_back(std::move(contents));
  }
  return frames;
}

// What was sent again: frames of the exchange that was cut of which all went once more, and changes
// of its other frames.
struct SentTwice {
  std::size_t frames = 0;
  std::size_t others = 0;
};

SentTwice sentTwice(const std::vector<Contents>& before, const std::vector<Contents>& after) {
  Contents again;
  for (const Contents& frame : after) again.insert(frame.begin(), frame.end());
  SentTwice twice;
  for (const Contents& frame : before) {
    const auto count = static_cast<std::size_t>(std::count_if(
        frame.begin(), frame.end(), [&](const std::string& one) { return again.contains(one); }));
    if (count == frame.size()) {
      ++twice.frames;
    } else {
      twice.others += count;
    }
  }
  return twice;
}

class CutSession : public ::testing::Test {
 protected:
  CutSession() {
    enrol(hq_, office_);
    exchangeAll(hq_, office_);
    for (std::size_t i = 0; i < kChanges; ++i) {
      office_.create("person", {{"note", text(office_)}});
      hq_.create("person", {{"note", text(hq_)}, {"_scope", "[\"NBO\"]"}});
    }
    atHq_ = hq_.copyOfStore();
    atOffice_ = office_.copyOfStore();
  }

  struct Streams {
    std::string request;
    std::string answer;
  };

  // One exchange of which so much arrives.
  Streams exchange(std::size_t upBytes, std::size_t request, std::size_t answer) {
    LeafExchange up(office_.replica(), office_.connections(), office_.key(), upBytes);
    HubExchange down(hq_.replica(), hq_.connections(), "NBO");
    Streams streams{up.request(), {}};
    down.receive(std::string_view(streams.request).substr(0, request));
    if (request < streams.request.size()) return streams;
    streams.answer = down.answer();
    up.receive(std::string_view(streams.answer).substr(0, answer));
    if (answer < streams.answer.size()) return streams;
    const ExchangeOutcome outcome = up.finish();
    more_ = outcome.more;
    agreement_ = outcome.agreement;
    return streams;
  }

  bool isWorthAsking() {
    const storage::Connections::Lease reader = office_.connections().reader();
    storage::Store store(*reader);
    return store.countUpwardAfter(readLeafState(store).acknowledgedSeq) > kWorthAsking;
  }

  // Cuts after so many bytes and goes on; false where the stream is shorter.
  bool cutAndGoOn(std::size_t request, std::size_t answer) {
    hq_.startOnCopy(atHq_);
    office_.startOnCopy(atOffice_);
    const Streams cut = exchange(kAll, request, answer);
    std::vector<Contents> upAgain;
    std::vector<Contents> downAgain;
    std::size_t upBytes = isWorthAsking() ? 0 : kAll;
    more_ = true;
    for (int i = 0; more_ && i < 20; ++i) {
      const Streams next = exchange(std::exchange(upBytes, kAll), kNoCut, kNoCut);
      for (Contents& frame : framesIn(next.request, kAll)) upAgain.push_back(std::move(frame));
      for (Contents& frame : framesIn(next.answer, kAll)) downAgain.push_back(std::move(frame));
    }
    exchange(kAll, kNoCut, kNoCut);  // which has nothing to bring, and compares
    const std::vector<Contents> up = framesIn(cut.request, request);
    const std::vector<Contents> down = framesIn(cut.answer, answer);
    const SentTwice upTwice = sentTwice(up, upAgain);
    const SentTwice downTwice = sentTwice(down, downAgain);
    const bool isUp = request != kNoCut;
    bytes_ = (isUp ? cut.request : cut.answer).size();
    frames_ = std::max(frames_, (isUp ? up : down).size());
    mostTwice_ = std::max(mostTwice_, upTwice.frames + downTwice.frames);
    mostOthers_ = std::max(mostOthers_, upTwice.others + downTwice.others);
    ++cuts_;
    return std::min(request, answer) < bytes_;
  }

  void expectEqual(std::size_t at) {
    EXPECT_EQ(agreement_, Agreement::kAgree) << "cut after byte " << at;
    EXPECT_EQ(hq_.digest(), office_.digest()) << "cut after byte " << at;
    EXPECT_EQ(journalSize(hq_), std::int64_t(2 * kChanges)) << "cut after byte " << at;
    EXPECT_EQ(journalSize(office_), std::int64_t(2 * kChanges)) << "cut after byte " << at;
    EXPECT_TRUE(hq_.quarantine().empty()) << "cut after byte " << at;
  }

  void cutAll(bool isUp) {
    for (std::size_t at = 0;; at += stride()) {
      const bool wasCut = isUp ? cutAndGoOn(at, kNoCut) : cutAndGoOn(kNoCut, at);
      expectEqual(at);
      ASSERT_FALSE(HasFailure());
      ASSERT_LE(mostTwice_, 1U) << "cut after byte " << at;
      // With which the office asks what headquarters has.
      ASSERT_LE(mostOthers_, 1U) << "cut after byte " << at;
      if (cuts_ % 500 == 0) std::printf("%zu cuts of %zu\n", cuts_, bytes_ / stride());
      std::fflush(stdout);
      if (!wasCut) break;
    }
    EXPECT_GE(frames_, 3U) << "of changes";
    std::printf(
        "%zu cuts in %zu bytes of %zu frames; sent twice: %zu frame at most, and %zu "
        "change of another\n",
        cuts_, bytes_, frames_, mostTwice_, mostOthers_);
  }

 private:
  static constexpr std::size_t kAll = std::size_t{8} << 20;

  TestNode hq_{"HQ", false, 1};
  TestNode office_{"NBO", true, 2};
  std::string atHq_;
  std::string atOffice_;
  bool more_ = true;
  Agreement agreement_ = Agreement::kNotCompared;
  std::size_t bytes_ = 0;
  std::size_t frames_ = 0;
  std::size_t cuts_ = 0;
  std::size_t mostTwice_ = 0;
  std::size_t mostOthers_ = 0;
};

TEST_F(CutSession, AtAnyByteOfTheRequestEndsInEqualStatesAndSendsOneFrameTwiceAtMost) {
  cutAll(true);
}

TEST_F(CutSession, AtAnyByteOfTheAnswerEndsInEqualStatesAndSendsOneFrameTwiceAtMost) {
  cutAll(false);
}

}  // namespace
}  // namespace waystation::sync
