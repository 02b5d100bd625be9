"""An office that is locked: after a power cut headquarters' share opens it, untouched, unless the office
is flagged or revoked; `lock` closes a running one at once, and then only a person opens it again."""

import http.client
import json
import pathlib
import ssl
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import nodes  # noqa: E402

PROMISED_SECONDS = 60
NAME = "Amina of the locked office"


class Story:
    def __init__(self, fleet):
        self.fleet = fleet
        self.wrong = []
        self.headquarters = fleet.headquarters()
        self.office = fleet.office("KRT", self.headquarters)
        self.office.add_user("ana", "caseworker")
        self.office.add_user("tariq", "technician")
        self.person = self.office.api("ana").save(
            {"record": "new:1", "kind": "person", "fields": {"given_name": NAME}}
        )["records"]["new:1"]["id"]

    def claim(self, holds, sentence):
        print(("" if holds else "FAILED: ") + sentence, flush=True)
        if not holds:
            self.wrong.append(sentence)

    def ask(self, method, path):
        """As a stranger; the status and the body."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        line = http.client.HTTPSConnection("127.0.0.1", self.office.port, timeout=30,
                                           context=context)
        line.request(method, path, "{}" if method == "POST" else None)
        answer = line.getresponse()
        body = answer.read().decode()
        line.close()
        return answer.status, body

    def health(self):
        try:
            return json.loads(self.ask("GET", "/health")[1])["status"]
        except OSError:
            return "away"  # between one server and the next on the port

    def waystation(self, *words):
        return subprocess.run([self.fleet.binary, *words, "--data", self.office.folder],
                              capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False)

    def share(self):
        return self.headquarters.command("status")[-1]["leaves"][0]["share"]

    def make_share(self):
        self.office.command("sync", "now")
        done = self.waystation("key", "add", "--kind", "hq-share", "--label", "HQ",
                               "--passphrase-file", self.office.passphrase)
        assert done.returncode == 0, done.stderr
        self.office.command("sync", "now")

    def holds_what_was_saved(self):
        return self.office.api("ana").record(self.person) is not None

    def power_cut(self, until):
        self.office.kill()
        begun = time.monotonic()
        self.office.start(PROMISED_SECONDS, passphrase=False, until=until)
        return time.monotonic() - begun


def without_a_share(story):
    story.power_cut("locked")
    story.claim(story.health() == "locked", "an office without a share comes up locked")
    status, page = story.ask("GET", "/")
    story.claim(status == 503 and all(f'lang="{tongue}"' in page for tongue in
                                      ("en", "fr", "es", "ar")) and "KRT is locked" in page,
                "browsers are told so in four languages")
    for method, path in (("GET", "/api/v1/records"), ("POST", "/api/v1/session"),
                         ("POST", "/api/v1/changes"), ("PUT", "/nothing"), ("GET", "/metrics")):
        status, body = story.ask(method, path)
        story.claim(status == 503 and json.loads(body)["code"] == "node.locked",
                    f"{method} {path} is answered with 503 node.locked")
    refused = story.waystation("user", "add", "--name", "x", "--role", "reader",
                               "--password-file", story.office.passphrase)
    story.claim("[node.locked]" in refused.stderr, "commands are told the same")
    wrong = nodes.write_private(story.fleet.folder / "wrong", "not the passphrase")
    refused = story.waystation("unlock", "--passphrase-file", wrong)
    story.claim("[key.wrong-passphrase]" in refused.stderr and story.health() == "locked",
                "a wrong passphrase leaves it locked")
    opened = story.waystation("unlock", "--passphrase-file", story.office.passphrase)
    story.claim(opened.returncode == 0 and story.holds_what_was_saved(),
                "`waystation unlock` opens it, with what was saved")


def with_a_share(story):
    story.make_share()
    story.claim(story.share()["kept"] and story.share()["releases"] == 0,
                "headquarters keeps its half of the share")
    seconds = story.power_cut("ready")
    story.claim(seconds < PROMISED_SECONDS and story.holds_what_was_saved(),
                f"after kill -9, with headquarters reachable: open again, untouched, in "
                f"{seconds:.1f} s")
    story.claim(story.share()["releases"] == 1, "headquarters counts what it released")

    story.headquarters.command("hq", "flag", "--office", "KRT", "--by", "Olga")
    story.power_cut("locked")
    nodes.wait_until(lambda: story.share()["refused"], "headquarters notes that it refused")
    told = json.loads(story.waystation("status", "--json").stdout)
    story.claim(told["state"] == "locked" and "flagged" in told["failure"],
                "flagged, it stays locked, and says why: " + told["failure"])
    story.claim(story.share()["releases"] == 1 and story.health() == "locked",
                "nothing was released")
    story.headquarters.command("hq", "flag", "--office", "KRT", "--by", "Olga", "--undo")
    nodes.wait_until(lambda: story.health() == "ok", "it opens once the flag is gone")
    story.claim(story.holds_what_was_saved(), "unflagged, it opens by itself")

    story.headquarters.command("revoke", "--node", "KRT", "--by", "Olga")
    story.power_cut("locked")
    nodes.wait_until(lambda: "revoked" in json.loads(
        story.waystation("status", "--json").stdout).get("failure", ""), "it is refused")
    story.claim(story.share()["releases"] == 2, "revoked, it gets nothing either")
    story.headquarters.command("revoke", "--node", "KRT", "--by", "Olga", "--undo")
    nodes.wait_until(lambda: story.health() == "ok", "it opens once it is let in again")


def locking(story):
    api = story.office.api("ana")
    process = story.office.process.pid
    begun = time.monotonic()
    locked = story.waystation("lock")
    seconds = time.monotonic() - begun
    story.claim(locked.returncode == 0 and "KRT is locked" in locked.stdout,
                f"`waystation lock` took {seconds:.2f} s")
    story.claim(story.health() == "locked" and story.office.process.poll() is None,
                f"the server goes on, locked, as process {process}")
    story.claim(memory_lacks(process, NAME.encode()), "its memory holds no name any more")
    story.power_cut("locked")
    story.claim(story.health() == "locked" and
                json.loads(story.waystation("status", "--json").stdout)["asksHeadquarters"] is False,
                "it does not open by headquarters' share after that")
    story.waystation("unlock", "--passphrase-file", story.office.passphrase)
    try:
        api.get("me")
        story.claim(False, "sessions ended")
    except nodes.Refused as refused:
        story.claim(refused.status == 401, "sessions ended")
    story.claim(story.holds_what_was_saved(), "what was saved is there")
    story.claim(story.office.api("tariq").post("lock", {}) == {}, "a technician locks it by the API")
    nodes.wait_until(lambda: story.health() == "locked", "it is locked")
    story.claim(story.waystation("lock").returncode == 0, "`lock` may be repeated")


def memory_lacks(process, text):
    """Whether no readable page of the process holds it."""
    with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb") as memory:
        for line in maps:
            fields = line.split()
            if not fields[1].startswith("r") or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            begin, end = (int(part, 16) for part in fields[0].split("-"))
            memory.seek(begin)
            try:
                if text in memory.read(end - begin):
                    return False
            except OSError:
                continue
    return True


def main():
    with nodes.Fleet(sys.argv[1], cheap_keys=True) as fleet:
        story = Story(fleet)
        story.claim(not memory_lacks(story.office.process.pid, NAME.encode()),
                    "while it is open its memory holds the name that was saved")
        without_a_share(story)
        with_a_share(story)
        locking(story)
        return 1 if story.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
