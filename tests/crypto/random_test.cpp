#include "crypto/random.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>
#include <thread>
#include <vector>

namespace waystation::crypto {
namespace {

constexpr std::size_t kDrawSize = 16;

// What a forked child draws first; empty when the child failed.
std::string drawnInChild(Random& random) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) {
    return {};
  }
  const pid_t child = fork();
  if (child == 0) {
    const std::string drawn = random.bytes(kDrawSize);
    const ssize_t written = write(ends[1], drawn.data(), drawn.size());
    _exit(written == static_cast<ssize_t>(drawn.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string drawn(kDrawSize, '\0');
  const ssize_t got = read(ends[0], drawn.data(), drawn.size());
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return got == static_cast<ssize_t>(kDrawSize) && status == 0 ? drawn : std::string();
}

TEST(SystemRandom, GivesChildrenOfAForkOtherBytesThanTheirParent) {
  SystemRandom random;
  random.bytes(kDrawSize);  // the pool is now filled, and would be inherited
  const std::string first = drawnInChild(random);
  const std::string second = drawnInChild(random);
  const std::string parent = random.bytes(kDrawSize);
  ASSERT_EQ(first.size(), kDrawSize);
  ASSERT_EQ(second.size(), kDrawSize);
  EXPECT_NE(first, parent);
  EXPECT_NE(second, parent);
  EXPECT_NE(first, second);
}

TEST(SystemRandom, NeverGivesTwoThreadsTheSameBytes) {
  constexpr int kThreads = 4;
  constexpr int kDraws = 2000;
  SystemRandom random;
  std::vector<std::vector<std::string>> drawn(kThreads);
  std::vector<std::thread> threads;
  for (auto& mine : drawn) {
    threads.emplace_back([&random, &mine] {
      for (int i = 0; i < kDraws; ++i) {
        mine.push_back(random.bytes(kDrawSize));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::set<std::string> distinct;
  for (const auto& mine : drawn) {
    distinct.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(distinct.size(), static_cast<std::size_t>(kThreads) * kDraws);
}

TEST(SystemRandom, FillsAllThatWasAskedForAndNothingBeside) {
  SystemRandom random;
  for (const std::size_t size : {0U, 1U, 12U, 1000U, 1024U, 1025U, 4096U, 5000U, 100000U}) {
    std::string bytes(size + 2, '\x55');
    random.fill(bytes.data() + 1, size);
    EXPECT_EQ(bytes.front(), '\x55');
    EXPECT_EQ(bytes.back(), '\x55');
    if (size >= 1000) {
      // 64 bytes left as they were, by chance: once in 2^512.
      EXPECT_EQ(bytes.find(std::string(64, '\x55')), std::string::npos) << size;
      EXPECT_NE(bytes.substr(size - 63, 64), std::string(64, '\x55')) << size;
    }
  }
}

// Three sizes in turn, so that draws straddle the pool's end wherever it is.
TEST(SystemRandom, DoesNotRepeatAcrossRefillsOfThePool) {
  SystemRandom random;
  std::set<std::string> distinct;
  std::size_t draws = 0;
  for (int round = 0; round < 500; ++round) {
    for (const std::size_t size : {12U, 32U, 500U}) {
      distinct.insert(random.bytes(size).substr(0, 12));
      ++draws;
    }
  }
  EXPECT_EQ(distinct.size(), draws);
}

TEST(Random, Next64DrawsEightBytes) {
  class Counting final : public Random {
   public:
    void fill(void* out, std::size_t size) override {
      for (std::size_t i = 0; i < size; ++i) {
        static_cast<unsigned char*>(out)[i] = 1;
      }
      drawn_ += size;
    }

    std::size_t drawn() const { return drawn_; }

   private:
    std::size_t drawn_ = 0;
  };

  Counting random;
  EXPECT_EQ(random.next64(), 0x0101010101010101U);
  EXPECT_EQ(random.drawn(), 8U);
}

}  // namespace
}  // namespace waystation::crypto
