// A machine that is set back while it runs, by the one means that does just that: a fork of the
// process, of which one side lives what comes first and is then forgotten.

#include "sync/reissue.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "crypto/failure.h"
#include "storage/file_deliveries.h"
#include "sync/deletion.h"
#include "sync/file_record.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchange;
using testing::exchangeAll;
using testing::TestNode;

void put(int descriptor, const void* bytes, std::size_t size) {
  if (::write(descriptor, bytes, size) != static_cast<ssize_t>(size)) ::_exit(3);
}

bool take(int descriptor, void* bytes, std::size_t size) {
  char* at = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t got = ::read(descriptor, at, size);
    if (got <= 0) return false;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

void tell(int descriptor, const std::string& message) {
  const std::size_t size = message.size();
  put(descriptor, &size, sizeof size);
  put(descriptor, message.data(), size);
}

std::optional<std::string> hear(int descriptor) {
  std::size_t size = 0;
  if (!take(descriptor, &size, sizeof size)) return std::nullopt;
  std::string message(size, '\0');
  if (!take(descriptor, message.data(), size)) return std::nullopt;
  return message;
}

class Reissue : public ::testing::Test {
 protected:
  Reissue() {
    enrol(hq_, office_);
    id_ = office_.create("person", {{"name", "\"A\""}});
    exchangeAll(hq_, office_);
  }

  // What the office does and tells headquarters, before it is set back to where it is now.
  template <typename F>
  void inTheOtherTime(const F& deeds) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      deeds();
      for (bool more = true; more;) {
        LeafExchange up(office_.replica(), office_.connections(), office_.key());
        tell(ends[1], up.request());
        const std::optional<std::string> answer = hear(ends[1]);
        if (!answer) ::_exit(4);
        up.receive(*answer);
        more = up.finish().more;
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    while (const std::optional<std::string> request = hear(ends[0])) {
      HubExchange down(hq_.replica(), hq_.connections(), "NBO");
      down.receive(*request);
      tell(ends[0], down.answer());
    }
    ::close(ends[0]);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }

  std::string refusal() {
    try {
      exchangeAll(hq_, office_);
    } catch (const Failure& failure) {
      return failure.code();
    }
    return "";
  }

  // As the server does it.
  std::optional<std::size_t> ask() {
    HistoryQuestion question(office_.replica(), office_.connections());
    HubExchange down(hq_.replica(), hq_.connections(), "NBO");
    down.receive(question.request());
    return question.settle(down.answer());
  }

  void expectEqual() {
    exchangeAll(hq_, office_);
    EXPECT_EQ(exchangeAll(hq_, office_).agreement, Agreement::kAgree);
    EXPECT_EQ(hq_.digest(), office_.digest());
    EXPECT_TRUE(hq_.quarantine().empty());
  }

  static std::vector<Record> allOf(TestNode& node, std::string_view kind) {
    std::vector<Record> found;
    const storage::Connections::Lease reader = node.connections().reader();
    storage::Store(*reader).eachRecord([&](const storage::RecordRow& row) {
      if (row.kind == kind) found.push_back(decodeState(RecordId::fromBytes(row.id), row.state));
    });
    return found;
  }

  static std::set<std::string> namesAt(TestNode& node) {
    std::set<std::string> names;
    for (const Record& record : allOf(node, "person")) names.emplace(record.value("name"));
    return names;
  }

  TestNode hq_{"HQ", false, 11};
  TestNode office_{"NBO", true, 12};
  RecordId id_;
};

TEST_F(Reissue, OfWhatWasSavedAfterAMachineWasSetBackKeepsTheWorkOfBothTimes) {
  office_.create("person", {{"name", "\"unsent before\""}});
  inTheOtherTime([&] {
    office_.edit(id_, "name", "\"of the other time\"");
    office_.create("person", {{"name", "\"born in the other time\""}});
    office_.create("person", {{"name", "\"another of it\""}});
  });
  const RecordId born = office_.create("person", {{"name", "\"born after\""}});
  office_.create("note", {{"about", referenceValue(born)}}, born);
  office_.edit(id_, "phone", "\"after\"");
  EXPECT_EQ(refusal(), "sync.chain-broken");
  EXPECT_EQ(ask(), 3U);
  expectEqual();
  const std::set<std::string> names{"\"another of it\"", "\"born after\"",
                                    "\"born in the other time\"", "\"of the other time\"",
                                    "\"unsent before\""};
  EXPECT_EQ(namesAt(hq_), names);
  EXPECT_EQ(allOf(hq_, "person").size(), names.size()) << "nobody is there twice";
  EXPECT_EQ(hq_.record(id_)->value("phone"), "\"after\"");
  const std::vector<Record> notes = allOf(hq_, "note");
  ASSERT_EQ(notes.size(), 1U);
  const std::optional<Record> about = hq_.record(*referencedRecord(notes[0].value("about")));
  ASSERT_TRUE(about);
  EXPECT_EQ(about->value("name"), "\"born after\"");
  EXPECT_EQ(notes[0].root(), about->id);
  // It goes on: under the new incarnation, and over a new start.
  office_.edit(about->id, "name", "\"renamed\"");
  office_.restart();
  office_.edit(id_, "phone", "\"later\"");
  expectEqual();
  EXPECT_EQ(hq_.record(about->id)->value("name"), "\"renamed\"");
}

TEST_F(Reissue, OfNothingBringsBackWhatTheMachineHasForgotten) {
  inTheOtherTime([&] { office_.edit(id_, "name", "\"B\""); });
  EXPECT_EQ(refusal(), "sync.forked");
  EXPECT_EQ(ask(), 0U);
  expectEqual();
  EXPECT_EQ(office_.record(id_)->value("name"), "\"B\"");
}

TEST_F(Reissue, OfAFieldWrittenInBothTimesIsAConflictThatAPersonSettles) {
  inTheOtherTime([&] { office_.edit(id_, "name", "\"B\""); });
  office_.edit(id_, "name", "\"C\"");
  EXPECT_EQ(refusal(), "sync.chain-broken");
  EXPECT_EQ(ask(), 1U);
  expectEqual();
  EXPECT_EQ(hq_.record(id_)->conflicts(), 1);
  office_.edit(id_, "name", "\"C\"");
  expectEqual();
  EXPECT_EQ(hq_.record(id_)->conflicts(), 0);
}

// What a write had seen of its own replica is understood; under another one it has to be said.
TEST_F(Reissue, KeepsWhatEachWriteHadReadOfThoseBefore) {
  office_.edit(id_, "name", "\"acknowledged\"");
  exchangeAll(hq_, office_);
  const std::string tag = office_.tag(id_);
  inTheOtherTime([&] { office_.edit(id_, "other", "\"x\""); });
  office_.edit(id_, "name", "\"one page\"", tag);
  office_.edit(id_, "name", "\"another page\"", tag);
  office_.edit(id_, "place", "\"first\"");
  office_.edit(id_, "place", "\"second\"");
  EXPECT_EQ(refusal(), "sync.chain-broken");
  EXPECT_EQ(ask(), 4U);
  expectEqual();
  EXPECT_EQ(hq_.record(id_)->field("name")->size(), 2U) << "neither page had read the other";
  EXPECT_EQ(hq_.record(id_)->field("place")->size(), 1U);
  EXPECT_EQ(hq_.record(id_)->value("other"), "\"x\"");
}

TEST_F(Reissue, OfADeletionAndADecisionNamesWhatTheyHadRead) {
  const RecordId grant = office_.create("grant", {{"plan", "\"kiosk\""}});
  exchangeAll(hq_, office_);
  inTheOtherTime([&] { office_.create("person", {{"name", "\"X\""}}); });
  const RecordId gone = office_.create("person", {{"name", "\"by mistake\""}});
  office_.edit(gone, std::string(kDeletedField), "true");
  office_.edit(grant, "plan", "\"shop\"");
  {
    const storage::Connections::Lease writer = office_.connections().writer();
    Work work(office_.replica(), *writer);
    DraftEdit draft;
    draft.record = grant;
    draft.sawCurrent = true;
    draft.writes = {{"approved", "true", {"plan"}}};
    work.save("amina", {draft});
    work.commit();
  }
  EXPECT_EQ(refusal(), "sync.chain-broken");
  EXPECT_EQ(ask(), 4U);
  expectEqual();
  int hidden = 0;
  for (const Record& record : allOf(hq_, "person")) hidden += isHidden(record) ? 1 : 0;
  EXPECT_EQ(hidden, 1);
  EXPECT_EQ(hq_.record(grant)->conflicts(), 0) << "the decision was on the plan as it is";
  hq_.edit(grant, "plan", "\"farm\"");
  EXPECT_EQ(hq_.record(grant)->conflicts(), 1);
}

TEST_F(Reissue, TakesTheBytesOfFilesAlong) {
  hq_.keepFiles();
  office_.keepFiles();
  exchangeAll(hq_, office_);
  inTheOtherTime([&] { office_.edit(id_, "name", "\"B\""); });
  const std::string bytes(50'000, 'p');
  const storage::FileManifest manifest = [&] {
    storage::ManifestBuilder builder;
    builder.add(bytes);
    return builder.finish();
  }();
  const RecordId file = office_.create(std::string(kFileKind), manifestWrites(manifest, {}), id_);
  const auto read = [](TestNode& node, const RecordId& record) {
    const storage::Connections::Lease lease = node.files().reader();
    return storage::FileDeliveries(*lease).read(storedName({record, FilePart::kContent}), 0,
                                                50'000);
  };
  {
    const storage::Connections::Lease lease = office_.files().writer();
    storage::Transaction transaction(*lease);
    storage::FileDeliveries deliveries(*lease);
    const std::string name = storedName({file, FilePart::kContent});
    deliveries.expect(manifest, name, rankOf(FilePart::kContent));
    for (std::uint32_t place = 0; place * storage::kChunkSize < bytes.size(); ++place) {
      deliveries.take(
          name, place,
          std::string_view(bytes).substr(place * storage::kChunkSize, storage::kChunkSize));
    }
    transaction.commit();
  }
  EXPECT_EQ(refusal(), "sync.chain-broken");
  EXPECT_EQ(ask(), 1U);
  expectEqual();
  const std::vector<Record> files = allOf(hq_, kFileKind);
  ASSERT_EQ(files.size(), 1U);
  EXPECT_NE(files[0].id, file);
  EXPECT_EQ(read(office_, files[0].id), bytes);
  EXPECT_EQ(read(hq_, files[0].id), bytes);
}

// The phones below the office have what it had given them under the former names.
TEST_F(Reissue, IsFollowedByThePhonesOfTheOffice) {
  TestNode phone("NBO-P1", true, 4, "NBO");
  enrol(office_, phone);
  exchangeAll(office_, phone);
  exchangeAll(hq_, office_);
  inTheOtherTime([&] { office_.edit(id_, "name", "\"B\""); });
  const RecordId born = office_.create("person", {{"name", "\"born after\""}});
  exchangeAll(office_, phone);
  ASSERT_TRUE(phone.record(born));
  EXPECT_EQ(refusal(), "sync.chain-broken");
  EXPECT_EQ(ask(), 1U);
  expectEqual();
  exchangeAll(office_, phone);
  EXPECT_EQ(exchangeAll(office_, phone).agreement, Agreement::kAgree);
  EXPECT_FALSE(phone.record(born));
  EXPECT_EQ(namesAt(phone), namesAt(hq_));
  for (const Record& record : allOf(hq_, "person")) {
    if (record.value("name") == "\"born after\"") phone.edit(record.id, "phone", "\"1\"");
  }
  exchangeAll(office_, phone);
  expectEqual();
}

TEST_F(Reissue, IsAskedForInAWayThatCanBeRead) {
  HistoryQuestion question(office_.replica(), office_.connections());
  const std::string asked = question.request();
  const std::string none = encodeFrame(FrameType::kHeldAsked, std::string(1, '\0'));
  ASSERT_TRUE(asked.ends_with(none));
  const std::string hello = asked.substr(0, asked.size() - none.size());
  for (const std::string& wrong :
       {std::string("\xff\xff\xff\x0f", 4), std::string("\x01", 1), std::string("\0x", 2)}) {
    HubExchange down(hq_.replica(), hq_.connections(), "NBO");
    down.receive(hello + encodeFrame(FrameType::kHeldAsked, wrong));
    EXPECT_THROW(down.answer(), Failure);
  }
}

TEST_F(Reissue, IsNotDoneWhereTheHubDoesNotKnowTheQuestion) {
  inTheOtherTime([&] { office_.edit(id_, "name", "\"B\""); });
  const ReplicaId before = office_.replica().incarnation();
  HistoryQuestion question(office_.replica(), office_.connections());
  question.request();
  EXPECT_FALSE(question.settle(encodeFrame(FrameType::kEnd, "")));
  EXPECT_EQ(office_.replica().incarnation(), before);
}

}  // namespace
}  // namespace waystation::sync
