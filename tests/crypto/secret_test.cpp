#include "crypto/secret.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <type_traits>
#include <utility>

namespace waystation::crypto {
namespace {

static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
static_assert(std::is_nothrow_move_constructible_v<Secret>);

// Reads memory that may be gone: the kernel refuses with EFAULT where we would be killed.
bool stillHolds(const char* address, const std::string& bytes) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) {
    return true;
  }
  const ssize_t written = write(ends[1], address, bytes.size());
  std::string found(bytes.size(), '\0');
  if (written > 0) {
    found.resize(static_cast<std::size_t>(read(ends[0], found.data(), found.size())));
  }
  close(ends[0]);
  close(ends[1]);
  return written > 0 && found == bytes;
}

TEST(Secret, IsGoneFromMemoryWhenItGoes) {
  const std::string bytes = "a master key of an office, 256 b";
  const char* address = nullptr;
  {
    const Secret secret = Secret::copyOf(bytes);
    address = secret.view().data();
    ASSERT_TRUE(stillHolds(address, bytes)) << "the reading itself must work";
  }
  EXPECT_FALSE(stillHolds(address, bytes));
}

TEST(Secret, IsGoneFromMemoryWhenAnotherTakesItsPlace) {
  const std::string bytes = "the old key that nobody needs now";
  Secret secret = Secret::copyOf(bytes);
  const char* const address = secret.view().data();
  secret = Secret::copyOf("the new one");
  EXPECT_FALSE(stillHolds(address, bytes));
  EXPECT_EQ(secret.view(), "the new one");
}

TEST(Secret, LeavesNothingInTheSourceOfAMove) {
  Secret source = Secret::copyOf("moved");
  const Secret target = std::move(source);
  EXPECT_EQ(target.view(), "moved");
  EXPECT_TRUE(source.empty());  // NOLINT(bugprone-use-after-move): it is the promise under test
  EXPECT_EQ(source.data(), nullptr);
  Secret assigned;
  Secret second = Secret::copyOf("again");
  assigned = std::move(second);
  EXPECT_EQ(assigned.view(), "again");
  EXPECT_TRUE(second.empty());
}

TEST(Secret, SurvivesAMoveToItself) {
  Secret secret = Secret::copyOf("kept");
  Secret& same = secret;
  secret = std::move(same);
  EXPECT_EQ(secret.view(), "kept");
}

TEST(Secret, BeginsAsZerosAndMayBeEmptyOrLargerThanAPage) {
  EXPECT_EQ(Secret(40).view(), std::string(40, '\0'));
  EXPECT_TRUE(Secret(0).empty());
  EXPECT_TRUE(Secret::copyOf("").empty());
  const std::string large(10000, 'x');
  EXPECT_EQ(Secret::copyOf(large).view(), large);
}

TEST(Secret, ClonesIntoItsOwnMemory) {
  Secret secret = Secret::copyOf("twice");
  const Secret clone = secret.clone();
  secret.data()[0] = 'T';
  EXPECT_EQ(clone.view(), "twice");
}

}  // namespace
}  // namespace waystation::crypto
