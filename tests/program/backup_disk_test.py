"""Backups onto a disk that is found by its label: plugged in or not, mounted or not, on a system of
this test's own, where a label is a link in its own /dev/disk/by-label."""

import os
import shutil
import subprocess
import tempfile
import unittest

import program

LABEL = "WAYSTATION-1"
BY_LABEL = "/dev/disk/by-label"
NODES = ("null", "zero", "full", "random", "urandom", "tty")


def done(*command):
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def attached(image):
    """A device of an image with a file system, or None where this machine lets nobody have one."""
    try:
        done("truncate", "-s", "24M", image)
        done("mkfs.ext4", "-q", "-L", LABEL, image)
        return done("losetup", "--find", "--show", image)
    except (OSError, subprocess.CalledProcessError):
        return None


@unittest.skipUnless(program.has_own_mounts(), "this machine lets nobody mount a disk")
class BackupDisk(program.ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.system = tempfile.mkdtemp(prefix="waystation-test-")
        cls.addClassCleanup(shutil.rmtree, cls.system, ignore_errors=True)
        cls.device = attached(os.path.join(cls.system, "image"))
        if cls.device:
            cls.addClassCleanup(done, "losetup", "-d", cls.device)
        nodes = [os.path.join("/dev", name) for name in NODES] + ([cls.device] if cls.device else [])
        kept = os.path.join(cls.system, "dev")
        os.mkdir(kept)
        for node in nodes:
            beside = os.path.join(kept, os.path.basename(node))
            open(beside, "w").close()
            done("mount", "--bind", node, beside)
        done("mount", "-t", "tmpfs", "none", "/dev")
        cls.addClassCleanup(done, "umount", "-l", "/dev")
        for node in nodes:
            open(node, "w").close()
            done("mount", "--bind", os.path.join(kept, os.path.basename(node)), node)
            cls.addClassCleanup(done, "umount", "-l", os.path.join(kept, os.path.basename(node)))
        os.makedirs(BY_LABEL)

    def setUp(self):
        super().setUp()
        self.point = os.path.join(self.folder, "media")
        os.mkdir(self.point)
        self.owner = self.node()

    def plug_in(self, device):
        link = os.path.join(BY_LABEL, LABEL)
        os.symlink(device, link)
        self.addCleanup(os.remove, link)

    def unmount(self):
        done("umount", self.point)

    def backup(self, place="label:" + LABEL):
        return self.owner.run("backup", place)

    def daily(self):
        return program.run("backup", "daily", "--data", self.owner.data,
                           "--passphrase-file", self.owner.passphrase, "label:" + LABEL)

    def made(self):
        return [name for name in os.listdir(self.point) if name.endswith(".wsbackup")]

    def check(self, device, mount):
        self.assertFailed(self.backup(), "backup.disk-missing")
        self.plug_in(device)
        self.assertIn(f"`sudo mount {device} /mnt`",
                      self.assertFailed(self.backup(), "backup.disk-not-mounted"))
        self.assertFailed(self.daily(), "backup.disk-not-mounted")
        self.assertEqual(os.listdir(self.point), [], "written where no disk was")
        mount()
        self.addCleanup(subprocess.run, ["umount", "-l", self.point], capture_output=True)
        self.assertIn("A whole backup is in " + self.point + "/", self.assertDone(self.backup()))
        self.assertIn("A backup of what changed", self.assertDone(self.daily()))
        self.assertEqual(len(self.made()), 2)
        os.mkdir(os.path.join(self.point, "NBO"))
        self.assertIn("A whole backup is in " + self.point + "/NBO/",
                      self.assertDone(self.backup("label:" + LABEL + "/NBO")))
        for name in self.made():
            os.remove(os.path.join(self.point, name))  # so that one is due
        self.unmount()
        with self.owner.serve() as server:
            self.assertEqual(server.logged("backup")["code"], "backup.disk-not-mounted")
            self.assertIn("ALARM: no backup is made now. The disk with the label " + LABEL,
                          self.assertDone(self.owner.run("status", passphrase=False)))
            self.assertEqual(os.listdir(self.point), [], "written where no disk was")
            mount()
            self.assertDone(self.backup())  # by the server, which sees what is mounted now
            self.assertNotIn("ALARM", self.assertDone(self.owner.run("status", passphrase=False)))
            self.assertEqual(server.end(), 0)
        os.remove(os.path.join(self.point, self.made()[0]))
        with self.owner.serve() as server:
            self.assertTrue(server.logged("backup")["whole"])
            self.assertEqual(server.end(), 0)
        self.assertEqual(len(self.made()), 1)
        self.unmount()

    def test_that_is_a_block_device(self):
        if not self.device:
            self.skipTest("this machine lets nobody have a device of an image")
        self.check(self.device, lambda: done("mount", self.device, self.point))

    # As file systems whose number is not that of their device.
    def test_that_is_known_by_the_name_that_it_was_mounted_by(self):
        device = os.path.join(self.folder, "sdb1")
        open(device, "w").close()
        self.plug_in(device)
        self.assertFailed(self.backup(), "backup.disk-not-mounted")
        done("mount", "-t", "tmpfs", device, self.point)
        self.addCleanup(self.unmount)
        self.assertIn("A whole backup is in " + self.point + "/", self.assertDone(self.backup()))


if __name__ == "__main__":
    program.enter_own_mounts()
    program.main()
