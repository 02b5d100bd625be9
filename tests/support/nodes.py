"""Real nodes for tests of the whole program and for scripts/demo: the binary made, started, asked
over HTTPS, killed and ended; and the bad line between an office and headquarters.

Everything lives under one Fleet, which owns a temporary directory (mode 0700) and ends every
process that it started, by its id.
"""

import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

SUPPORT = pathlib.Path(__file__).resolve().parent
REPOSITORY = SUPPORT.parent.parent
POLL_SECONDS = 0.1
PR_SET_PDEATHSIG = 1


class Trouble(Exception):
    """Something did not come out as it must; the sentence says what."""


def data_directory():
    """The folder of real data, or None where it is not at hand."""
    named = os.environ.get("WAYSTATION_DATA_DIR")
    folder = pathlib.Path(named) if named else REPOSITORY.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def wait_until(condition, what, seconds=60):
    """Asks `condition` until it answers something true, which is returned."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Trouble(f"waited {seconds} s in vain: {what}")
        time.sleep(POLL_SECONDS)


def end_with_parent():
    """In a child before it becomes the program: it gets SIGTERM if its parent is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def write_private(path, text):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Refused(Exception):
    """An answer of the API that is not 2xx."""

    def __init__(self, method, path, status, text):
        super().__init__(f"{method} {path} was answered with {status}: {text[:400]}")
        self.status = status


class Api:
    """One person's session at a node, over one connection of its own."""

    def __init__(self, port, user, password, timeout=60):
        # The certificate is from the node's own authority; on loopback nobody can stand between.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout,
                                                      context=context)
        self.cookie = None
        self.post("session", {"user": user, "password": password})

    def send(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        text = None if body is None else json.dumps(body)
        self.connection.request(method, "/api/v1/" + path, text, headers)

    def receive(self, method, path):
        answer = self.connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                self.cookie = value.split(";", 1)[0]
        if not 200 <= answer.status < 300:
            raise Refused(method, path, answer.status, text)
        return json.loads(text) if text else None

    def call(self, method, path, body=None):
        try:
            self.send(method, path, body)
            return self.receive(method, path)
        except (http.client.HTTPException, OSError):
            self.connection.close()
            # A kept connection that the server has closed meanwhile: only reading is asked again.
            if method != "GET":
                raise
            self.send(method, path, body)
            return self.receive(method, path)

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body):
        return self.call("POST", path, body)

    def save(self, *edits):
        """One atomic change; the answer comes when it is durable here."""
        return self.post("changes", {"edits": list(edits)})

    def record(self, record_id):
        """The record, or None where it is not held."""
        try:
            return self.get(f"records/{record_id}")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def all_records(self, query):
        """Every record of a list, page by page."""
        cursor = None
        while True:
            more = f"&cursor={cursor}" if cursor else ""
            page = self.get(f"records?{query}&limit=200{more}")
            yield from page["records"]
            cursor = page["cursor"]
            if not cursor:
                return


class Node:
    """One data directory and, while it runs, its server."""

    def __init__(self, fleet, name, role):
        self.fleet = fleet
        self.name = name
        self.role = role
        self.folder = fleet.folder / name.lower()
        self.passphrase = write_private(fleet.folder / f"{name}.passphrase", secrets.token_urlsafe(24))
        self.port = 0
        self.sync_port = 0
        self.passwords = {}
        self.process = None
        self.via = None  # host:port through which an office reaches headquarters
        self.log = fleet.folder / f"{name}.log"

    def command(self, *words, seconds=900, check=True):
        """Runs `waystation WORDS --data ... --json`; answers its lines of JSON."""
        done = subprocess.run(
            [self.fleet.binary, *map(str, words), "--data", self.folder, "--json",
             *self.passphrase_words()],
            capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False)
        if check and done.returncode != 0:
            raise Trouble(f"`waystation {' '.join(map(str, words))}` at {self.name} ended with "
                          f"{done.returncode}: {done.stderr.strip()[-600:]}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def begin(self, *words):
        """The same without waiting for its end; answers the process."""
        return self.fleet.spawn([self.fleet.binary, *words, "--data", self.folder],
                                self.fleet.folder / f"{self.name}.begun.log")

    def passphrase_words(self):
        return [] if self.running() else ["--passphrase-file", self.passphrase]

    def make(self):
        self.command("init", "--role", self.role, "--name", self.name, *self.fleet.init_options)

    def add_user(self, name, role, *programmes):
        self.passwords[name] = secrets.token_urlsafe(12)
        file = write_private(self.fleet.folder / f"{self.name}.{name}.password", self.passwords[name])
        more = ["--programme", ",".join(programmes)] if programmes else []
        self.command("user", "add", "--name", name, "--role", role, "--password-file", file, *more)
        return file

    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, seconds=60, passphrase=True, until="ready"):
        """Starts the server and waits until it says that it is ready, or that it is `locked`."""
        # The ports are kept over a restart: the offices and the relays know them.
        self.port = self.port or free_port()
        words = [self.fleet.binary, "serve", "--data", self.folder, "--port", str(self.port)]
        if passphrase:
            words += ["--passphrase-file", self.passphrase]
        if self.role == "hq":
            self.sync_port = self.sync_port or free_port()
            words += ["--sync-port", str(self.sync_port)]
        environment = dict(os.environ)
        if self.via:
            environment["WAYSTATION_HQ_VIA"] = self.via
        self.process = self.fleet.spawn(words, self.log, environment)
        wait_until(lambda: self.has_said(until), f"{self.name} is {until}", seconds)

    def has_said(self, word):
        if not self.running():
            raise Trouble(f"{self.name} ended with {self.process.returncode} instead of being "
                          f"ready: {self.log.with_suffix('.err').read_text()[-600:]}")
        return f"{word} https://" in self.log.read_text()

    def kill(self):
        """SIGKILL, as a power cut would end it."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; answers the exit code."""
        if self.running():
            self.process.terminate()
        return self.process.wait(timeout=20)

    def api(self, user):
        return Api(self.port, user, self.passwords[user])

    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def enrol(self, headquarters, address="127.0.0.1", by_stick=False):
        token = self.fleet.folder / f"{self.name}.token"
        headquarters.command("hq", "issue-token", "--office", self.name, "--out", token)
        how = ("--hq", f"https://{address}:{headquarters.port}")
        if by_stick:
            request, answer = token.with_suffix(".join"), token.with_suffix(".answer")
            self.command("enrol", "--token", token, "--request", request)
            headquarters.command("hq", "admit", "--request", request, "--out", answer)
            how += ("--answer", answer)
        self.command("enrol", "--token", token, *how)


class Line:
    """slow_link.py between an office and headquarters, on one port all its life."""

    def __init__(self, fleet, target_port):
        self.fleet = fleet
        self.target_port = target_port
        self.port = 0
        self.before = {"up": 0, "down": 0, "connections": 0, "refused": 0, "cuts": 0}
        self.process = None
        self.control = None
        self.begin()

    def begin(self, rate=0, rtt_ms=0, cut_after_bytes=()):
        words = [sys.executable, SUPPORT / "slow_link.py", "--listen", str(self.port), "--to",
                 f"127.0.0.1:{self.target_port}", "--control", "0", "--rate", str(rate),
                 "--rtt-ms", str(rtt_ms)]
        if cut_after_bytes:
            words += ["--cut-after-bytes", ",".join(map(str, cut_after_bytes))]
        log = self.fleet.folder / f"line-{secrets.token_hex(4)}.log"
        self.process = self.fleet.spawn(words, log)
        wait_until(lambda: "\n" in log.read_text(), "the relay listens", 30)
        ready = json.loads(log.read_text().splitlines()[0])
        self.port = ready["listen"]
        self.control = socket.create_connection(("127.0.0.1", ready["control"]), 30).makefile("rw")

    def become(self, **quality):
        """Another quality of line on the same port; connections are reset, the counts go on."""
        last = self.counts()
        self.control.write("quit\n")
        self.control.flush()
        self.process.wait(timeout=20)
        self.before = {key: last[key] for key in self.before}
        self.begin(**quality)

    def tell(self, command):
        self.control.write(command + "\n")
        self.control.flush()
        answer = json.loads(self.control.readline())
        return {**answer, **{key: answer[key] + self.before[key] for key in self.before}}

    def counts(self):
        return self.tell("counts")

    def address(self):
        return f"127.0.0.1:{self.port}"


class Fleet:
    """Owns the directory and the processes. Use it with `with`."""

    def __init__(self, binary, keep=False, cheap_keys=False):
        self.binary = str(pathlib.Path(binary).resolve())
        self.keep = keep
        # A passphrase slot that opens quickly is as quickly guessed: for tests only.
        self.init_options = ["--kdf-memory-kib", "64"] if cheap_keys else []
        self.processes = []
        self.folder = None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="waystation-"))  # mode 0700
        return self

    def __exit__(self, *_):
        running = [process for process in self.processes if process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            if process.poll() is None:
                process.kill()
                process.wait()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(self, words, log, environment=None):
        """Call from the main thread only: the child ends with the thread that made it."""
        with open(log, "w") as out, open(log.with_suffix(".err"), "a") as err:
            process = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=err, env=environment, start_new_session=True,
                                       preexec_fn=end_with_parent)
        self.processes.append(process)
        return process

    def headquarters(self):
        """HQ, made and serving."""
        node = Node(self, "HQ", "hq")
        node.make()
        node.start()
        return node

    def office(self, name, headquarters, line=None):
        """An office, made, enrolled and serving, through `line` if one is given."""
        node = Node(self, name, "office")
        node.make()
        node.enrol(headquarters)
        node.via = line.address() if line else None
        node.start()
        return node
