"""The commands: what they answer, in which order they work, and how they refuse."""

import json
import os
import signal
import stat

import program

CSV = "case_no,given_name,family_name\nA-1,Ana,Sol\nA-2,Ben,Mar\nA-3,,broken\n"


class Usage(program.ProgramTest):
    def test_help_is_printed_everywhere(self):
        overview = self.assertDone(program.run("--help"))
        for words in ("init", "hq issue-token", "enrol", "user add", "serve", "status", "sync now",
                      "sync pause", "sync resume", "sync budget", "import", "check", "reindex", "key list",
                      "key add", "key remove", "key test", "key recover", "key export",
                      "key rotate",
                      "hq recovery-key"):
            self.assertIn(words, overview)
            self.assertIn("--data DIR", self.assertDone(program.run(*words.split(), "--help")))
        self.assertIn("user add", self.assertDone(program.run("user", "--help")))

    def test_wrong_usage_ends_with_2(self):
        node = program.Node(self.folder, "NBO")
        for words in ([], ["fly"], ["user"], ["check"], ["check", "--data"],
                      ["check", "--data", "x", "--wings"], ["check", "--data", "x", "more"],
                      ["check", "--data", "x", "--data", "y"], ["check", "--json=1", "--data", "x"],
                      ["init", "--data", node.data, "--role", "king", "--name", "NBO"],
                      ["init", "--data", node.data, "--role", "hq", "--name", "HQ", "--port", "x"],
                      ["import", "--data", node.data, "--as", "cases"],
                      ["serve", "--data", node.data, "--port", "65536"]):
            with self.subTest(words=words):
                result = program.run(*words)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertNotEqual(result.stderr, "")
        self.assertFalse(os.path.exists(node.data))


class Alone(program.ProgramTest):
    def test_init_says_what_to_keep_and_makes_private_files(self):
        node = program.Node(self.folder, "NBO")
        said = self.assertDone(node.init())
        self.assertIn("passphrase", said)
        self.assertIn(os.path.join(node.data, "keys.slots"), said)
        self.assertEqual(stat.S_IMODE(os.stat(node.data).st_mode), 0o700)
        for name in os.listdir(node.data):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(node.data, name)).st_mode), 0o600)
        self.assertFailed(node.init(), "node.exists")

    def test_a_malformed_name_leaves_nothing(self):
        node = program.Node(self.folder, "too long a name")
        self.assertFailed(node.init(), "node.name-malformed")
        self.assertFalse(os.path.exists(os.path.join(node.data, "keys.slots")))

    def test_a_missing_node_is_told_before_anything_is_asked(self):
        result = program.run("check", "--data", os.path.join(self.folder, "none"))
        self.assertFailed(result, "node.missing")

    def test_secrets_come_from_files_or_a_terminal_only(self):
        node = self.node()
        self.assertFailed(node.run("check", passphrase=False), "secret.missing")
        empty = os.path.join(self.folder, "empty")
        open(empty, "w").close()
        self.assertFailed(node.run("check", "--passphrase-file", empty, passphrase=False),
                          "secret.empty")
        self.assertFailed(node.run("check", "--passphrase-file", empty + "2", passphrase=False),
                          "secret.unreadable")

    def test_a_wrong_passphrase_changes_nothing(self):
        node = self.node()
        with open(node.passphrase, "w") as file:
            file.write("another")
        for words in (["check"], ["status"], ["reindex"]):
            self.assertFailed(node.run(*words), "key.wrong-passphrase")
        with open(node.passphrase, "w") as file:
            file.write(program.PASSPHRASE + "\r\n")
        self.assertDone(node.run("check"))

    def test_accounts_are_checked(self):
        node = self.node()
        self.assertDone(node.add_user())
        self.assertFailed(node.add_user(), "account.exists")
        self.assertFailed(node.add_user("ben", "king"), "account.role-unknown")

    def test_an_import_says_what_it_does_and_changes_nothing_twice(self):
        node = self.node()
        path = os.path.join(self.folder, "cases.csv")
        with open(path, "w") as file:
            file.write(CSV)

        def imported(*words):
            return json.loads(self.assertDone(
                node.run("import", "--as", "cases", path, "--json", *words)))

        self.assertEqual(imported("--dry-run")["created"], 2)
        first = imported()
        self.assertEqual((first["created"], first["rejected"]), (2, 1))
        self.assertTrue(os.path.exists(first["rejectsFile"]))
        again = imported()
        self.assertEqual((again["created"], again["unchanged"]), (0, 2))
        self.assertFailed(node.run("import", "--as", "ships", path), "import.kind-unknown")
        self.assertFailed(node.run("import", "--as", "cases", path + "x"), "import.unreadable")
        self.assertFailed(node.run("import", "--as", "cases", path, "--custody", "KRT"),
                          "import.not-headquarters")
        self.assertDone(node.run("reindex"))
        self.assertEqual(json.loads(self.assertDone(node.run("check", "--json")))["records"], 2)

    def test_a_damaged_page_is_found(self):
        node = self.node()
        self.assertDone(node.add_user())
        store = os.path.join(node.data, "node.db")
        with open(store, "r+b") as file:
            file.seek(os.path.getsize(store) - 2048)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        result = node.run("check")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn("does not authenticate", result.stdout)
        self.assertIn("->", result.stdout)

    def test_a_locked_node_says_that_it_is(self):
        node = self.node()
        self.assertIn("not running", self.assertDone(node.run("status", passphrase=False)))
        status = json.loads(self.assertDone(node.run("status", "--json")))
        self.assertFalse(status["up"])
        self.assertEqual(status["backlogUp"], 0)


class Beside(program.ProgramTest):
    """Commands while the server runs: through its socket, without the passphrase."""

    def test_commands_reach_the_running_server(self):
        node = self.node()
        with node.serve() as server:
            control = os.stat(os.path.join(node.data, "control"))
            self.assertTrue(stat.S_ISSOCK(control.st_mode))
            self.assertEqual(stat.S_IMODE(control.st_mode), 0o600)
            self.assertDone(node.run("user", "add", "--name", "ana", "--role", "caseworker",
                                     "--password-file", node.password, passphrase=False))
            caller = server.caller()
            self.assertEqual(caller.save_person("Ana").status, 200)
            caller.close()
            status = json.loads(self.assertDone(node.run("status", "--json", passphrase=False)))
            self.assertTrue(status["up"])
            self.assertEqual(status["backlogUp"], 2)  # the account's record and the person
            self.assertIsNone(status["backlogDown"])
            self.assertIn("Headquarters has not said yet whether all",
                          self.assertDone(node.run("status", passphrase=False)))
            self.assertDone(node.run("check", passphrase=False))
            self.assertDone(node.run("reindex", passphrase=False))
            self.assertDone(node.run("sync", "pause", passphrase=False))
            self.assertDone(node.run("sync", "resume", passphrase=False))
            self.assertFailed(node.run("sync", "now", passphrase=False), "sync.not-enrolled")
            self.assertEqual(server.end(), 0)
        self.assertFalse(os.path.exists(os.path.join(node.data, "control")))

    def test_a_relative_path_means_where_the_command_was_typed(self):
        node = self.node()
        with open(os.path.join(self.folder, "cases.csv"), "w") as file:
            file.write(CSV)
        with node.serve():
            here = os.getcwd()
            os.chdir(self.folder)
            try:
                said = self.assertDone(node.run("import", "--as", "cases", "cases.csv",
                                                passphrase=False))
            finally:
                os.chdir(here)
            self.assertIn("2 created", said)

    def test_a_second_server_is_refused(self):
        node = self.node()
        with node.serve():
            self.assertFailed(node.run("serve", "--port", "0"), "node.in-use")

    def test_a_port_in_use_is_told(self):
        node, other = self.node(), self.node("KRT")
        with node.serve() as server:
            result = other.run("serve", "--port", str(server.port), "--address", "127.0.0.1")
            self.assertFailed(result, "http.port-in-use")
            self.assertIn(str(server.port), result.stderr)

    def test_a_killed_server_leaves_nothing_in_the_way(self):
        node = self.node()
        with node.serve() as server:
            server.end(signal.SIGKILL)
        self.assertTrue(os.path.exists(os.path.join(node.data, "control")))
        self.assertDone(node.run("check"))
        with node.serve() as server:
            self.assertDone(node.run("status", passphrase=False))
            self.assertEqual(server.end(signal.SIGINT), 0)


class Enrolment(program.ProgramTest):
    def test_an_office_joins_once_and_syncs(self):
        hq, office, other = self.node("HQ", "hq"), self.node("NBO"), self.node("KRT")
        token = os.path.join(self.folder, "token")
        self.assertFailed(office.run("hq", "issue-token", "--office", "KRT"),
                          "node.not-headquarters")
        with hq.serve(sync_port=0) as server:
            self.assertTrue(server.sync_url.startswith("https://"))
            self.assertDone(hq.run("hq", "issue-token", "--office", "NBO", "--out", token,
                                   passphrase=False))
            self.assertEqual(stat.S_IMODE(os.stat(token).st_mode), 0o600)
            self.assertFailed(hq.run("hq", "issue-token", "--office", "NBO", "--out", token),
                              "token.unwritable")
            join = ["enrol", "--token", token, "--hq", server.url]
            self.assertFailed(other.run(*join), "enrolment.other-office")
            self.assertDone(office.run(*join))
            self.assertFailed(office.run(*join), "enrolment.token-spent")
            self.assertDone(office.run("sync", "now"))
            self.assertFailed(hq.run("sync", "now"), "sync.is-headquarters")
            self.assertIn("NBO", self.assertDone(hq.run("status")))
            self.assertEqual(server.end(), 0)
        self.assertFailed(office.run("sync", "now"), "net.unreachable")
        with open(token, "w") as file:
            file.write("wst1.cut")
        self.assertFailed(office.run(*join), "enrolment.token-malformed")


if __name__ == "__main__":
    program.main()
