#include "server/mark_keeper.h"

#include <gtest/gtest.h>

#include "storage/high_water_mark.h"
#include "storage/store.h"
#include "tests/server/application_support.h"

namespace waystation::server {
namespace {

using testing::RunningNode;
using testing::waitUntil;

std::string countOf(Node& node) {
  return node.read([](storage::Store& store) { return store.meta("mark.count").value_or(""); });
}

TEST(MarkKeeper, RaisesTheMarkWhileTheServerRunsWhereSomethingWasSaved) {
  RunningNode office(Role::kOffice, "NBO");
  const std::string before = countOf(office.node());
  MarkKeeper keeper(office.node(), std::chrono::milliseconds(1));
  keeper.start();
  keeper.saved();
  EXPECT_TRUE(waitUntil([&] { return countOf(office.node()) != before; }));
  keeper.stop();
  std::string next = before;
  ++next.back();
  EXPECT_EQ(countOf(office.node()), next) << "raised for nothing";
  EXPECT_EQ(keeper.failure(), "");
}

TEST(MarkKeeper, SaysSoWhereTheMarkCannotBeWritten) {
  RunningNode office(Role::kOffice, "NBO");
  // In the place where the next mark is made.
  std::filesystem::create_directories(office.node().directory() / "mark.new" / "taken");
  MarkKeeper keeper(office.node(), std::chrono::milliseconds(1));
  keeper.start();
  keeper.saved();
  EXPECT_TRUE(waitUntil([&] { return !keeper.failure().empty(); }));
  std::filesystem::remove_all(office.node().directory() / "mark.new");
  EXPECT_TRUE(waitUntil([&] { return keeper.failure().empty(); })) << "it was not tried again";
}

}  // namespace
}  // namespace waystation::server
