// What headquarters acknowledges at two levels, and what waits for the second.

#include "sync/durable.h"

#include <gtest/gtest.h>

#include "tests/support/two_offices.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchangeAll;
using testing::TestNode;

class Durable : public testing::TwoOffices {
 protected:
  // As `waystation backup` does it, once the copy was read back.
  std::string copyHeadquarters() {
    const std::string copy = hq_.copyOfStore();
    inWork(hq_, [&](Work& work) { noteCopied(work.store(), markCopy(work.store()), 1000); });
    return copy;
  }

  template <typename F>
  static void inWork(TestNode& node, const F& deed) {
    const storage::Connections::Lease writer = node.connections().writer();
    Work work(node.replica(), *writer);
    deed(work);
    work.commit();
  }

  static std::optional<std::int64_t> durableAt(TestNode& node) {
    const storage::Connections::Lease reader = node.connections().reader();
    storage::Store store(*reader);
    return durableSeq(store);
  }

  static std::int64_t upwardOf(TestNode& node, const RecordId& id) {
    const storage::Connections::Lease reader = node.connections().reader();
    return storage::Store(*reader).record(id.bytes())->upwardSeq;
  }
};

TEST_F(Durable, IsNothingWhereHeadquartersNeverMadeACopy) {
  nairobi_.edit(id_, "status", "\"1\"");
  settle();
  EXPECT_FALSE(durableAt(nairobi_));
}

TEST_F(Durable, IsWhatHeadquartersHadWhenItsCopyBegan) {
  nairobi_.edit(id_, "status", "\"1\"");
  settle();
  copyHeadquarters();
  const std::int64_t inCopy = upwardOf(nairobi_, id_);
  nairobi_.edit(id_, "status", "\"2\"");
  settle();
  EXPECT_EQ(durableAt(nairobi_), inCopy);
  EXPECT_LT(inCopy, upwardOf(nairobi_, id_));
  copyHeadquarters();
  settle();
  EXPECT_EQ(durableAt(nairobi_), upwardOf(nairobi_, id_));
}

// The case is handed over; what its office wrote there stays at the office until the copy has it.
TEST_F(Durable, IsWhatAnOfficeWaitsForBeforeItLetsGoOfACase) {
  copyHeadquarters();
  settle();
  nairobi_.edit(id_, "status", "\"of Nairobi\"");
  settle();
  hq_.edit(id_, "_custody", "\"MBA\"");
  settle();
  EXPECT_TRUE(mombasa_.record(id_));
  EXPECT_TRUE(nairobi_.record(id_));
  copyHeadquarters();
  settle();
  EXPECT_FALSE(nairobi_.record(id_));
}

// Without that wait nobody would have the office's last edit: the other office never got it.
TEST_F(Durable, SavesWhatAnOfficeWroteOnACaseThatHeadquartersLostBeforeItPassedItOn) {
  const std::string copy = copyHeadquarters();
  settle();
  nairobi_.edit(id_, "status", "\"of Nairobi\"");
  exchangeAll(hq_, nairobi_);
  hq_.edit(id_, "_custody", "\"MBA\"");
  exchangeAll(hq_, nairobi_);
  hq_.startOnCopy(copy);
  settle();
  EXPECT_EQ(hq_.record(id_)->value("status"), "\"of Nairobi\"");
}

TEST_F(Durable, CostsNothingOnceAllIsInTheCopy) {
  nairobi_.edit(id_, "status", "\"1\"");
  settle();
  copyHeadquarters();
  settle();
  LeafExchange up(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
  FrameReader frames;
  frames.add(up.request());
  while (const std::optional<Frame> frame = frames.next()) {
    EXPECT_NE(frame->type, FrameType::kDurableKnown);
  }
}

// A guest's changes are only carried; once they are in the copy the office that carried them has no
// use for them.
TEST_F(Durable, IsWhenAnOfficeForgetsWhatItCarriedForAGuest) {
  TestNode phone("MBA-P1", true, 4, "MBA");
  enrol(mombasa_, phone);
  enrol(nairobi_, phone);
  exchangeAll(mombasa_, phone);
  const RecordId born = phone.create("person", {{"name", "\"A\""}});
  const Dot dot{phone.replica().incarnation(), 1};
  const auto isCarried = [&] {
    const storage::Connections::Lease reader = nairobi_.connections().reader();
    return storage::Store(*reader).journalSeq(dot.replica, dot.counter).has_value();
  };
  exchangeAll(nairobi_, phone);
  exchangeAll(mombasa_, phone);
  settle();
  EXPECT_TRUE(hq_.record(born));
  EXPECT_TRUE(isCarried());
  copyHeadquarters();
  settle();
  EXPECT_FALSE(isCarried());
  exchangeAll(nairobi_, phone);
  phone.edit(born, "name", "\"B\"");
  exchangeAll(nairobi_, phone);
  settle();
  EXPECT_EQ(hq_.record(born)->value("name"), "\"B\"");
}

// The office wrote nothing that the first copy holds, and yet is to wait for the next.
TEST_F(Durable, IsWaitedForFromTheFirstCopyOnThoughThatHoldsNothingOfTheOffice) {
  copyHeadquarters();
  settle();
  EXPECT_FALSE(durableAt(nairobi_)) << "it waits for nothing";
  nairobi_.edit(id_, "status", "\"of Nairobi\"");
  settle();
  EXPECT_EQ(durableAt(nairobi_), 0);
  hq_.edit(id_, "_custody", "\"MBA\"");
  settle();
  EXPECT_TRUE(nairobi_.record(id_));
}

// What was written before the process started anew is durable as well.
TEST_F(Durable, IsWhatAFormerStartOfTheOfficeWrote) {
  nairobi_.edit(id_, "status", "\"1\"");
  settle();
  copyHeadquarters();
  const std::int64_t inCopy = upwardOf(nairobi_, id_);
  nairobi_.restart();
  nairobi_.edit(id_, "status", "\"2\"");
  settle();
  EXPECT_EQ(durableAt(nairobi_), inCopy);
}

// A copy that began before another and was read back after it takes nothing back.
TEST_F(Durable, IsNotLessAfterAnOlderCopyWasReadBack) {
  CopyMark older;
  inWork(hq_, [&](Work& work) { older = markCopy(work.store()); });
  nairobi_.edit(id_, "status", "\"1\"");
  settle();
  copyHeadquarters();
  inWork(hq_, [&](Work& work) { noteCopied(work.store(), older, 2000); });
  settle();
  EXPECT_EQ(durableAt(nairobi_), upwardOf(nairobi_, id_));
}

// An office that was restored is told of a link that it has lost: all that it has itself is
// durable.
TEST_F(Durable, IsAllOfAnOfficeThatWasRestoredAndHasWrittenNothingSince) {
  nairobi_.edit(id_, "status", "\"1\"");
  settle();
  const std::string before = nairobi_.copyOfStore();
  nairobi_.edit(id_, "status", "\"2\"");
  settle();
  nairobi_.startOnCopy(before);
  copyHeadquarters();
  settle();
  hq_.edit(id_, "_custody", "\"MBA\"");
  settle();
  EXPECT_FALSE(nairobi_.record(id_));
  EXPECT_EQ(hq_.record(id_)->value("status"), "\"2\"");
}

}  // namespace
}  // namespace waystation::sync
