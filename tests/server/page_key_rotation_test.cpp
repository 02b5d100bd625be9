#include "server/page_key_rotation.h"

#include <gtest/gtest.h>

#include <fstream>
#include <vector>

#include "server/node_status.h"
#include "storage/page_format.h"
#include "tests/server/application_support.h"

namespace waystation::server {
namespace {

using http::Json;
using testing::RunningNode;
using testing::waitUntil;

// Has a page say that it is under the first key, which it is not.
void misname(const std::filesystem::path& file, std::uintmax_t page) {
  constexpr std::streamoff kEpochOffset = 4072;
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>((page - 1) * storage::kPageSize) + kEpochOffset);
  stream.write("\0\0\0\1", 4);
}

const auto kStopAtOnce = [](const storage::RotationProgress&) { return false; };

TEST(PageKeys, AnUnfinishedChangeGoesOnWhenTheServerStarts) {
  RunningNode office(Role::kOffice, "NBO");
  EXPECT_EQ(rotatePageKeys(office.node(), kStopAtOnce), storage::RotationEnd::kStopped);
  EXPECT_TRUE(isPageKeyRotationUnfinished(office.node()));
  EXPECT_TRUE(statusOf(office.node()).contains("pageKeys"));
  office.start();
  EXPECT_TRUE(waitUntil([&] { return !isPageKeyRotationUnfinished(office.node()); }));
  EXPECT_FALSE(office.application().status().contains("pageKeys"));
  EXPECT_EQ(pageKeyNumber(office.node()), 2U) << "another key was begun";
}

TEST(PageKeys, OfEveryDatabaseAreChangedAlsoByTheContinuation) {
  RunningNode office(Role::kOffice, "NBO");
  const auto numbers = [&] {
    std::vector<std::uint32_t> found;
    for (const NodeDatabase& database : office.node().databases()) {
      found.push_back(storage::keyEpoch(*database.connections.reader()));
    }
    return found;
  };
  rotatePageKeys(office.node(), [](const storage::RotationProgress&) { return true; });
  EXPECT_EQ(numbers(), (std::vector<std::uint32_t>{2, 2}));
  rotatePageKeys(office.node(), kStopAtOnce);
  EXPECT_EQ(numbers(), (std::vector<std::uint32_t>{3, 3}));
  office.start();
  EXPECT_TRUE(waitUntil([&] { return !isPageKeyRotationUnfinished(office.node()); }));
  EXPECT_EQ(numbers(), (std::vector<std::uint32_t>{3, 3}));
}

TEST(PageKeys, AFinishedChangeIsLeftAlone) {
  RunningNode office(Role::kOffice, "NBO");
  office.start();
  EXPECT_FALSE(office.application().status().contains("pageKeys"));
  office.stop();
  EXPECT_EQ(pageKeyNumber(office.node()), 1U);
}

TEST(PageKeys, ADamagedPageEndsTheContinuationAndStatusSaysSo) {
  RunningNode office(Role::kOffice, "NBO");
  const std::filesystem::path file = office.node().directory() / "node.db";
  EXPECT_EQ(rotatePageKeys(office.node(), kStopAtOnce), storage::RotationEnd::kStopped);
  const std::uintmax_t last = std::filesystem::file_size(file) / storage::kPageSize;
  misname(file, last);
  office.start();
  EXPECT_TRUE(
      waitUntil([&] { return office.application().status().at("pageKeys").contains("error"); }));
  const Json told = office.application().status().at("pageKeys");
  EXPECT_NE(told.at("error").get<std::string>().find("Page " + std::to_string(last)),
            std::string::npos);
  EXPECT_TRUE(isPageKeyRotationUnfinished(office.node())) << "a key was destroyed";
}

}  // namespace
}  // namespace waystation::server
