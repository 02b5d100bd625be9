#include "crypto/key_slots.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iterator>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/key_slot_codec.h"

namespace waystation::crypto {
namespace {

constexpr Argon2Cost kSmallCost{1, 8, 1};

std::string codeOf(const std::function<void()>& attempt) {
  try {
    attempt();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "none";
}

// As whoever forges a file would: the trailer is a check sum that needs no key.
std::string withRepairedTrailer(std::string image) {
  const std::string body = image.substr(0, image.size() - kSha256Size);
  return body + std::string(view(sha256(body)));
}

// 00 01 02 ...: so that a whole file can be written down.
class Counting final : public Random {
 public:
  void fill(void* out, std::size_t size) override {
    for (std::size_t i = 0; i < size; ++i) {
      static_cast<unsigned char*>(out)[i] = next_++;
    }
  }

 private:
  unsigned char next_ = 0;
};

// tests/vectors/key-slots.hex: lines of hexadecimal, '#' begins a comment.
std::string vectorFile() {
  std::ifstream in(std::string(WAYSTATION_SOURCE_DIR) + "/tests/vectors/key-slots.hex");
  std::string bytes;
  for (std::string line; std::getline(in, line);) {
    bytes += line.rfind('#', 0) == 0 ? "" : fromHex(line);
  }
  return bytes;
}

class KeySlotsTest : public testing::Test {
 protected:
  KeySlotsTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "key_slots_XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    file_ = directory_ / "keys";
  }

  ~KeySlotsTest() override { std::filesystem::remove_all(directory_); }

  std::string image() const {
    std::ifstream in(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  void put(const std::string& bytes) const {
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::string codeOfReading() const {
    return codeOf([this] { KeySlots slots(file_); });
  }

  KeySlots created() { return KeySlots::create(file_, random_, "open sesame", kSmallCost); }

  SystemRandom random_;
  std::filesystem::path directory_;
  std::filesystem::path file_;
  const std::string token_ = std::string(32, 't');
};

TEST_F(KeySlotsTest, OpensWithThePassphraseItWasCreatedWith) {
  const KeySlots made = created();
  const Secret master = made.open(SlotKind::kPassphrase, "open sesame").master;
  EXPECT_EQ(master.size(), 32U);
  const KeySlots read(file_);
  EXPECT_EQ(read.open(SlotKind::kPassphrase, "open sesame").master.view(), master.view());
  EXPECT_EQ(read.storeId(), made.storeId());
  EXPECT_EQ(read.storeId().size(), 16U);
}

// The worked example of docs/spec/key-slots.md. When this fails, offices cannot open their stores
// with a new release: make a new version of the format instead.
TEST_F(KeySlotsTest, WritesAndOpensTheFileOfTheSpecification) {
  Counting random;
  KeySlots slots = KeySlots::create(file_, random, "open sesame", kSmallCost);
  const Secret key = slots.open(SlotKind::kPassphrase, "open sesame").master;
  const RecipientKey recovery(Secret::copyOf(std::string(32, 'r')));
  slots.add(key, random, SlotKind::kKeyFile, token_, "token");
  slots.add(key, random, SlotKind::kCredential, std::string(32, 'c'), "service");
  slots.add(key, random, SlotKind::kRecovery, recovery.publicKey(), "HQ");
  EXPECT_EQ(toHex(image()), toHex(vectorFile()));
  put(vectorFile());
  const KeySlots read(file_);
  std::string master;
  for (char i = 0; i < 32; ++i) {
    master.push_back(i);
  }
  EXPECT_EQ(read.open(SlotKind::kPassphrase, "open sesame").master.view(), master);
  EXPECT_EQ(read.open(SlotKind::kKeyFile, token_).master.view(), master);
  EXPECT_EQ(read.open(SlotKind::kCredential, std::string(32, 'c')).master.view(), master);
  EXPECT_EQ(read.open(SlotKind::kRecovery, std::string(32, 'r')).master.view(), master);
}

TEST_F(KeySlotsTest, RefusesAWrongPassphraseAndAWrongTokenAndChangesNothing) {
  KeySlots slots = created();
  const Secret master = slots.open(SlotKind::kPassphrase, "open sesame").master;
  const std::string before = image();
  EXPECT_EQ(codeOf([&] { slots.open(SlotKind::kPassphrase, "Open sesame"); }),
            "key.wrong-passphrase");
  EXPECT_EQ(codeOf([&] { slots.open(SlotKind::kPassphrase, ""); }), "key.wrong-passphrase");
  EXPECT_EQ(codeOf([&] { slots.open(SlotKind::kKeyFile, token_); }), "key.wrong-key-file");
  EXPECT_EQ(image(), before);
  slots.add(master, random_, SlotKind::kKeyFile, token_, "token");
  EXPECT_EQ(codeOf([&] { slots.open(SlotKind::kKeyFile, std::string(32, 'u')); }),
            "key.wrong-key-file");
  EXPECT_EQ(codeOf([&] { slots.open(SlotKind::kKeyFile, "short"); }), "key.wrong-key-file");
  EXPECT_EQ(codeOf([&] { slots.open(SlotKind::kPassphrase, token_); }), "key.wrong-passphrase");
}

TEST_F(KeySlotsTest, EverySlotGivesTheSameMasterKeyAlsoAfterReadingAgain) {
  KeySlots slots = created();
  const Secret master = slots.open(SlotKind::kPassphrase, "open sesame").master;
  EXPECT_EQ(slots.add(master, random_, SlotKind::kPassphrase, "second", "for Ana", {2, 16, 1}), 2);
  EXPECT_EQ(slots.add(master, random_, SlotKind::kKeyFile, token_, "USB token"), 3);
  for (const KeySlots& each : {slots, KeySlots(file_)}) {
    EXPECT_EQ(each.open(SlotKind::kPassphrase, "open sesame").master.view(), master.view());
    EXPECT_EQ(each.open(SlotKind::kPassphrase, "second").master.view(), master.view());
    EXPECT_EQ(each.open(SlotKind::kKeyFile, token_).master.view(), master.view());
    const std::vector<SlotInfo> list = each.list();
    ASSERT_EQ(list.size(), 3U);
    EXPECT_EQ(list[1].number, 2);
    EXPECT_EQ(list[1].label, "for Ana");
    EXPECT_EQ(list[2].kind, SlotKind::kKeyFile);
  }
}

TEST_F(KeySlotsTest, ARemovedSlotOpensNothingAndItsNumberIsFreeAgain) {
  KeySlots slots = created();
  const Secret master = slots.open(SlotKind::kPassphrase, "open sesame").master;
  slots.add(master, random_, SlotKind::kPassphrase, "second", "two", kSmallCost);
  slots.remove(1);
  EXPECT_EQ(codeOf([&] { KeySlots(file_).open(SlotKind::kPassphrase, "open sesame"); }),
            "key.wrong-passphrase");
  EXPECT_EQ(KeySlots(file_).open(SlotKind::kPassphrase, "second").master.view(), master.view());
  EXPECT_EQ(slots.add(master, random_, SlotKind::kPassphrase, "third", "three", kSmallCost), 1);
  EXPECT_EQ(KeySlots(file_).open(SlotKind::kPassphrase, "third").master.view(), master.view());
}

TEST_F(KeySlotsTest, KeepsItsLastSlotAndKnowsWhichAreNotThere) {
  KeySlots slots = created();
  const std::string before = image();
  EXPECT_EQ(codeOf([&] { slots.remove(1); }), "key.last-slot");
  EXPECT_EQ(codeOf([&] { slots.remove(2); }), "key.no-such-slot");
  EXPECT_EQ(codeOf([&] { slots.remove(0); }), "key.no-such-slot");
  EXPECT_EQ(image(), before);
}

TEST_F(KeySlotsTest, TakesSixteenSlotsAndNoMore) {
  KeySlots slots = created();
  const Secret master = slots.open(SlotKind::kPassphrase, "open sesame").master;
  for (int number = 2; number <= 16; ++number) {
    EXPECT_EQ(slots.add(master, random_, SlotKind::kKeyFile, token_ + std::to_string(number), ""),
              number);
  }
  EXPECT_EQ(codeOf([&] { slots.add(master, random_, SlotKind::kKeyFile, token_, ""); }),
            "key.too-many-slots");
  EXPECT_EQ(KeySlots(file_).open(SlotKind::kKeyFile, token_ + "16").master.view(), master.view());
}

TEST_F(KeySlotsTest, RefusesWhatNoSlotShouldBeMadeOf) {
  KeySlots slots = created();
  const Secret master = slots.open(SlotKind::kPassphrase, "open sesame").master;
  const std::string before = image();
  const auto add = [&](const std::string& label, const Argon2Cost& cost) {
    return codeOf([&] { slots.add(master, random_, SlotKind::kPassphrase, "p", label, cost); });
  };
  EXPECT_EQ(add(std::string(65, 'l'), kSmallCost), "key.malformed-label");
  EXPECT_EQ(add("line\nbreak", kSmallCost), "key.malformed-label");
  EXPECT_EQ(add("", {1, 2 * 1024 * 1024, 1}), "key.malformed-cost");
  EXPECT_EQ(add("", {0, 64, 1}), "key.malformed-cost");
  EXPECT_EQ(codeOf([&] { slots.add(master, random_, SlotKind::kPassphrase, "", ""); }),
            "key.passphrase-empty");
  EXPECT_EQ(
      codeOf([&] { slots.add(master, random_, SlotKind::kKeyFile, std::string(31, 't'), ""); }),
      "key.key-file-short");
  EXPECT_EQ(codeOf([&] { slots.add(Secret(32), random_, SlotKind::kKeyFile, token_, ""); }),
            "key.malformed");
  EXPECT_EQ(codeOf([&] { slots.add(Secret(), random_, SlotKind::kKeyFile, token_, ""); }),
            "key.malformed");
  EXPECT_EQ(image(), before);
}

TEST_F(KeySlotsTest, IsNeverCreatedOverAnotherKeyFile) {
  created();
  const std::string before = image();
  EXPECT_EQ(codeOf([&] { created(); }), "key.file-exists");
  put("");
  EXPECT_EQ(codeOf([&] { created(); }), "key.file-exists");
  EXPECT_EQ(image(), "");
}

TEST_F(KeySlotsTest, LeavesOneFileThatOnlyItsOwnerCanRead) {
  KeySlots slots = created();
  std::ofstream(directory_ / "keys.new") << "left by a power cut";
  slots.add(slots.open(SlotKind::kPassphrase, "open sesame").master, random_, SlotKind::kKeyFile,
            token_, "");
  struct stat status {};

  ASSERT_EQ(stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(KeySlotsTest, DoesNotOverwriteWhatSomeoneElseWroteMeanwhile) {
  KeySlots mine = created();
  KeySlots other(file_);
  const Secret master = mine.open(SlotKind::kPassphrase, "open sesame").master;
  other.add(master, random_, SlotKind::kPassphrase, "theirs", "", kSmallCost);
  const std::string before = image();
  EXPECT_EQ(codeOf([&] { mine.add(master, random_, SlotKind::kKeyFile, token_, ""); }),
            "key.file-changed");
  EXPECT_EQ(image(), before);
  EXPECT_EQ(mine.list().size(), 1U) << "a write that failed changes nothing in memory either";
}

TEST_F(KeySlotsTest, SaysWhenTheFileIsMissingOrCannotBeWritten) {
  EXPECT_EQ(codeOfReading(), "key.file-missing");
  file_ = directory_ / "no such folder" / "keys";
  EXPECT_EQ(codeOf([&] { created(); }), "key.write-failed");
  file_ = directory_;
  EXPECT_EQ(codeOfReading(), "key.file-unreadable");
}

TEST_F(KeySlotsTest, SaysAtEveryLengthThatTheFileIsCutShort) {
  created();
  const std::string whole = image();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put(whole.substr(0, size));
    EXPECT_EQ(codeOfReading(), "key.file-truncated") << size;
  }
  put(whole + "x");
  EXPECT_EQ(codeOfReading(), "key.file-damaged");
  put(std::string(100000, 'x'));
  EXPECT_EQ(codeOfReading(), "key.file-damaged");
}

TEST_F(KeySlotsTest, RefusesTheFileAfterDamageToAnyBit) {
  KeySlots slots = created();
  slots.add(slots.open(SlotKind::kPassphrase, "open sesame").master, random_, SlotKind::kKeyFile,
            token_, "token");
  const std::string whole = image();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const std::string code =
        codeOf([&] { decodeKeySlotFile(damaged); });  // as reading does, without the disk
    EXPECT_TRUE(code == "key.file-damaged" || code == "key.file-truncated") << bit << " " << code;
  }
  put(whole);
  EXPECT_EQ(codeOfReading(), "none");
}

// Not damage but malice: whoever can write the file can also set its check sum right.
TEST_F(KeySlotsTest, NeverGivesAWrongKeyWhenAByteIsForged) {
  KeySlots slots = created();
  const Secret master = slots.open(SlotKind::kPassphrase, "open sesame").master;
  slots.add(master, random_, SlotKind::kKeyFile, token_, "token");
  slots.remove(1);
  const std::string whole = image();
  int refusedByTheSeal = 0;
  for (std::size_t i = 0; i < whole.size() - kSha256Size; ++i) {
    std::string forged = whole;
    forged[i] = static_cast<char>(forged[i] ^ 1);
    put(withRepairedTrailer(forged));
    const std::string code = codeOf([&] { KeySlots(file_).open(SlotKind::kKeyFile, token_); });
    EXPECT_NE(code, "none") << i;
    refusedByTheSeal += code == "key.wrong-key-file" ? 1 : 0;
  }
  // At least store id, salt, label, nonce and the wrapped key are only held by the seal.
  EXPECT_GE(refusedByTheSeal, 16 + 16 + 5 + 12 + 48);
}

TEST_F(KeySlotsTest, NeverOpensAPassphraseSlotWhoseCostWasForged) {
  created();
  const std::string whole = image();
  const std::size_t costs = 64 + 4;
  ASSERT_EQ(whole[costs + 3], 1) << "passes";
  ASSERT_EQ(whole[costs + 7], 8) << "memory";
  for (std::size_t i = costs; i < costs + 12; ++i) {
    std::string forged = whole;
    forged[i] = static_cast<char>(forged[i] ^ 1);
    put(withRepairedTrailer(forged));
    EXPECT_NE(codeOf([&] { KeySlots(file_).open(SlotKind::kPassphrase, "open sesame"); }), "none")
        << i;
  }
}

TEST_F(KeySlotsTest, RefusesAFileThatAsksForATebibyte) {
  created();
  KeySlotFile file = decodeKeySlotFile(image());
  for (const Argon2Cost& cost :
       {Argon2Cost{1, 1024U * 1024 * 1024, 1}, Argon2Cost{1, 0xffffffff, 1},
        Argon2Cost{1000, 64, 1}, Argon2Cost{64, 1024 * 1024, 1}, Argon2Cost{1, 8, 2},
        Argon2Cost{1, 4096, 17}, Argon2Cost{0, 0, 0}}) {
    file.slots[0].cost = cost;
    put(encodeKeySlotFile(file));
    EXPECT_EQ(codeOfReading(), "key.file-damaged") << cost.memoryKiB;
  }
}

TEST_F(KeySlotsTest, RefusesSlotsThatAreNoneTooManyDoubleOrOfNoKnownKind) {
  created();
  const KeySlotFile whole = decodeKeySlotFile(image());
  const auto codeAfter = [&](const std::function<void(KeySlotFile&)>& change) {
    KeySlotFile file = whole;
    change(file);
    return codeOf([&] { decodeKeySlotFile(encodeKeySlotFile(file)); });
  };
  EXPECT_EQ(codeAfter([](KeySlotFile&) {}), "none");
  EXPECT_EQ(codeAfter([](KeySlotFile& file) { file.slots.clear(); }), "key.file-damaged");
  EXPECT_EQ(codeAfter([](KeySlotFile& file) { file.slots.push_back(file.slots[0]); }),
            "key.file-damaged");
  EXPECT_EQ(codeAfter([](KeySlotFile& file) { file.slots[0].number = 0; }), "key.file-damaged");
  EXPECT_EQ(codeAfter([](KeySlotFile& file) { file.slots[0].number = 17; }), "key.file-damaged");
  EXPECT_EQ(codeAfter([](KeySlotFile& file) { file.slots[0].kind = SlotKind{0}; }),
            "key.file-damaged");
  EXPECT_EQ(codeAfter([](KeySlotFile& file) {
              file.slots[0].kind = SlotKind{6};
              file.slots[0].cost = {0, 0, 0};
            }),
            "key.file-damaged");
  EXPECT_EQ(codeAfter([](KeySlotFile& file) { file.slots[0].kind = SlotKind::kKeyFile; }),
            "key.file-damaged");
  EXPECT_EQ(codeAfter([](KeySlotFile& file) { file.slots[0].label = std::string(65, 'l'); }),
            "key.file-damaged");
}

TEST_F(KeySlotsTest, LeavesAFileOfANewerProgramAlone) {
  created();
  std::string newer = image();
  newer[9] = 2;
  newer = withRepairedTrailer(newer);
  put(newer);
  EXPECT_EQ(codeOfReading(), "key.file-newer");
  EXPECT_EQ(image(), newer);
  newer[9] = 0;
  put(withRepairedTrailer(newer));
  EXPECT_EQ(codeOfReading(), "key.file-damaged");
}

TEST_F(KeySlotsTest, DoesNotAcceptASlotOfAnotherStoreNorAtAnotherNumber) {
  KeySlots slots = created();
  const KeySlotFile mine = decodeKeySlotFile(image());
  std::filesystem::remove(file_);
  KeySlots::create(file_, random_, "thief's own", kSmallCost);
  const KeySlotFile theirs = decodeKeySlotFile(image());

  KeySlotFile spliced = mine;
  spliced.slots[0] = theirs.slots[0];
  put(encodeKeySlotFile(spliced));
  EXPECT_EQ(codeOf([&] { KeySlots(file_).open(SlotKind::kPassphrase, "thief's own"); }),
            "key.wrong-passphrase");

  KeySlotFile renumbered = mine;
  renumbered.slots[0].number = 2;
  put(encodeKeySlotFile(renumbered));
  EXPECT_EQ(codeOf([&] { KeySlots(file_).open(SlotKind::kPassphrase, "open sesame"); }),
            "key.wrong-passphrase");

  // Even the thief's whole file with my store's check of the master key gives no key.
  KeySlotFile checked = theirs;
  checked.masterCheck = mine.masterCheck;
  put(encodeKeySlotFile(checked));
  EXPECT_EQ(codeOf([&] { KeySlots(file_).open(SlotKind::kPassphrase, "thief's own"); }),
            "key.file-damaged");
}

}  // namespace
}  // namespace waystation::crypto
