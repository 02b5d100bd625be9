#include "storage/whole_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/temporary_directory.h"

namespace waystation::storage {
namespace {

std::string contentOf(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class WholeFile : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "settings";
  std::filesystem::path fresh_ = directory_ / "settings.new";
};

TEST_F(WholeFile, IsMadeAndReplacedAndItsOwnersAlone) {
  EXPECT_EQ(replaceFile(file_, "first"), 0);
  EXPECT_EQ(contentOf(file_), "first");
  EXPECT_EQ(replaceFile(file_, ""), 0);
  EXPECT_EQ(contentOf(file_), "");
  struct stat status {};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_FALSE(std::filesystem::exists(fresh_));
}

TEST_F(WholeFile, WhatAPowerCutLeftOfANewOneIsNotWrittenThrough) {
  const std::filesystem::path other = directory_ / "other";
  std::ofstream(other) << "untouched";
  std::filesystem::create_symlink(other, fresh_);
  EXPECT_EQ(replaceFile(file_, "content"), 0);
  EXPECT_EQ(contentOf(file_), "content");
  EXPECT_EQ(contentOf(other), "untouched");
}

TEST_F(WholeFile, StaysOldAndWholeWhenThereIsNoRoomForTheNewOne) {
  ASSERT_EQ(replaceFile(file_, "old"), 0);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const int error = replaceFile(file_, std::string(5000, 'n'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, previous);
  EXPECT_EQ(error, EFBIG);
  EXPECT_EQ(contentOf(file_), "old");
  EXPECT_FALSE(std::filesystem::exists(fresh_));
}

TEST_F(WholeFile, SaysThatThereIsNoDirectory) {
  EXPECT_EQ(replaceFile(directory_ / "none" / "settings", "content"), ENOENT);
}

}  // namespace
}  // namespace waystation::storage
