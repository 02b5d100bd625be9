"""The demonstration's world: headquarters and three offices, each behind a line of its own, with
the people who work there."""

import threading

import nodes

OFFICES = ("NBO", "MBA", "KIS")
IMPORTS = (("HQ", "pcodes", "pcodes/global-pcodes-adm-1-2.csv", ()),
           ("HQ", "cases", "bench/cases-10000.jsonl.zst", ("--custody", "NBO", "--share", "MBA")),
           ("KIS", "dtm", "dtm/global-iom-dtm-admin-0-to-2.csv", ()))


class World:
    """The four nodes and the lines; made by begin()."""

    def __init__(self, fleet, data):
        self.fleet = fleet
        self.data = data
        self.nodes = {}
        self.lines = {}
        self.sessions = {}

    def begin(self):
        headquarters = self.fleet.headquarters()
        self.nodes["HQ"] = headquarters
        headquarters.add_user("officer", "hq-officer")
        for name in OFFICES:
            self.lines[name] = nodes.Line(self.fleet, headquarters.sync_port)
            self.nodes[name] = self.fleet.office(name, headquarters, self.lines[name])
            self.nodes[name].add_user("caseworker", "caseworker")
            self.nodes[name].add_user("supervisor", "supervisor")

    def offices(self):
        return [self.nodes[name] for name in OFFICES]

    def api(self, name, user=None):
        """The main thread's session of a person at a node."""
        user = user or ("officer" if name == "HQ" else "caseworker")
        if (name, user) not in self.sessions:
            self.sessions[name, user] = self.nodes[name].api(user)
        return self.sessions[name, user]

    def forget_sessions(self, name):
        """After a restart everybody signs in again."""
        self.sessions = {key: session for key, session in self.sessions.items() if key[0] != name}

    def import_file(self, where, kind, path, more):
        """Imports one of the real files; answers the program's count."""
        return self.nodes[where].command("import", "--as", kind, *more, "--rejects",
                                         self.fleet.folder / f"{kind}.rejects",
                                         self.data / path)[-1]

    def link(self, name):
        return self.api(name).get("sync")

    def agrees(self, name):
        """Whether an office has sent all, and its digest is headquarters'."""
        link = self.link(name)
        return link["backlogUp"] == 0 and link["agree"] is True

    def settle(self, names=OFFICES, seconds=300):
        """Exchanges until the offices named have sent all, hold all, and agree with HQ."""
        def quiet():
            # One office's change may be another's news, so all must agree in the same round.
            for name in names:
                self.nodes[name].command("sync", "now")
            return all(self.agrees(name) for name in names)
        nodes.wait_until(quiet, f"{', '.join(names)} agree with headquarters", seconds)


class Meter:
    """Counts what goes over the lines: TCP payload from the relays, round trips
    and changes from what the offices say of their exchanges. Polls in a thread, since a server
    remembers only its last 50."""

    def __init__(self, world):
        self.world = world
        self.seen = {}
        self.sessions = {}
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.poll)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def poll(self):
        while not self.ended.wait(0.2):
            self.look()

    def look(self):
        with self.lock:
            for name in OFFICES:
                self.look_at(name)

    def look_at(self, name):
        node = self.world.nodes.get(name)
        if node is None or not node.running() or "caseworker" not in node.passwords:
            return
        key = (name, node.process.pid)
        try:
            if key not in self.sessions:
                self.sessions[key] = node.api("caseworker")
            for exchange in self.sessions[key].get("sync")["exchanges"]:
                self.seen[name, exchange["at"], exchange["up"], exchange["down"]] = (
                    exchange["changesUp"] + exchange["changesDown"], exchange["roundTrips"])
        except (OSError, nodes.Refused, nodes.http.client.HTTPException):
            # Killed, or not yet ready: what it says next time counts.
            self.sessions.pop(key, None)

    def read(self):
        """Changes moved, bytes up, bytes down, round trips, of all offices since the beginning."""
        self.look()
        counts = [line.counts() for line in list(self.world.lines.values())]
        return (sum(moved for moved, _ in self.seen.values()),
                sum(count["up"] for count in counts), sum(count["down"] for count in counts),
                sum(trips for _, trips in self.seen.values()))
