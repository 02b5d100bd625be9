"""The real program, as whole-program tests drive it: commands, a served node, people's API."""

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

PATIENCE = 120  # seconds after which something that hangs has failed
PASSPHRASE = "a passphrase of the tests"
PASSWORD = "a password of the tests"

# main() takes the path of the program off the command line.
program = os.environ.get("WAYSTATION_PROGRAM", "")


def main():
    global program
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        sys.modules["program"].program = program = os.path.abspath(sys.argv.pop(1))
    unittest.main()


def bench_cases():
    """The made-up cases that the project measures with: one JSON object a line, packed."""
    here = os.path.dirname(os.path.abspath(__file__))
    data = os.environ.get("WAYSTATION_DATA_DIR",
                          os.path.join(here, "..", "..", "..", "shared", "data"))
    path = os.path.join(data, "bench", "cases-10000.jsonl.zst")
    if not os.path.exists(path):
        raise unittest.SkipTest(f"{path} is not there; WAYSTATION_DATA_DIR says where it is")
    return path


def bench_lines(count):
    unpack = subprocess.Popen(["zstd", "-dcq", bench_cases()], stdout=subprocess.PIPE)
    with unpack:
        lines = [next(unpack.stdout).decode() for _ in range(count)]
        unpack.kill()
    return lines


OWN_MOUNTS = "WAYSTATION_OWN_MOUNTS"


def has_own_mounts():
    return OWN_MOUNTS in os.environ


def enter_own_mounts():
    """Starts this test anew where it may mount a small disk that nobody else sees."""
    if has_own_mounts():
        return
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if subprocess.run(unshare + ["true"], capture_output=True, check=False).returncode == 0:
        os.environ[OWN_MOUNTS] = "yes"
        os.execvp("unshare", unshare + [sys.executable] + sys.argv)


class Answer:
    def __init__(self, status, body):
        self.status = status
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class Caller:
    """A person's program: keeps one connection, not for two threads at once."""

    def __init__(self, port, token=None):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=context,
                                                      timeout=PATIENCE)
        self.token = token

    def call(self, method, path, body=None):
        headers = {"content-type": "application/json"} if body is not None else {}
        if self.token:
            headers["authorization"] = "Bearer " + self.token
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, text, headers)
        response = self.connection.getresponse()
        return Answer(response.status, response.read())

    def log_in(self, user="ana"):
        answer = self.call("POST", "/api/v1/session",
                           {"user": user, "password": PASSWORD, "token": True})
        assert answer.status == 200, answer.body
        self.token = answer.json["token"]
        return self.token

    def save_person(self, name):
        return self.call("POST", "/api/v1/changes", {"edits": [
            {"record": "new:1", "kind": "person", "fields": {"given_name": name}}]})

    def close(self):
        self.connection.close()


class Served:
    """A node that is being served; killed when the test leaves it running."""

    def __init__(self, node, **ports):
        options = {"port": 0, "address": "127.0.0.1", **ports}
        words = [program, "serve", "--data", node.data, "--passphrase-file", node.passphrase]
        for name, value in options.items():
            words += ["--" + name.replace("_", "-"), str(value)]
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        self.sync_url = None
        self.url = None
        for line in self.process.stdout:
            word, url = line.split()
            if word == "sync":
                self.sync_url = url
            if word == "ready":
                self.url = url
                break
        if self.url is None:
            self.process.wait(PATIENCE)
            self.errors.seek(0)
            raise AssertionError("the server did not start: " + self.errors.read())
        self.port = int(self.url.rsplit(":", 1)[1])

    def caller(self):
        caller = Caller(self.port)
        caller.log_in()
        return caller

    def log(self):
        """What it has written so far. Not by seeking: it writes where its descriptor, which is this
        one, stands."""
        descriptor = self.errors.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()

    def logged(self, event):
        """The first line of that event in its log; waits for it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for line in self.log().split("\n")[:-1]:
                if line.startswith("{") and json.loads(line)["event"] == event:
                    return json.loads(line)
            time.sleep(0.02)
        raise AssertionError("the server said nothing of: " + event)

    def memory_kib(self, name):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(name + ":"))

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.errors.close()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGKILL)


class Node:
    """A data directory with its passphrase file."""

    def __init__(self, folder, name, role="office"):
        self.name = name
        self.role = role
        self.data = os.path.join(folder, name)
        self.passphrase = os.path.join(folder, name + ".passphrase")
        self.password = os.path.join(folder, name + ".password")
        for path, text in ((self.passphrase, PASSPHRASE), (self.password, PASSWORD)):
            with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
                file.write(text + "\n")

    def run(self, *words, passphrase=True):
        """A command on this node; --data goes behind the command's own words."""
        first = 2 if words[0] in ("certificate", "hq", "key", "user", "sync") else 1
        secret = ["--passphrase-file", self.passphrase] if passphrase else []
        return run(*words[:first], "--data", self.data, *secret, *words[first:])

    def init(self, quick=True):
        # A quick slot: a test that starts a server 200 times would otherwise wait for Argon2.
        quickly = ["--kdf-memory-kib", "64"] if quick else []
        return self.run("init", "--role", self.role, "--name", self.name, *quickly)

    def add_user(self, name="ana", role="caseworker"):
        return self.run("user", "add", "--name", name, "--role", role,
                        "--password-file", self.password)

    def serve(self, **options):
        return Served(self, **options)


def run(*words):
    return subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE, start_new_session=True)


class ProgramTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="waystation-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def node(self, name="NBO", role="office", quick=True):
        node = Node(self.folder, name, role)
        self.assertDone(node.init(quick))
        return node

    def assertDone(self, result):
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def assertFailed(self, result, code):
        """Failed, with exactly one plain sentence that ends with the code."""
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        last = result.stderr.strip().split("\n")[-1]
        self.assertRegex(last, r"^waystation: [A-Z\"].*[.:?!] \[" + code + r"\]$")
        return last
