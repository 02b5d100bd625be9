"""A full disk: saves are refused in plain words, what was acknowledged stays, reading goes on, and
saving works again once there is room. On a disk of its own, in memory."""

import subprocess
import unittest

import program

MOST_SAVES = 5000
SMALL = "1500k"
ROOMY = "64m"


def mount(folder, size, *more):
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(["size=" + size, *more]),
                    "waystation-test", folder], check=True)


@unittest.skipUnless(program.has_own_mounts(), "this machine lets nobody mount a small disk")
class FullDisk(program.ProgramTest):
    def fill(self, caller):
        """Saves until refused; answers what was acknowledged and the refusal."""
        saves = []
        for number in range(MOST_SAVES):
            answer = caller.save_person(f"Person {number}")
            if answer.status != 200:
                return saves, answer
            saves.append((answer.json["records"]["new:1"]["id"], f"Person {number}"))
        self.fail("the disk never became full")

    def check_held(self, caller, saves):
        for record, name in saves:
            answer = caller.call("GET", "/api/v1/records/" + record)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(answer.json["fields"]["given_name"], name)

    def test_a_full_disk_loses_nothing(self):
        mount(self.folder, SMALL)
        self.addCleanup(subprocess.run, ["umount", "-l", self.folder], check=True)
        node = self.node()
        self.assertDone(node.add_user())
        with node.serve() as server:
            caller = server.caller()
            saves, refusal = self.fill(caller)
            self.assertGreater(len(saves), 0)
            self.assertEqual(refusal.status, 507, refusal.body)
            self.assertEqual(refusal.json["code"], "store.full")
            self.assertEqual(caller.save_person("Once more").status, 507)
            self.check_held(caller, saves)
            mount(self.folder, ROOMY, "remount")
            answer = caller.save_person("After")
            self.assertEqual(answer.status, 200, answer.body)
            saves.append((answer.json["records"]["new:1"]["id"], "After"))
            self.check_held(caller, saves)
            caller.close()
            self.assertEqual(server.end(), 0)
        self.assertDone(node.run("check"))
        with node.serve() as server:
            caller = server.caller()
            self.check_held(caller, saves)
            caller.close()
            self.assertEqual(server.end(), 0)


if __name__ == "__main__":
    program.enter_own_mounts()
    program.main()
