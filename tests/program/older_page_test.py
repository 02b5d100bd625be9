"""An older copy of one page, put back by somebody who can write to the disk, authenticates. `check`
finds it all the same, because what it says does not agree with the rest."""

import json
import os

import program

PAGE = 4096


class OlderPage(program.ProgramTest):
    def folded(self, node, act):
        """Serves the node while `act` works; answers the database's bytes once it is stopped."""
        with node.serve() as server:
            caller = server.caller()
            act(caller)
            caller.close()
            self.assertEqual(server.end(), 0)
        self.assertFalse(os.path.exists(os.path.join(node.data, "node.db-wal")))
        with open(os.path.join(node.data, "node.db"), "rb") as database:
            return database.read()

    def test_an_older_copy_of_a_records_page_is_found_by_check(self):
        node = self.node()
        self.assertDone(node.add_user())
        saved = {}

        def save(caller):
            answer = caller.save_person("Amina")
            self.assertEqual(answer.status, 200, answer.body)
            saved.update(answer.json["records"]["new:1"])

        def edit(caller):
            answer = caller.call("POST", "/api/v1/changes", {"edits": [
                {"record": saved["id"], "seen": saved["tag"], "fields": {"given_name": "Halima"}}]})
            self.assertEqual(answer.status, 200, answer.body)

        before = self.folded(node, save)
        after = self.folded(node, edit)
        self.assertDone(node.run("check"))
        findings = {}
        for start in range(PAGE, min(len(before), len(after)), PAGE):
            old = before[start:start + PAGE]
            if old == after[start:start + PAGE]:
                continue
            with open(os.path.join(node.data, "node.db"), "wb") as database:
                database.write(after[:start] + old + after[start + PAGE:])
            result = node.run("check")
            self.assertNotIn("does not authenticate", result.stdout + result.stderr)
            if result.returncode != 0:
                findings[start // PAGE + 1] = result.stdout + result.stderr
        text = "\n".join(findings.values())
        self.assertIn("digest", text, json.dumps(sorted(findings)))


if __name__ == "__main__":
    program.main()
