#include "server/backup_place.h"

#include <gtest/gtest.h>

#include <fstream>

#include "crypto/failure.h"
#include "tests/support/test_node.h"

namespace waystation::server {
namespace {

// A system of this test's own: devices, their labels, and what is mounted.
class BackupPlaces : public ::testing::Test {
 protected:
  BackupPlaces() {
    std::filesystem::create_directories(root() / "by-label");
    std::filesystem::create_directories(root() / "dev");
    write("mounts", "25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n");
  }

  const std::filesystem::path& root() const { return directory_.path(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(root() / name, std::ios::app) << text;
  }
  void plugIn(const std::string& device, const std::string& link) const {
    write("dev/" + device, "");
    std::filesystem::create_symlink("../dev/" + device, root() / "by-label" / link);
  }
  void mount(const std::string& device, const std::string& point,
             const std::string& what = "/") const {
    write("mounts", "97 25 8:17 " + what + " " + point + " rw,nosuid shared:50 master:2 - vfat " +
                        (root() / "dev" / device).string() + " rw,uid=1000\n");
  }
  std::string found(const std::string& text) const {
    try {
      return BackupPlace(text, {root() / "by-label", root() / "mounts"}).find();
    } catch (const Failure& failure) {
      said_ = failure.what();
      return failure.code();
    }
  }

  waystation::testing::TempDirectory directory_;
  mutable std::string said_;
};

TEST_F(BackupPlaces, AreFoldersAsTheyAreWritten) {
  EXPECT_EQ(found("/media/stick"), "/media/stick");
  EXPECT_EQ(found("/media/label:stick"), "/media/label:stick");
}

TEST_F(BackupPlaces, AreFoundByTheLabelOfTheDiskWhereverItIsMounted) {
  plugIn("sdb1", "WAYSTATION-1");
  plugIn("sdc1", "WAYSTATION-2");
  mount("sdc1", "/media/two");
  mount("sdb1", "/run/media/ana/one");
  EXPECT_EQ(found("label:WAYSTATION-1"), "/run/media/ana/one");
  EXPECT_EQ(found("label:WAYSTATION-2"), "/media/two");
  EXPECT_EQ(found("label:WAYSTATION-2/of/NBO"), "/media/two/of/NBO");
  EXPECT_EQ(found("label:WAYSTATION-2/"), "/media/two");
}

TEST_F(BackupPlaces, ThatAreNotPluggedInAreSaidToBeMissing) {
  mount("sdb1", "/media/stick");  // what is left of one that was pulled out
  EXPECT_EQ(found("label:WAYSTATION-1"), "backup.disk-missing");
  EXPECT_NE(said_.find("WAYSTATION-1"), std::string::npos);
  std::filesystem::create_symlink("../dev/sdb1", root() / "by-label" / "WAYSTATION-1");
  EXPECT_EQ(found("label:WAYSTATION-1"), "backup.disk-missing") << "a link to nothing";
}

TEST_F(BackupPlaces, ThatAreNotMountedAreSaidSoWithTheCommandThatMountsThem) {
  plugIn("sdb1", "WAYSTATION-1");
  EXPECT_EQ(found("label:WAYSTATION-1"), "backup.disk-not-mounted");
  EXPECT_NE(said_.find("mount " + (root() / "dev" / "sdb1").string() + " /mnt"), std::string::npos);
  mount("sdb1", "/media/part", "/part/of/it");
  EXPECT_EQ(found("label:WAYSTATION-1"), "backup.disk-not-mounted") << "only a part of it is";
}

TEST_F(BackupPlaces, UnderWhichAnotherDiskWasMountedAreNotTaken) {
  plugIn("sdb1", "WAYSTATION-1");
  plugIn("sdc1", "OTHER");
  mount("sdb1", "/media/stick");
  mount("sdc1", "/media/stick");
  EXPECT_EQ(found("label:WAYSTATION-1"), "backup.disk-not-mounted");
  EXPECT_EQ(found("label:OTHER"), "/media/stick");
  mount("sdb1", "/media/again");
  EXPECT_EQ(found("label:WAYSTATION-1"), "/media/again");
}

TEST_F(BackupPlaces, HaveLabelsAndFoldersWithBlanksAndLettersOfAnyKind) {
  plugIn("sdb1", "Copie\\x20n\u00b0\\x201");
  mount("sdb1", "/media/Copie\\040n\u00b0\\0401");
  EXPECT_EQ(found("label:Copie n\u00b0 1"), "/media/Copie n\u00b0 1");
}

TEST_F(BackupPlaces, WithoutALabelOrOutsideOfTheDiskAreRefused) {
  plugIn("sdb1", "A");
  mount("sdb1", "/media/a");
  for (const char* text : {"label:", "label:/x", "label:..", "label:.", "label:A/..",
                           "label:A/../b", "label:A/b/../../c"}) {
    EXPECT_EQ(found(text), "backup.place-malformed") << text;
  }
  EXPECT_EQ(found("label:A/b/../c"), "/media/a/c");
}

}  // namespace
}  // namespace waystation::server
