// The line is cut at every byte of a session of 200 changes, both ways. A cut has effect only by
// where it lies among the frames, since half a frame is nothing: so at every byte it is seen that
// no part of a frame writes anything; every byte is tried by going on with the same exchange, and
// each frame's beginning and end by losing what the hub had of it.

#include <gtest/gtest.h>

#include <algorithm>

#include "sync/frame.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::Cut;
using testing::enrol;
using testing::TestNode;

constexpr std::size_t kChanges = 200;
constexpr std::size_t kTextBytes = 1200;
constexpr std::size_t kSmallTalk = 5000;  // hello, welcome, and that a stream begins anew

struct Session {
  TestNode hq{"HQ", false, 1};
  TestNode office{"NBO", true, 2};

  explicit Session(bool up) {
    enrol(hq, office);
    testing::exchangeAll(hq, office);
    TestNode& writer = up ? office : hq;
    for (std::size_t i = 0; i < kChanges; ++i) {
      std::string text;
      while (text.size() < kTextBytes) text += " " + std::to_string(writer.random().draw());
      std::vector<DraftWrite> writes = {{"note", "\"" + text + "\""}};
      if (!up) writes.push_back({"_scope", "[\"NBO\"]"});
      writer.create("person", writes);
    }
  }

  void expectEqual(const std::string& where) {
    EXPECT_EQ(hq.digest(), office.digest()) << where;
    const storage::Connections::Lease reader = office.connections().reader();
    EXPECT_EQ(storage::Store(*reader).countRecords("person"), std::int64_t(kChanges)) << where;
  }
};

std::string requestOf(Session& session) {
  return LeafExchange(session.office.replica(), session.office.connections(), session.office.key())
      .request();
}

std::string answerTo(Session& session, const std::string& request) {
  HubExchange hub(session.hq.replica(), session.hq.connections(), "NBO");
  hub.receive(request);
  return hub.answer();
}

// Where frames end.
std::vector<std::size_t> endsOf(const std::string& stream) {
  FrameReader reader;
  std::vector<std::size_t> ends = {0};
  for (std::size_t at = 0; at < stream.size(); ++at) {
    reader.add(stream.substr(at, 1));
    while (reader.next()) ends.push_back(at + 1);
  }
  return ends;
}

std::size_t largestOf(const std::vector<std::size_t>& ends) {
  std::size_t largest = 0;
  for (std::size_t i = 1; i < ends.size(); ++i) largest = std::max(largest, ends[i] - ends[i - 1]);
  return largest;
}

// Each frame's first byte, its last but one, and its end.
std::vector<std::size_t> cutsOf(const std::vector<std::size_t>& ends) {
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < ends.size(); ++i) {
    for (const std::size_t at : {ends[i - 1] + 1, ends[i] - 1, ends[i]}) {
      if (cuts.empty() || at > cuts.back()) cuts.push_back(at);
    }
  }
  return cuts;
}

// Gives the stream byte by byte; only with a frame's last byte may anything be written, so that a
// cut anywhere else leaves what a cut at the end of the frame before leaves.
template <typename Receive>
void receiveByteByByte(TestNode& node, const std::string& stream, const Receive& receive) {
  const std::vector<std::size_t> ends = endsOf(stream);
  std::int64_t written = node.rowsWritten();
  std::size_t cutsWithEffect = 0;
  for (std::size_t at = 0; at < stream.size(); ++at) {
    receive(stream.substr(at, 1));
    const bool isEnd = std::binary_search(ends.begin(), ends.end(), at + 1);
    if (!isEnd) cutsWithEffect += node.rowsWritten() != written ? 1 : 0;
    if (isEnd) written = node.rowsWritten();
  }
  EXPECT_EQ(cutsWithEffect, 0U) << "of " << stream.size();
}

struct Sent {
  std::size_t up = 0;
  std::size_t down = 0;
};

// As after a cut: first the hub is asked what it has, then all goes.
Sent finish(Session& session) {
  Sent sent;
  std::size_t upBytes = 0;
  for (int i = 0; i < 20; ++i) {
    LeafExchange up(session.office.replica(), session.office.connections(), session.office.key(),
                    upBytes);
    HubExchange down(session.hq.replica(), session.hq.connections(), "NBO");
    const std::string request = up.request();
    down.receive(request);
    const std::string answer = down.answer();
    up.receive(answer);
    sent.up += request.size();
    sent.down += answer.size();
    if (!up.finish().more) break;
    upBytes = 8 << 20;
  }
  return sent;
}

TEST(CutExchange, GoesOnAtEveryByteOfTheRequestAndOfTheAnswer) {
  for (const bool isUp : {true, false}) {
    Session session(isUp);
    LeafExchange up(session.office.replica(), session.office.connections(), session.office.key());
    HubExchange down(session.hq.replica(), session.hq.connections(), "NBO");
    const std::string request = up.request();
    receiveByteByByte(session.hq, request, [&](const std::string& byte) { down.receive(byte); });
    const std::string answer = down.answer();
    receiveByteByByte(session.office, answer, [&](const std::string& byte) { up.receive(byte); });
    EXPECT_FALSE(up.finish().more);
    session.expectEqual(isUp ? "up" : "down");
  }
}

TEST(CutExchange, GoingUpSendsOneFrameTwiceAtMostThoughTheHubForgotWhatItHadOfIt) {
  Session whole(true);
  const std::string request = requestOf(whole);
  const std::vector<std::size_t> ends = endsOf(request);
  ASSERT_GE(ends.size(), 4U) << "a hello and three frames of changes";
  for (const std::size_t cut : cutsOf(ends)) {
    Session session(true);
    Cut line;
    line.requestBytes = cut;
    line.answerBytes = 0;
    exchangeCut(session.hq, session.office, line);
    const Sent sent = finish(session);
    const std::string where = "cut after byte " + std::to_string(cut);
    EXPECT_LE(cut + sent.up, request.size() + largestOf(ends) + kSmallTalk + 2 * kTextBytes)
        << where;
    session.expectEqual(where);
  }
}

TEST(CutExchange, ComingDownSendsOneFrameTwiceAtMostThoughTheHubForgotTheAnswer) {
  Session whole(false);
  const std::string answer = answerTo(whole, requestOf(whole));
  const std::vector<std::size_t> ends = endsOf(answer);
  ASSERT_GE(ends.size(), 5U) << "a welcome, three frames of the feed, the end";
  for (const std::size_t cut : cutsOf(ends)) {
    Session session(false);
    Cut line;
    line.answerBytes = cut;
    exchangeCut(session.hq, session.office, line);
    const Sent sent = finish(session);
    const std::string where = "cut after byte " + std::to_string(cut);
    EXPECT_LE(cut + sent.down, answer.size() + largestOf(ends) + kSmallTalk) << where;
    session.expectEqual(where);
  }
}

}  // namespace
}  // namespace waystation::sync
