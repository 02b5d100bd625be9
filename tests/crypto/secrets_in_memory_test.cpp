// Where keys are in this process's memory: /proc/self says it of every page.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "crypto/key_slots.h"
#include "crypto/recovery_key.h"

namespace waystation::crypto {
namespace {

struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::string flags;  // the kernel's two-letter words: "dd" not dumped, "lo" locked

  bool has(const std::string& flag) const { return flags.find(" " + flag) != std::string::npos; }
};

// What can be read and written now, with the flags that /proc/self/smaps gives.
std::vector<Mapping> writableMappings() {
  std::vector<Mapping> result;
  std::ifstream smaps("/proc/self/smaps");
  bool isWanted = false;
  for (std::string line; std::getline(smaps, line);) {
    Mapping mapping;
    char dash = 0;
    std::string rights;
    std::istringstream words(line);
    if (words >> std::hex >> mapping.begin >> dash >> mapping.end >> rights && dash == '-') {
      // A sanitizer's shadow is terabytes and holds no copies.
      isWanted = rights.substr(0, 2) == "rw" && mapping.end - mapping.begin < 1U << 30;
      if (isWanted) result.push_back(mapping);
    } else if (isWanted && line.rfind("VmFlags:", 0) == 0) {
      result.back().flags = line.substr(8);
    }
  }
  return result;
}

// The mappings that hold a secret. It is given masked, so that the search does not find itself.
std::vector<Mapping> holdersOf(const std::string& masked) {
  std::vector<Mapping> found;
  std::ifstream memory("/proc/self/mem", std::ios::binary);
  const auto own = reinterpret_cast<std::uintptr_t>(masked.data());
  for (const Mapping& mapping : writableMappings()) {
    std::string bytes(mapping.end - mapping.begin, '\0');
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(mapping.begin));
    if (!memory.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) continue;
    for (char& byte : bytes) byte = static_cast<char>(byte ^ '\x55');
    const bool holdsIt = bytes.find(masked) != std::string::npos;
    for (char& byte : bytes) byte = '\0';
    if (holdsIt && own != 0) found.push_back(mapping);
  }
  return found;
}

std::string maskedOf(const Secret& secret) {
  std::string masked;
  for (const char byte : secret.view()) masked.push_back(static_cast<char>(byte ^ '\x55'));
  return masked;
}

class SecretsInMemory : public testing::Test {
 protected:
  SecretsInMemory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "in_memory_XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    file_ = directory_ / "keys";
  }
  ~SecretsInMemory() override { std::filesystem::remove_all(directory_); }

  SystemRandom random_;
  std::filesystem::path directory_;
  std::filesystem::path file_;
};

TEST_F(SecretsInMemory, AreLockedAndLeftOutOfCoreDumps) {
  Secret secret(32);
  random_.fill(secret.data(), secret.size());
  const std::vector<Mapping> holders = holdersOf(maskedOf(secret));
  ASSERT_EQ(holders.size(), 1U) << "nowhere but in the secret's own pages";
  EXPECT_TRUE(holders[0].has("dd")) << holders[0].flags;
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
  const bool mayLock = limit.rlim_cur >= 1024 * 1024;
  EXPECT_TRUE(holders[0].has("lo") || !mayLock) << holders[0].flags;
}

// The search must be able to find what was left behind.
TEST_F(SecretsInMemory, AreFoundWhereSomebodyCopiedThemTo) {
  Secret secret(32);
  random_.fill(secret.data(), secret.size());
  const std::string copy(secret.view());
  const auto at = reinterpret_cast<std::uintptr_t>(copy.data());
  const std::vector<Mapping> holders = holdersOf(maskedOf(secret));
  EXPECT_TRUE(std::any_of(holders.begin(), holders.end(), [at](const Mapping& holder) {
    return holder.begin <= at && at < holder.end;
  }));
}

TEST_F(SecretsInMemory, TheMasterKeyIsInItsOwnPagesOnlyAndGoneWithThem) {
  const RecipientKey recovery = RecipientKey::generate(random_);
  const std::string token = random_.bytes(32);
  std::string masked;
  {
    KeySlots slots = KeySlots::create(file_, random_, "open sesame", {1, 64, 1});
    const Secret master = slots.open(SlotKind::kPassphrase, "open sesame").master;
    slots.add(master, random_, SlotKind::kKeyFile, token, "");
    slots.add(master, random_, SlotKind::kRecovery, recovery.publicKey(), "");
    masked = maskedOf(master);
    const Secret again = slots.open(SlotKind::kKeyFile, token).master;
    const Secret recovered = slots.open(SlotKind::kRecovery, recovery.privateKey().view()).master;
    ASSERT_EQ(recovered.view(), master.view());
    const std::vector<Mapping> holders = holdersOf(masked);
    EXPECT_GE(holders.size(), 1U);
    for (const Mapping& holder : holders) EXPECT_TRUE(holder.has("dd")) << holder.flags;
  }
  EXPECT_TRUE(holdersOf(masked).empty());
}

TEST_F(SecretsInMemory, ARecoveryKeyLeavesNoCopyOfItsText) {
  std::string masked;
  std::string maskedText;
  {
    const RecipientKey key = RecipientKey::generate(random_);
    const Secret text = recoveryKeyText(key);
    const RecipientKey parsed = parseRecoveryKey(text.view());
    masked = maskedOf(parsed.privateKey());
    maskedText = maskedOf(text);
  }
  EXPECT_TRUE(holdersOf(masked).empty());
  EXPECT_TRUE(holdersOf(maskedText).empty());
}

}  // namespace
}  // namespace waystation::crypto
