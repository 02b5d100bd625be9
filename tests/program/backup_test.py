"""Backups made while people save, restored on a bare machine; killed, cut and damaged ones."""

import http.client
import json
import os
import random
import signal
import ssl
import subprocess
import threading
import time

import program


class Saver(threading.Thread):
    """Saves persons one after the other until told to stop; keeps what was acknowledged."""

    def __init__(self, port, token, name):
        super().__init__()
        self.caller = program.Caller(port, token)
        self.title = name
        self.stopping = threading.Event()
        self.acknowledged = []  # in order
        self.refused = []

    def run(self):
        number = 0
        try:
            while not self.stopping.is_set():
                number += 1
                answer = self.caller.save_person(f"{self.title} {number}")
                if answer.status == 200:
                    self.acknowledged.append(answer.json["records"]["new:1"]["id"])
                else:
                    self.refused.append(answer.body)
        except (OSError, http.client.HTTPException, ssl.SSLError, ValueError):
            pass
        finally:
            self.caller.close()


class BackupAndRestore(program.ProgramTest):
    def restored(self, backup, node, *words):
        """A second data directory, from a backup of `node`'s."""
        other = program.Node(self.folder, "R" + str(random.randrange(10**9)))
        other.passphrase = node.passphrase
        return other, program.run("restore", "--data", other.data, "--passphrase-file",
                                  node.passphrase, *words, backup)

    def backup(self, node, target, *words, passphrase=True):
        said = self.assertDone(node.run("backup", "--json", *words, target, passphrase=passphrase))
        return json.loads(said.strip().split("\n")[-1])

    def held(self, caller, record):
        return caller.call("GET", "/api/v1/records/" + record).status == 200

    def test_made_under_load_it_holds_all_that_was_acknowledged_before(self):
        node = self.node()
        self.assertDone(node.add_user())
        folder = os.path.join(self.folder, "stick")
        os.mkdir(folder)
        with node.serve() as server:
            caller = server.caller()
            savers = [Saver(server.port, caller.token, f"Saver {i}") for i in range(5)]
            for saver in savers:
                saver.start()
            made = []
            for _ in range(3):
                while sum(len(saver.acknowledged) for saver in savers) < 30 * (len(made) + 1):
                    time.sleep(0.01)
                before = [len(saver.acknowledged) for saver in savers]
                made.append((self.backup(node, folder, passphrase=False), before))
            for saver in savers:
                saver.stopping.set()
            for saver in savers:
                saver.join(program.PATIENCE)
                self.assertEqual(saver.refused, [])
            caller.close()
            self.assertEqual(server.end(), 0)
        self.assertTrue(made[0][0]["whole"])
        self.assertEqual(len(os.listdir(folder)), 3)
        for backup, before in (made[0], made[-1]):
            other, result = self.restored(backup["file"], node)
            self.assertDone(result)
            self.assertDone(other.run("check"))
            with other.serve() as server:
                caller = server.caller()
                for saver, count in zip(savers, before):
                    here = [self.held(caller, record) for record in saver.acknowledged]
                    self.assertNotIn(False, here[:count], "an acknowledged save is not in it")
                    # One moment: of each person's saves in order, the first ones and no others.
                    self.assertEqual(here, sorted(here, reverse=True))
                caller.close()

    def test_every_day_by_itself(self):
        node = self.node()
        stick = os.path.join(self.folder, "stick")
        os.mkdir(stick)

        def daily(folder):
            return program.run("backup", "daily", "--data", node.data,
                               "--passphrase-file", node.passphrase, folder)

        def made():
            return [name for name in os.listdir(stick) if name.endswith(".wsbackup")]

        def status():
            return self.assertDone(node.run("status", passphrase=False))

        self.assertFailed(daily(stick + "2"), "backup.unwritable")
        self.assertIn("every day in " + stick, self.assertDone(daily(stick)))
        self.assertEqual(len(made()), 1)
        os.remove(os.path.join(stick, made()[0]))  # so that one is due
        with node.serve() as server:
            self.assertTrue(server.logged("backup")["whole"])
            self.assertEqual(len(made()), 1)
            self.assertIn("One is made every day in " + stick, status())
            self.assertEqual(server.end(), 0)
        os.rename(stick, stick + ".away")
        with node.serve() as server:
            self.assertEqual(server.logged("backup")["code"], "backup.disk-missing")
            self.assertIn("ALARM: no backup is made now", status().split("\n")[1])
            caller = program.Caller(server.port)
            self.assertEqual(caller.call("GET", "/health").json["warnings"], ["backup.disk-missing"])
            caller.close()
            self.assertDone(program.run("backup", "end-daily", "--data", node.data))
            self.assertNotIn("ALARM", status())
            self.assertEqual(server.end(), 0)

    def test_old_data_is_kept_aside_until_it_is_discarded(self):
        node = self.node()
        self.assertDone(node.add_user())
        backup = os.path.join(self.folder, "b.wsbackup")
        self.backup(node, backup)
        words = ["--passphrase-file", node.passphrase]
        self.assertFailed(node.run("restore", backup), "restore.exists")
        self.assertIn("Nothing was changed", self.assertDone(node.run("restore", "--dry-run", backup)))
        self.assertDone(node.run("check"))
        self.assertDone(node.run("restore", "--set-aside", backup))
        aside = [name for name in os.listdir(node.data) if name.startswith("before-restore-")]
        self.assertEqual(len(aside), 1)
        self.assertIn("node.db", os.listdir(os.path.join(node.data, aside[0])))
        self.assertDone(node.run("check"))
        self.assertDone(program.run("restore", "discard-old", "--data", node.data, *words))
        self.assertFalse(os.path.exists(os.path.join(node.data, aside[0])))
        self.assertDone(node.run("check"))

    def test_an_interrupted_restore_that_cannot_be_trusted_is_not_finished(self):
        node = self.node()
        self.assertDone(node.run("check"))
        state = os.path.join(node.data, "restore.state")
        # Torn, of another kind, and one whose restored data is gone.
        for content in ("", "rubbish", "before-restore-x\nelsewhere\n", "before-restore-x\naside\n"):
            with self.subTest(content), open(state, "w") as file:
                file.write(content)
                file.flush()
                before = sorted(os.listdir(node.data))
                self.assertFailed(node.run("check"), "restore.state-damaged")
                self.assertEqual(sorted(os.listdir(node.data)), before)
        os.remove(state)
        self.assertDone(node.run("check"))

    def test_bad_input_does_no_harm(self):
        node, other = self.node(), self.node("KRT")
        backup = os.path.join(self.folder, "b.wsbackup")
        self.backup(node, backup)
        self.assertFailed(node.run("backup", backup), "backup.exists")
        self.assertFailed(node.run("backup", os.path.join(self.folder, "no", "b")),
                          "backup.unwritable")
        with open(backup, "rb") as file:
            content = file.read()
        flipped = content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]
        for name, text, code in (("none", None, "backup.foreign-file"),
                                 ("other", b"a text", "backup.foreign-file"),
                                 ("short", content[:200], "backup.cut-short"),
                                 ("shorter", content[:-100], "backup.damaged"),
                                 ("flipped", flipped, "backup.damaged")):
            path = os.path.join(self.folder, name)
            if text is not None:
                with open(path, "wb") as file:
                    file.write(text)
            with self.subTest(name):
                self.assertFailed(node.run("restore", "--set-aside", path), code)
        self.assertFailed(other.run("restore", "--set-aside", backup), "restore.other-node")
        bare = program.Node(self.folder, "BARE")
        with open(bare.passphrase, "w") as file:
            file.write("another passphrase")
        self.assertFailed(bare.run("restore", backup), "key.wrong-passphrase")
        with node.serve() as server:
            self.assertFailed(node.run("restore", "--set-aside", backup), "node.in-use")
            self.assertEqual(server.end(), 0)
        self.assertDone(node.run("check"))
        self.assertDone(other.run("check"))

    def test_a_difference_needs_its_whole_one_and_a_damaged_whole_one_is_replaced(self):
        node = self.node()
        folder = os.path.join(self.folder, "stick")
        os.mkdir(folder)
        whole = self.backup(node, folder)["file"]
        difference = self.backup(node, folder)
        self.assertFalse(difference["whole"])
        os.rename(whole, whole + ".away")
        self.assertFailed(self.restored(difference["file"], node)[1], "backup.base-missing")
        os.rename(whole + ".away", whole)
        self.assertDone(self.restored(difference["file"], node)[1])
        with open(whole, "r+b") as file:
            file.seek(-30, os.SEEK_END)
            file.write(b"damage")
        self.assertTrue(self.backup(node, folder)["whole"])
        self.assertDone(self.restored(self.backup(node, folder, "--keep", "1")["file"], node)[1])
        self.assertEqual(len(os.listdir(folder)), 2)

    def test_a_node_with_a_new_page_key_is_backed_up_and_restored_over_itself(self):
        node = self.node()
        self.assertDone(node.add_user())
        folder = os.path.join(self.folder, "stick")
        os.mkdir(folder)
        before = self.backup(node, folder)
        self.assertDone(node.run("key", "rotate"))
        self.assertTrue(os.path.exists(os.path.join(node.data, "node.db-keys")))
        after = self.backup(node, folder)
        self.assertFalse(after["whole"])
        self.assertLess(after["changed"], after["pages"] / 4, "a new key changes no content")
        for backup in (before, after):
            self.assertDone(node.run("restore", "--set-aside", backup["file"]))
            # Of the database that was set aside; the restored one is under a first key again.
            self.assertFalse(os.path.exists(os.path.join(node.data, "node.db-keys")))
            self.assertDone(node.run("check"))
            self.assertDone(node.run("key", "rotate"))
            with node.serve() as server:
                caller = server.caller()
                self.assertEqual(caller.save_person("Ana").status, 200)
                caller.close()
                self.assertEqual(server.end(), 0)
            self.assertDone(node.run("check"))

    def test_an_older_copy_put_back_is_told_until_it_is_accepted(self):
        node = self.node()
        self.assertDone(node.add_user())
        database = os.path.join(node.data, "node.db")
        with open(database, "rb") as file:
            older = file.read()
        with node.serve() as server:
            caller = server.caller()
            self.assertEqual(caller.save_person("Ana").status, 200)
            caller.close()
            self.assertEqual(server.end(), 0)
        self.assertDone(node.run("check"))
        with open(database, "wb") as file:
            file.write(older)
        for command in ("status", "status"):
            self.assertIn("An older copy of the store", self.assertDone(node.run(command)))
        result = node.run("check")
        self.assertEqual(result.returncode, 1)
        self.assertIn("An older copy of the store", result.stdout)
        self.assertDone(node.run("check", "--accept-older-copy"))
        self.assertNotIn("older copy", self.assertDone(node.run("status")))

    def killed_at_random(self, *words):
        process = subprocess.Popen([program.program, *words], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(random.uniform(0, 0.4))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(program.PATIENCE)

    def test_killed_at_any_moment_nothing_is_half_there(self):
        node = self.node()
        self.assertDone(node.add_user())
        folder = os.path.join(self.folder, "stick")
        os.mkdir(folder)
        secret = ["--passphrase-file", node.passphrase]
        first = self.backup(node, folder)["file"]
        for _ in range(10):
            self.killed_at_random("backup", "--data", node.data, *secret, folder)
            for name in os.listdir(folder):
                if name.endswith(".wsbackup"):
                    self.assertDone(node.run("restore", "--dry-run", os.path.join(folder, name)))
        self.backup(node, folder)
        self.assertEqual([name for name in os.listdir(folder) if name.endswith(".partial")], [])
        for _ in range(20):
            self.killed_at_random("restore", "--data", node.data, *secret, "--set-aside", first)
            self.assertDone(node.run("check"))


if __name__ == "__main__":
    program.main()
