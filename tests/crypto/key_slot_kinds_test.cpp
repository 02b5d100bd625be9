// The kinds of slots, and the recovery key's text.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/key_slot_codec.h"
#include "crypto/key_slots.h"
#include "crypto/recovery_key.h"

namespace waystation::crypto {
namespace {

std::string codeOf(const std::function<void()>& attempt) {
  try {
    attempt();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "none";
}

class SlotKinds : public testing::Test {
 protected:
  SlotKinds() {
    std::string pattern = (std::filesystem::temp_directory_path() / "slot_kinds_XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    slots_.emplace(KeySlots::create(directory_ / "keys", random_, "open sesame", {1, 8, 1}));
    master_ = slots_->open(SlotKind::kPassphrase, "open sesame").master;
  }
  ~SlotKinds() override { std::filesystem::remove_all(directory_); }

  SystemRandom random_;
  std::filesystem::path directory_;
  std::optional<KeySlots> slots_;
  Secret master_;
};

TEST_F(SlotKinds, OpenWithTheSecretOfTheirOwnKindOnly) {
  const std::string bytes = random_.bytes(32);
  EXPECT_EQ(slots_->add(master_, random_, SlotKind::kKeyFile, bytes, "token"), 2);
  EXPECT_EQ(codeOf([&] { slots_->open(SlotKind::kCredential, bytes); }), "key.wrong-credential");
  EXPECT_EQ(codeOf([&] { slots_->open(SlotKind::kRecovery, bytes); }), "key.wrong-recovery-key");
  EXPECT_EQ(codeOf([&] { slots_->open(SlotKind::kPassphrase, bytes); }), "key.wrong-passphrase");
  EXPECT_EQ(slots_->add(master_, random_, SlotKind::kCredential, bytes, "service"), 3);
  const KeySlots::Opened opened = KeySlots(directory_ / "keys").open(SlotKind::kCredential, bytes);
  EXPECT_EQ(opened.slot, 3);
  EXPECT_EQ(opened.master.view(), master_.view());
  EXPECT_EQ(slots_->open(SlotKind::kKeyFile, bytes).slot, 2);
  EXPECT_EQ(
      codeOf([&] { slots_->add(master_, random_, SlotKind::kCredential, bytes.substr(1), ""); }),
      "key.key-file-short");
}

TEST_F(SlotKinds, AShareOpensWithBothItsHalvesOnlyAndIsNotEnoughToStayAlone) {
  const std::string box = random_.bytes(32);
  const std::string hub = random_.bytes(32);
  EXPECT_EQ(slots_->add(master_, random_, SlotKind::kHubShare, box + hub, "HQ"), 2);
  const KeySlots read(directory_ / "keys");
  EXPECT_EQ(read.open(SlotKind::kHubShare, box + hub).slot, 2);
  for (const std::string& wrong :
       {box, hub, hub + box, box + box, box + hub + "x", std::string()}) {
    EXPECT_EQ(codeOf([&] { read.open(SlotKind::kHubShare, wrong); }), "key.wrong-hub-share");
    EXPECT_NE(codeOf([&] { read.open(SlotKind::kKeyFile, wrong); }), "none");
  }
  EXPECT_EQ(codeOf([&] { read.open(SlotKind::kCredential, box + hub); }), "key.wrong-credential");
  EXPECT_EQ(codeOf([&] { slots_->add(master_, random_, SlotKind::kHubShare, box, ""); }),
            "key.malformed");
  // Nobody here could open what is left.
  EXPECT_EQ(codeOf([&] { slots_->remove(1); }), "key.last-slot");
  slots_->remove(2);
}

TEST_F(SlotKinds, ASlotSealedToTheRecoveryKeyOpensWithItsPrivatePartOnly) {
  const RecipientKey key = RecipientKey::generate(random_);
  const RecipientKey other = RecipientKey::generate(random_);
  EXPECT_EQ(slots_->add(master_, random_, SlotKind::kRecovery, other.publicKey(), ""), 2);
  EXPECT_EQ(slots_->add(master_, random_, SlotKind::kRecovery, key.publicKey(), "HQ"), 3);
  const KeySlots read(directory_ / "keys");
  const KeySlots::Opened opened = read.open({SlotKind::kRecovery, key.privateKey().clone()});
  EXPECT_EQ(opened.slot, 3);
  EXPECT_EQ(opened.master.view(), master_.view());
  EXPECT_EQ(read.list()[2].recoveryKeyId, recoveryKeyId(key.publicKey()));
  EXPECT_EQ(read.list()[0].recoveryKeyId, "");
  for (const std::string& wrong :
       {key.publicKey(), std::string(31, 'k'), std::string(33, 'k'), random_.bytes(32)}) {
    EXPECT_EQ(codeOf([&] { read.open(SlotKind::kRecovery, wrong); }), "key.wrong-recovery-key");
  }
  EXPECT_EQ(codeOf([&] {
              slots_->add(master_, random_, SlotKind::kRecovery, std::string(32, '\0'), "");
            }),
            "hpke.malformed-key");
}

TEST_F(SlotKinds, ARecoverySlotIsBoundToItsStoreNumberAndLabel) {
  const RecipientKey key = RecipientKey::generate(random_);
  slots_->add(master_, random_, SlotKind::kRecovery, key.publicKey(), "HQ");
  slots_->remove(1);
  const auto openAfter = [&](const std::function<void(KeySlotFile&)>& change) {
    std::filesystem::remove(directory_ / "copy");
    std::filesystem::copy_file(directory_ / "keys", directory_ / "copy");
    std::string image(std::filesystem::file_size(directory_ / "copy"), '\0');
    FILE* file = std::fopen((directory_ / "copy").c_str(), "r+b");
    EXPECT_EQ(std::fread(image.data(), 1, image.size(), file), image.size());
    KeySlotFile decoded = decodeKeySlotFile(image);
    change(decoded);
    image = encodeKeySlotFile(decoded);
    std::rewind(file);
    std::fwrite(image.data(), 1, image.size(), file);
    std::fclose(file);
    return codeOf(
        [&] { KeySlots(directory_ / "copy").open(SlotKind::kRecovery, key.privateKey().view()); });
  };
  EXPECT_EQ(openAfter([](KeySlotFile&) {}), "none");
  EXPECT_EQ(openAfter([](KeySlotFile& file) { file.storeId[0] ^= 1; }), "key.wrong-recovery-key");
  EXPECT_EQ(openAfter([](KeySlotFile& file) { file.slots[0].number = 3; }),
            "key.wrong-recovery-key");
  EXPECT_EQ(openAfter([](KeySlotFile& file) { file.slots[0].label = "hq"; }),
            "key.wrong-recovery-key");
  EXPECT_EQ(openAfter([](KeySlotFile& file) { file.slots[0].salt[0] ^= 1; }),
            "key.wrong-recovery-key");
  EXPECT_EQ(openAfter([](KeySlotFile& file) { file.slots[0].wrapped[79] ^= 1; }),
            "key.wrong-recovery-key");
  EXPECT_EQ(openAfter([](KeySlotFile& file) { file.masterCheck[0] ^= 1; }), "key.file-damaged");
}

TEST_F(SlotKinds, ASlotThatComesOrGoesLeavesTheOthersAsTheyAre) {
  slots_->add(master_, random_, SlotKind::kKeyFile, std::string(32, 't'), "token");
  const auto image = [&] {
    std::string bytes(std::filesystem::file_size(directory_ / "keys"), '\0');
    FILE* file = std::fopen((directory_ / "keys").c_str(), "rb");
    EXPECT_EQ(std::fread(bytes.data(), 1, bytes.size(), file), bytes.size());
    std::fclose(file);
    return bytes;
  };
  const std::string before = image();
  const RecipientKey key = RecipientKey::generate(random_);
  slots_->remove(slots_->add(master_, random_, SlotKind::kRecovery, key.publicKey(), "HQ"));
  EXPECT_EQ(image(), before);
}

TEST(RecoveryKeyText, IsReadBackAlsoBehindLinesForPeople) {
  SystemRandom random;
  const RecipientKey key = RecipientKey::generate(random);
  const std::string text(recoveryKeyText(key).view());
  EXPECT_EQ(parseRecoveryKey("For the safe.\nDo not copy.\n" + text + " \r\n").publicKey(),
            key.publicKey());
  const std::string open = recoveryPublicKeyText(key.publicKey());
  EXPECT_EQ(parseRecoveryPublicKey("Recovery key of HQ\n" + open + "\n"), key.publicKey());
}

TEST(RecoveryKeyText, IsRefusedWhenItIsCutMistypedOrTheOtherHalf) {
  SystemRandom random;
  const RecipientKey key = RecipientKey::generate(random);
  const std::string text(recoveryKeyText(key).view());
  const std::string code = "key.recovery-key-malformed";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(codeOf([&] { parseRecoveryKey(text.substr(0, size)); }), code) << size;
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string typed = text;
    typed[at] = typed[at] == 'A' ? 'B' : 'A';
    EXPECT_EQ(codeOf([&] { parseRecoveryKey(typed); }), code) << at;
  }
  EXPECT_EQ(codeOf([&] { parseRecoveryPublicKey(text); }), code);
  EXPECT_EQ(codeOf([&] { parseRecoveryKey(recoveryPublicKeyText(key.publicKey())); }), code);
  EXPECT_EQ(codeOf([&] { parseRecoveryKey(" \n"); }), code);
}

TEST(RecoveryKeyText, ShowsItsIdInGroups) {
  EXPECT_EQ(shownRecoveryKeyId(fromHex("3b1f80c200000000000000000000ffee")),
            "3b1f-80c2-0000-0000-0000-0000-0000-ffee");
}

}  // namespace
}  // namespace waystation::crypto
