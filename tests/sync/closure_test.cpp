#include "sync/closure.h"

#include <gtest/gtest.h>

#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

constexpr ReplicaId kOne = 11;
constexpr ReplicaId kTwo = 12;
constexpr Dot kWriter{99, 1};
constexpr RecordId kRecord{kOne, 1};

Context seen(const std::vector<Context::Entry>& entries) {
  Context context;
  for (const Context::Entry& entry : entries) context.add(entry);
  return context;
}

// Headquarters, which holds a record with writes to `name` that had seen what the test says.
class Closed : public ::testing::Test {
 protected:
  Closed() {
    testing::enrol(hq_, office_);
    write({kOne, 1}, "_kind", {}, "\"person\"");
  }

  void write(const Dot& dot, const std::string& field, const Context& read,
             const std::string& value = "1") {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    const std::int64_t leaf = work.store().leafByName("NBO")->leaf;
    ASSERT_NE(work.apply({dot, 1000, "amina@NBO", {{kRecord, {{field, read, value}}}}}, leaf, {}),
              0);
    work.commit();
  }

  bool closes(const std::vector<Context::Entry>& entries) {
    const storage::Connections::Lease reader = hq_.connections().reader();
    storage::Store store(*reader);
    return isClosed(store, kWriter, kRecord, "name", seen(entries));
  }

  testing::TestNode hq_{"HQ", false, 1};
  testing::TestNode office_{"NBO", true, 2};
};

TEST_F(Closed, IsWhoCoversAllThatTheWriteItReadHadSeen) {
  write({kOne, 2}, "name", {});
  write({kTwo, 1}, "name", seen({{kOne, 2, {}}}));
  EXPECT_TRUE(closes({{kOne, 2, {}}, {kTwo, 1, {}}}));
  EXPECT_TRUE(closes({{kOne, 5, {}}, {kTwo, 1, {}}}));
  EXPECT_FALSE(closes({{kTwo, 1, {}}}));
  EXPECT_FALSE(closes({{kOne, 1, {}}, {kTwo, 1, {}}}));
}

TEST_F(Closed, IsWhoReadWhatIsNotKnownHereOrIsOfAnotherField) {
  EXPECT_TRUE(closes({}));
  EXPECT_TRUE(closes({{777, 5, {}}}));
  write({kTwo, 1}, "need", {});
  EXPECT_TRUE(closes({{kTwo, 1, {}}}));
}

// What a writer had not read of its own replica's is an exception in its context: who read the
// newest need not have read that, but is asked for what that had seen where it has.
TEST_F(Closed, IsJudgedThroughTheExceptionsOfTheNewestWrite) {
  write({kOne, 2}, "name", {});
  write({kTwo, 1}, "name", seen({{kOne, 2, {}}}));
  write({kTwo, 2}, "name", seen({{kOne, 2, {}}, {kTwo, 1, {1}}}));
  write({kTwo, 3}, "name", seen({{kTwo, 2, {1, 2}}}));
  EXPECT_TRUE(closes({{kTwo, 3, {1, 2}}}));
  EXPECT_FALSE(closes({{kTwo, 3, {2}}}));
  EXPECT_FALSE(closes({{kTwo, 3, {}}}));
  EXPECT_TRUE(closes({{kOne, 2, {}}, {kTwo, 3, {}}}));
}

}  // namespace
}  // namespace waystation::sync
