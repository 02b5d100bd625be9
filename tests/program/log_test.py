"""The log of a server that does real work: JSON lines, and nothing personal in any of them."""

import json
import os
import re
import signal

import program

NAMES = ["Zebrafinch", "Quillfeather", "Oxbow", "Marrowmist"]  # persons, imported and typed
USERS = ["zora.quist", "bela.oxner"]
CSV = "case_no,given_name,family_name\nZF-9001,Zebrafinch,Quillfeather\nZF-9002,Oxbow,Marrowmist\n"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
COMMON = {"event", "level", "time"}
LEVELS = {"error", "warning", "info", "debug"}


class Log(program.ProgramTest):
    def lines(self, server):
        return [json.loads(line) for line in server.log().splitlines()]

    def work(self, server, caller):
        """Saves, opens, lists and searches; and much that is refused, each with names in it."""
        saved = caller.save_person(NAMES[0])
        self.assertEqual(saved.status, 200, saved.body)
        record = saved.json["records"]["new:1"]["id"]
        expected = [
            (200, "GET", f"/api/v1/records/{record}"),
            (200, "GET", f"/api/v1/records/{record}/history"),
            (200, "GET", f"/api/v1/records?q={NAMES[1]}"),
            (200, "GET", "/api/v1/conflicts"),
            (200, "GET", "/metrics"),
            (404, "GET", f"/api/v1/{NAMES[2]}"),
            (404, "GET", f"/api/v1/records/{NAMES[2]}"),
            (404, "GET", f"/nothing/{NAMES[2]}.html"),
            (400, "GET", f"/api/v1/records?q=%00{NAMES[2]}"),
            (405, "DELETE", f"/api/v1/records/{record}"),
            (403, "GET", f"/api/v1/audit?by={USERS[0]}"),
            (403, "PUT", f"/api/v1/accounts/{USERS[0]}"),
        ]
        for status, method, path in expected:
            body = {"role": NAMES[3]} if method == "PUT" else None
            answer = caller.call(method, path, body)
            self.assertEqual(answer.status, status, (method, path, answer.body))
        new = {"record": "new:1", "kind": "person"}
        for status, body in ((403, {"edits": [{**new, "kind": NAMES[3], "fields": {}}]}),
                             (422, {"edits": [{**new, "fields": {NAMES[3]: "x"}}]}),
                             (422, {"user": NAMES[0], "password": NAMES[1]}), (422, [NAMES[2]])):
            self.assertEqual(caller.call("POST", "/api/v1/changes", body).status, status)
        for user in (USERS[0], NAMES[2], "nobody@" + NAMES[3]):
            wrong = caller.call("POST", "/api/v1/session", {"user": user, "password": NAMES[3]})
            self.assertEqual(wrong.status, 401)
        return record

    def assertClean(self, text):
        for name in NAMES + USERS + ["127.0.0.1", program.PASSWORD]:
            self.assertNotIn(name.lower(), text.lower())
        self.assertNotRegex(text, UUID)

    def test_names_nobody_whatever_is_done(self):
        node = self.node()
        for user in USERS:
            self.assertDone(node.add_user(user))
        file = self.folder + "/" + NAMES[0] + ".csv"
        with open(file, "w") as csv:
            csv.write(CSV)
        with node.serve(log_level="debug") as server:
            caller = program.Caller(server.port)
            caller.log_in(USERS[0])
            self.assertDone(node.run("import", "--as", "cases", file))
            self.assertIn(NAMES[1].encode(), caller.call("GET", "/api/v1/records").body)
            self.work(server, caller)
            caller.close()
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(program.PATIENCE), 0)
            text, lines = server.log(), self.lines(server)
        self.assertClean(text)
        for line in lines:
            self.assertLessEqual(COMMON, set(line))
            self.assertIn(line["level"], LEVELS)
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual([lines[0]["event"], lines[-1]["event"]], ["started", "stopped"])
        requests = [line for line in lines if line["event"] == "request"]
        for line in requests:
            self.assertLessEqual({"server", "id", "status", "ms"}, set(line))
        self.assertEqual(len({line["id"] for line in requests}), len(requests))
        routes = {line.get("route") for line in requests}
        self.assertLessEqual({"/api/v1/records/{id}", "/api/v1/records", "/metrics", None}, routes)
        print(f"{len(lines)} lines of log, {len(requests)} of requests: none names a person")

    def test_says_by_which_id_an_answer_is_found(self):
        node = self.node()
        with node.serve() as server:
            caller = program.Caller(server.port)
            caller.connection.request("GET", "/api/v1/me")
            answer = caller.connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, 401)
            caller.close()
            found = [line for line in self.lines(server) if line.get("id") == answer.headers["Request-Id"]]
        self.assertEqual([(line["route"], line["code"]) for line in found],
                         [("/api/v1/me", "access.unauthenticated")])

    def test_tells_of_exchanges_and_of_offices_by_their_code(self):
        hq = self.node("HQ", "hq")
        office = self.node("NBO")
        self.assertDone(office.add_user(USERS[0]))
        with hq.serve(sync_port=0) as at_hq:
            token = self.folder + "/token"
            self.assertDone(hq.run("hq", "issue-token", "--office", "NBO", "--out", token))
            self.assertDone(office.run("enrol", "--token", token, "--hq", at_hq.url))
            with office.serve() as at_office:
                caller = program.Caller(at_office.port)
                caller.log_in(USERS[0])
                self.assertEqual(caller.save_person(NAMES[0]).status, 200)
                self.assertDone(office.run("sync", "now"))
                exchanges = [line for line in self.lines(at_office) if line["event"] == "exchange"]
                self.assertTrue(any(line["changesUp"] > 0 for line in exchanges), exchanges)
                self.assertClean(at_office.log())
            served = [line for line in self.lines(at_hq) if line.get("server") == "offices"]
            self.assertIn(("NBO", "/sync/v1/exchange"),
                          {(line.get("node"), line.get("route")) for line in served})
            self.assertClean(at_hq.log())

    def test_tells_of_locking_and_unlocking(self):
        node = self.node()
        wrong = self.folder + "/wrong"
        with open(wrong, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(NAMES[0])
        with node.serve() as server:
            self.assertDone(node.run("lock", passphrase=False))
            server.logged("locked")
            self.assertFailed(program.run("unlock", "--data", node.data, "--passphrase-file", wrong),
                              "key.wrong-passphrase")
            failed = server.logged("unlock-failed")
            self.assertEqual((failed["way"], failed["code"]), ("passphrase", "key.wrong-passphrase"))
            self.assertDone(node.run("unlock"))
            self.assertEqual(server.logged("unlocked")["way"], "passphrase")
            self.assertClean(server.log())

    def test_of_a_level_leaves_out_what_is_less_urgent(self):
        node = self.node()
        with node.serve(log_level="error") as server:
            caller = program.Caller(server.port)
            self.assertEqual(caller.call("GET", "/api/v1/none").status, 404)
            caller.close()
            self.assertEqual(server.log(), "")
        wrong = program.run("serve", "--data", node.data, "--log-level", "loud")
        self.assertEqual(wrong.returncode, 2, wrong.stderr)


if __name__ == "__main__":
    program.main()
