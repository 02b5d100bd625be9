"""The key commands: every way of opening a node, and that the data is not touched by any of them."""

import hashlib
import json
import os
import signal
import stat
import subprocess

import program

QUICK = ["--kdf-memory-kib", "64"]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class KeyTest(program.ProgramTest):
    def path(self, name):
        return os.path.join(self.folder, name)

    def secret(self, name, text):
        path = self.path(name)
        with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(text + "\n")
        return path

    def key(self, node, verb, *words, passphrase=True):
        secret = ["--passphrase-file", node.passphrase] if passphrase else []
        return program.run("key", verb, "--data", node.data, *secret, *words)

    def slots(self, node):
        return [json.loads(line) for line in self.assertDone(
            self.key(node, "list", "--json", passphrase=False)).splitlines()]

    def add_key_file(self, node):
        token = self.path("token")
        self.assertDone(self.key(node, "add", "--kind", "key-file", "--label", "token of Ana",
                                 "--new-file", token))
        return token


class Slots(KeyTest):
    def test_a_passphrase_is_added_used_and_removed_and_the_data_stays_as_it_is(self):
        node = self.node()
        self.assertDone(node.add_user())
        before = digest(os.path.join(node.data, "node.db"))
        second = self.secret("second", "another passphrase of the tests")
        said = self.assertDone(self.key(node, "add", "--kind", "passphrase", "--label", "Ana",
                                        "--new-passphrase-file", second, *QUICK))
        self.assertIn("slot 2 (passphrase, Ana)", said)
        with_second = ["--passphrase-file", second]
        self.assertIn("slot 2", self.assertDone(self.key(node, "test", *with_second,
                                                         passphrase=False)))
        self.assertDone(self.key(node, "remove", "--slot", "1", *with_second, passphrase=False))
        self.assertEqual([slot["slot"] for slot in self.slots(node)], [2])
        self.assertFailed(self.key(node, "test"), "key.wrong-passphrase")
        self.assertEqual(digest(os.path.join(node.data, "node.db")), before)
        self.assertFailed(node.run("check"), "key.wrong-passphrase")
        self.assertDone(node.run("check", *with_second, passphrase=False))

    def test_no_slot_goes_that_would_leave_nobody_able_to_open(self):
        node = self.node()
        keys = os.path.join(node.data, "keys.slots")
        before = digest(keys)
        self.assertFailed(self.key(node, "remove", "--slot", "1"), "key.last-slot")
        self.assertFailed(self.key(node, "remove", "--slot", "2"), "key.no-such-slot")
        self.assertEqual(digest(keys), before)
        self.add_key_file(node)
        before = digest(keys)
        self.assertFailed(self.key(node, "remove", "--slot", "1"), "key.own-slot")
        wrong = self.secret("wrong", "not the passphrase")
        self.assertFailed(self.key(node, "remove", "--slot", "1", "--passphrase-file", wrong,
                                   passphrase=False), "key.wrong-passphrase")
        self.assertEqual(digest(keys), before)

    def test_a_token_opens_the_node_and_is_private(self):
        node = self.node()
        token = self.add_key_file(node)
        self.assertEqual(os.path.getsize(token), 32)
        self.assertEqual(stat.S_IMODE(os.stat(token).st_mode), 0o600)
        self.assertFailed(self.key(node, "add", "--kind", "key-file", "--new-file", token),
                          "secret.unwritable")
        self.assertEqual(len(self.slots(node)), 2, "no slot for a file that could not be made")
        self.assertDone(node.run("check", "--key-file", token, passphrase=False))
        self.assertFailed(node.run("check", "--key-file", node.passphrase, passphrase=False),
                          "key.wrong-key-file")

    def test_a_token_that_ends_with_a_line_end_is_taken_as_it_is(self):
        node = self.node()
        token = self.secret("token", "x" * 31)  # and the line end makes 32
        self.assertDone(self.key(node, "add", "--kind", "key-file", "--from", token))
        self.assertDone(self.key(node, "test", "--key-file", token, passphrase=False))

    def test_wrong_usage_is_told_before_a_secret_is_asked_for(self):
        node = self.node()
        for words in (["add"], ["add", "--kind", "song"], ["add", "--kind", "key-file"],
                      ["add", "--kind", "credential", "--from", "a", "--new-file", "b"],
                      ["add", "--kind", "recovery"], ["remove"], ["remove", "--slot", "17"]):
            with self.subTest(words=words):
                self.assertEqual(self.key(node, *words).returncode, 2)

    def test_slots_change_while_the_server_runs(self):
        node = self.node()
        self.assertDone(node.add_user())
        with node.serve() as server:
            token = self.add_key_file(node)
            self.assertDone(self.key(node, "remove", "--slot", "1", "--key-file", token,
                                     passphrase=False))
            caller = server.caller()
            self.assertEqual(caller.save_person("Ana").status, 200)
            caller.close()
        self.assertDone(node.run("check", "--key-file", token, passphrase=False))

    def test_the_exported_key_is_the_databases_own(self):
        node = self.node()
        out = self.path("database-key")
        said = self.assertDone(self.key(node, "export", "--out", out))
        self.assertIn("WARNING", said)
        self.assertEqual(stat.S_IMODE(os.stat(out).st_mode), 0o600)
        with open(out) as file:
            self.assertRegex(file.read(), r"^[0-9a-f]{64}\n$")
        extension = os.path.join(os.path.dirname(program.program), "..", "lib", "waystation_vfs.so")
        if not os.path.exists(extension):
            self.skipTest("waystation_vfs.so is not built")
        read = subprocess.run(
            ["sqlite3", "-batch", "-bail"], text=True, capture_output=True,
            env=dict(os.environ, WAYSTATION_KEY_FILE=out),
            input=f".load {extension}\n.open {node.data}/node.db\n"
                  "SELECT count(*) FROM meta WHERE name = 'identity.signing-seed';\n")
        self.assertEqual(read.stdout.strip().splitlines()[-1:], ["1"], read.stdout + read.stderr)


class Rotation(KeyTest):
    def rotate(self, node, **options):
        return json.loads(self.assertDone(self.key(node, "rotate", "--json", **options)))

    def test_all_pages_get_a_new_key_while_people_save(self):
        node = self.node()
        self.assertDone(node.add_user())
        with node.serve() as server:
            caller = server.caller()
            for number in range(2, 5):
                self.assertEqual(caller.save_person(f"Ana {number}").status, 200)
                rotated = self.rotate(node, passphrase=False)
                self.assertEqual(rotated["pageKey"], number)
                self.assertGreater(rotated["pages"], 0)
            self.assertEqual(caller.save_person("after").status, 200)
            caller.close()
        status = json.loads(self.assertDone(node.run("check", "--json")))
        self.assertEqual(status["findings"], 0)
        self.assertEqual(status["records"], 5)  # four persons and the account

    def epochs(self, node, name="node.db"):
        """The numbers of the page keys that the pages of a database are under (store-format.md)."""
        with open(os.path.join(node.data, name), "rb") as file:
            content = file.read()
        return {int.from_bytes(content[at + 4072:at + 4076], "big")
                for at in range(0, len(content), 4096)}

    def kill_amid_a_rotation(self, server, node):
        """Kills the server once pages are being overwritten; whether that was in the middle."""
        command = subprocess.Popen([program.program, "key", "rotate", "--data", node.data],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        while not os.path.exists(os.path.join(node.data, "node.db-rekey")):
            if command.poll() is not None:
                return False
        server.end(signal.SIGKILL)
        command.wait(program.PATIENCE)
        return os.path.exists(os.path.join(node.data, "node.db-rekey"))

    def test_a_server_killed_in_the_middle_goes_on_when_it_starts_again(self):
        node = self.node()
        self.assertDone(node.add_user())
        cases = os.path.join(self.folder, "cases.jsonl")
        with open(cases, "w") as file:
            file.writelines(program.bench_lines(1500))
        self.assertDone(node.run("import", "--as", "cases", cases))
        key = 1
        for _ in range(20):
            key += 1
            with node.serve() as server:
                if self.kill_amid_a_rotation(server, node):
                    break
        self.assertLess(min(self.epochs(node)), key, "it was over before it was killed")
        self.assertIn("is not finished", self.assertDone(node.run("status")))
        with node.serve() as server:
            caller = server.caller()
            while "pageKeys" in json.loads(self.assertDone(
                    node.run("status", "--json", passphrase=False))):
                self.assertEqual(caller.save_person("meanwhile").status, 200)
            caller.close()
            self.assertEqual(server.end(), 0)
        self.assertEqual(self.epochs(node), {key})
        self.assertFalse(os.path.exists(os.path.join(node.data, "node.db-rekey")))
        self.assertDone(node.run("check"))

    def test_it_works_without_a_server_and_leaves_the_slots_alone(self):
        node = self.node()
        keys = os.path.join(node.data, "keys.slots")
        before = digest(keys)
        self.assertEqual(self.rotate(node)["pageKey"], 2)
        self.assertEqual(digest(keys), before)
        self.assertDone(node.run("check"))
        self.assertFailed(self.key(node, "rotate", passphrase=False), "secret.missing")


class Credential(KeyTest):
    def test_the_services_credential_is_tried_by_itself(self):
        node = self.node()
        self.assertDone(node.add_user())
        folder = self.path("credentials")
        os.mkdir(folder)
        self.assertIn("systemd-creds", self.assertDone(self.key(
            node, "add", "--kind", "credential", "--new-file",
            os.path.join(folder, "waystation-key"))))
        os.environ["CREDENTIALS_DIRECTORY"] = folder
        self.addCleanup(os.environ.pop, "CREDENTIALS_DIRECTORY")
        self.assertIn("slot 2", self.assertDone(self.key(node, "test", passphrase=False)))
        self.assertIn("slot 1", self.assertDone(self.key(node, "test")))
        process = subprocess.Popen([program.program, "serve", "--data", node.data, "--port", "0",
                                    "--address", "127.0.0.1"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True, start_new_session=True)
        with process:
            self.assertTrue(process.stdout.readline().startswith("ready "))
            process.terminate()
        self.assertEqual(process.returncode, 0)
        with open(os.path.join(folder, "waystation-key"), "r+b") as file:
            file.write(b"another")
        self.assertFailed(self.key(node, "test", passphrase=False), "key.wrong-credential")


class Recovery(KeyTest):
    def test_an_office_whose_secrets_are_lost_opens_with_headquarters_key_from_the_safe(self):
        hq, office = self.node("HQ", "hq"), self.node("NBO")
        safe, token = self.path("safe"), self.path("enrolment")
        self.assertFailed(office.run("hq", "recovery-key", "--private-out", safe),
                          "node.not-headquarters")
        with hq.serve(sync_port=0) as server:
            self.assertDone(hq.run("hq", "recovery-key", "--private-out", safe, passphrase=False))
            self.assertEqual(stat.S_IMODE(os.stat(safe).st_mode), 0o600)
            self.assertDone(hq.run("hq", "issue-token", "--office", "NBO", "--out", token,
                                   passphrase=False))
            self.assertDone(office.run("enrol", "--token", token, "--hq", server.url))
        self.assertDone(office.run("check"))
        kinds = [slot["kind"] for slot in self.slots(office)]
        self.assertEqual(kinds, ["passphrase", "recovery"])
        self.assertDone(office.run("check"))
        self.assertEqual(len(self.slots(office)), 2, "one slot, however often the node is opened")
        new = self.secret("new", "the passphrase after the loss")
        self.assertFailed(self.key(office, "recover", "--recovery-key-file", token,
                                   "--new-passphrase-file", new, passphrase=False),
                          "key.recovery-key-malformed")
        self.assertDone(self.key(office, "recover", "--recovery-key-file", safe,
                                 "--new-passphrase-file", new, *QUICK, passphrase=False))
        self.assertDone(office.run("check", "--passphrase-file", new, passphrase=False))
        self.assertDone(self.key(office, "remove", "--slot", "1", "--passphrase-file", new,
                                 passphrase=False))
        self.assertFailed(office.run("check"), "key.wrong-passphrase")
        for folder in (hq.data, office.data):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        self.assertNotIn(b"wsrk1", file.read(), path)

    def test_the_public_part_can_be_given_as_a_file_and_another_key_does_not_open(self):
        hq, office = self.node("HQ", "hq"), self.node("NBO")
        safe, open_part, other = self.path("safe"), self.path("public"), self.path("other")
        self.assertDone(hq.run("hq", "recovery-key", "--private-out", safe,
                               "--public-out", open_part))
        self.assertDone(self.key(office, "add", "--kind", "recovery", "--recovery-key", open_part))
        self.assertIn("recoveryKey", self.slots(office)[1])
        self.assertDone(hq.run("hq", "recovery-key", "--private-out", other))
        new = self.secret("new", "the passphrase after the loss")
        self.assertFailed(self.key(office, "recover", "--recovery-key-file", other,
                                   "--new-passphrase-file", new, passphrase=False),
                          "key.wrong-recovery-key")
        self.assertDone(self.key(office, "recover", "--recovery-key-file", safe,
                                 "--new-passphrase-file", new, *QUICK, passphrase=False))


class Memory(KeyTest):
    def test_a_running_server_leaves_no_core_and_keeps_no_passphrase(self):
        node = self.node()
        with node.serve() as server:
            with open(f"/proc/{server.process.pid}/limits") as limits:
                core = next(line for line in limits if line.startswith("Max core file size"))
            self.assertEqual(core.split()[4:6], ["0", "0"])
            for needle in (program.PASSPHRASE.encode(),):
                self.assertFalse(self.holds(server.process.pid, needle))

    def holds(self, pid, needle):
        """Whether the process's writable memory holds these bytes; what cannot be read does not."""
        try:
            memory = open(f"/proc/{pid}/mem", "rb", buffering=0)
        except PermissionError:
            return False  # not dumpable: only root may look
        with memory, open(f"/proc/{pid}/maps") as maps:
            for line in maps:
                span, rights = line.split()[:2]
                if not rights.startswith("rw"):
                    continue
                begin, end = (int(part, 16) for part in span.split("-"))
                try:
                    memory.seek(begin)
                    if needle in memory.read(end - begin):
                        return True
                except (OSError, OverflowError):
                    continue
        return False


if __name__ == "__main__":
    program.main()
