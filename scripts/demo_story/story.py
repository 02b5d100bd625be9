"""The story that `demo --once` plays, step by step. Every sentence of the table is printed only if
it was seen to be so; a claim that does not hold is printed as such and the program ends with 1."""

import hashlib
import http.client
import json
import random
import threading

import nodes
from world import IMPORTS, OFFICES

CASES = 10_000
NEW_AT_NBO = 150   # enough that a line of 64 kbit/s is busy for a while
NEW_AT_MBA = 40
SAVES_BEFORE_KILL = 5
NARROW = {"rate": 64_000, "rtt_ms": 600, "cut_after_bytes": (20_000, 12_000)}
LINK_SECONDS = 600
STORY_KINDS = ("case_file", "person", "avrr_case", "dtm_round")
SYLLABLES = "ka ri mo ta lu se ni wa dho be zi ya gor ant ish ul em or".split()
LEFT, RIGHT = "Settled with the landlord on site.", "The landlord has not been reached."


class Ledger:
    """Every save that a node acknowledged: which record, field and value, and where."""

    def __init__(self):
        self.entries = []
        self.changes = 0

    def add(self, office, answer, values):
        """`values`: {name in the request: fields} of one acknowledged change."""
        self.changes += 1
        for name, fields in values.items():
            record = answer["records"][name]["id"]
            self.entries += [(office, record, field, value) for field, value in fields.items()]


def names_itself(value):
    return isinstance(value, str) and value.startswith("urn:uuid:new:")


class Story:
    """Plays the steps in a World and tells them to a Table."""

    def __init__(self, world, table):
        self.world = world
        self.table = table
        self.ledger = Ledger()
        self.random = random.Random(20)
        self.shared = []     # ids of imported cases that both NBO and MBA hold
        self.handed = None   # the case that is handed over
        self.serial = 0
        self.sticks = 0

    def play(self):
        steps = [
            ("start", self.start), ("import", self.import_all), ("all sync", self.sync_all),
            ("links cut", self.cut), ("new persons and cases", self.register),
            ("edits made apart", self.edit_apart), ("killed with -9", self.kill),
            ("NBO: narrow line", self.narrow), ("MBA: stick", self.stick),
            ("all converge", self.converge), ("conflict", self.conflict),
            ("hand-over", self.hand_over), ("digests", self.digests),
            ("nothing lost", self.nothing_lost)]
        self.table.head()
        for name, step in steps:
            self.table.row(name, step)

    # Steps; each answers how many records and changes it made.

    def start(self, tell, claim):
        self.world.begin()
        states = [self.world.link("HQ")["state"]]
        nodes.wait_until(lambda: all(self.world.link(name)["state"] == "connected"
                                     for name in OFFICES), "the offices are connected")
        claim(states == ["hub"], "HQ serves as the hub")
        tell(f"{', '.join(OFFICES)} enrolled, each over a line of its own, and connected")
        return 0, 0

    def import_all(self, tell, claim):
        created = 0
        for where, kind, path, more in IMPORTS:
            result = self.world.import_file(where, kind, path, more)
            created += result["created"]
            tell(f"{result['created']:,} {kind} of {result['rows']:,} rows at {where}"
                 + (f", {result['rejected']:,} rejected" if result["rejected"] else ""))
            claim(result["created"] > 0, f"{kind} came in")
        return created, created

    def sync_all(self, tell, claim):
        self.world.settle(seconds=LINK_SECONDS)
        claim(all(self.world.agrees(name) for name in OFFICES),
              "all three offices agree with HQ, nothing waits")
        pictures = {name: self.picture(name, "case_file") for name in ("HQ", "NBO", "MBA")}
        claim(len(pictures["HQ"]) == CASES and pictures["HQ"] == pictures["NBO"] == pictures["MBA"],
              f"HQ, NBO and MBA hold the same {CASES:,} cases, read record by record")
        at_hq, at_kis = self.picture("HQ", "dtm_round"), self.picture("KIS", "dtm_round")
        claim(at_hq and at_hq == at_kis, f"HQ and KIS the same {len(at_kis):,} DTM rows")
        self.shared = sorted(pictures["NBO"])[:3]
        return 0, 0

    def cut(self, tell, claim):
        for name in ("NBO", "MBA"):
            claim(not self.world.lines[name].tell("cut")["linked"], f"{name} cut off")
        for name in ("NBO", "MBA"):
            # An office notices when it wants something of headquarters.
            self.world.nodes[name].command("sync", "now", check=False)
            nodes.wait_until(lambda office=name: self.world.link(office)["state"] == "offline",
                             f"{name} notices that its link is down")
        tell("both say that they are offline")
        return 0, 0

    def register(self, tell, claim):
        total = 0
        for name, count in (("NBO", NEW_AT_NBO), ("MBA", NEW_AT_MBA)):
            api = self.world.api(name)
            for _ in range(count):
                answer, _ = self.register_one(name, api)
            case = api.record(answer["records"]["new:2"]["id"])
            claim(answer["durability"] == case["durability"] == "office",
                  f"{name} saved {count} persons with their cases over HTTPS, each durable \"at "
                  "this office\"")
            total += count
        return 2 * total, total

    def register_one(self, office, api):
        """One change that makes a person and a case of hers."""
        edits, values = self.person_with_case(office)
        answer = api.save(*edits)
        self.ledger.add(office, answer, values)
        return answer, values

    def person_with_case(self, office):
        self.serial += 1
        person = {"given_name": self.word(), "family_name": self.word(),
                  "registration_number": f"{office}-P{self.serial:05}"}
        case = {"case_number": f"{office}-{self.serial:05}", "person": "urn:uuid:new:1",
                "stage": "application",
                "counselling_notes": " ".join(self.word().lower() for _ in range(90))}
        return ([{"record": "new:1", "kind": "person", "fields": person},
                 {"record": "new:2", "kind": "avrr_case", "fields": case}],
                {"new:1": person, "new:2": case})

    def word(self):
        return "".join(self.random.choices(SYLLABLES, k=self.random.randint(2, 4))).capitalize()

    def edit_apart(self, tell, claim):
        different, same, self.handed = self.shared
        self.edit("NBO", different, {"phone": "+254 700 111 222"})
        self.edit("MBA", different, {"locality": "Likoni"})
        self.edit("NBO", same, {"notes": LEFT})
        self.edit("MBA", same, {"notes": RIGHT})
        claim(self.world.api("NBO").record(same)["fields"]["notes"] == LEFT
              and self.world.api("MBA").record(same)["fields"]["notes"] == RIGHT,
              "one case edited in different fields (phone, locality), another in the same (notes)")
        return 2, 4

    def edit(self, office, record, fields, api=None):
        api = api or self.world.api(office)
        before = api.record(record)
        answer = api.save({"record": record, "kind": before["kind"], "fields": fields,
                           "seen": before["tag"]})
        self.ledger.add(office, answer, {record: fields})

    def kill(self, tell, claim):
        node = self.world.nodes["MBA"]
        saver = Saver(self, node)
        saver.start()
        nodes.wait_until(lambda: saver.saved >= SAVES_BEFORE_KILL or not saver.is_alive(),
                         "MBA saves")
        saver.sent.clear()
        # Set when the next save is on its way and its answer is not yet read.
        in_flight = saver.sent.wait(timeout=30)
        node.kill()
        saver.join(timeout=30)
        claim(in_flight and saver.broken is not None, "MBA killed with a save on its way")
        node.start()
        self.world.forget_sessions("MBA")
        held = [record for record in self.ledger_of("MBA")]
        lost = [entry for entry in held if not self.holds("MBA", entry)]
        claim(not lost, f"started again, it holds all {len(held):,} values of its "
                        f"{NEW_AT_MBA + saver.saved + 2} acknowledged saves")
        tell("the save in flight is " + self.fate_of(saver.broken, claim))
        return 2 * saver.saved, saver.saved

    def fate_of(self, values, claim):
        """Whether an unacknowledged save of a person and a case is there: both or neither."""
        if values is None:
            return "unknown"
        number = values["new:2"]["case_number"]
        cases = [record for record in self.world.api("MBA").all_records(f"kind=avrr_case&q={number}")
                 if record["fields"]["case_number"] == number]
        number = values["new:1"]["registration_number"]
        persons = [record for record in self.world.api("MBA").all_records(f"kind=person&q={number}")
                   if record["fields"].get("registration_number") == number]
        claim(len(cases) == len(persons) <= 1, "a change is whole or not at all")
        return "there, whole" if cases else "not there, no part of it"

    def narrow(self, tell, claim):
        waiting = self.cut_twice(self.world.lines["NBO"], self.world.nodes["NBO"])
        claim(len(waiting) >= 2 and min(waiting) > 0,
              "64 kbit/s, 600 ms; cut twice in the middle of the exchange, with "
              f"{' and '.join(map(str, waiting))} changes still to go")
        self.world.settle(["NBO"], LINK_SECONDS)
        claim(self.world.agrees("NBO"), "then NBO agrees with HQ")
        return 0, 0

    def cut_twice(self, line, node):
        """Lets NBO try over the narrow line; answers what still waited at each cut."""
        line.become(**NARROW)
        seen, waiting, tries = line.counts()["cuts"], [], []

        def over():
            nonlocal seen
            if not tries or tries[-1].poll() is not None:
                tries.append(node.begin("sync", "now"))
            if line.counts()["cuts"] > seen:
                seen = line.counts()["cuts"]
                waiting.append(self.world.link("NBO")["backlogUp"])
            return len(waiting) == len(NARROW["cut_after_bytes"]) or self.world.agrees("NBO")
        nodes.wait_until(over, "the narrow line is cut twice", LINK_SECONDS)
        return waiting

    def stick(self, tell, claim):
        office, headquarters = self.world.nodes["MBA"], self.world.nodes["HQ"]
        waiting = self.world.link("MBA")["backlogUp"]
        self.bundle(office, "HQ")  # lost on the way
        first = self.bundle(office, "HQ")
        read = headquarters.command("bundle", "read", first)[-1]
        claim(read["state"] == "applied" and read["changes"] == waiting > 0,
              f"MBA's {waiting:,} changes come by stick ({first.stat().st_size / 1e6:.1f} MB), "
              "after one that was lost")
        again = headquarters.command("bundle", "read", first)[-1]
        claim(again["state"] == "read-before", "read twice it changes nothing")
        claim(self.world.link("MBA")["backlogUp"] == waiting, "MBA waits for the acknowledgement")
        for _ in range(4):
            back = office.command("bundle", "read", self.bundle(headquarters, "MBA"))[-1]
            if back["agree"]:
                break
            headquarters.command("bundle", "read", self.bundle(office, "HQ"))
        claim(back["agree"] is True and self.world.link("MBA")["backlogUp"] == 0,
              "it comes back by stick; MBA and HQ agree without a line")
        claim(self.world.lines["MBA"].tell("restore")["linked"], "the link is back")
        return 0, 0

    def bundle(self, node, to):
        """Writes one; answers the file."""
        self.sticks += 1
        file = self.world.fleet.folder / f"{node.name}-{self.sticks}.wsbundle"
        node.command("bundle", "write", "--to", to, file)
        return file

    def converge(self, tell, claim):
        self.world.settle(seconds=LINK_SECONDS)
        claim(all(self.world.agrees(name) for name in OFFICES), "all agree with HQ, nothing waits")
        different = self.shared[0]
        merged = [self.world.api(name).record(different) for name in ("HQ", "NBO", "MBA")]
        claim(all(record["fields"]["phone"] == "+254 700 111 222"
                  and record["fields"]["locality"] == "Likoni" and not record["conflicts"]
                  for record in merged),
              "edits of different fields are joined at HQ, NBO and MBA without a question")
        return 0, 0

    def conflict(self, tell, claim):
        same = self.shared[1]
        for name in ("HQ", "NBO", "MBA"):
            siblings = self.world.api(name).record(same)["conflicts"].get("notes", [])
            shown = {(sibling["value"], sibling["office"]) for sibling in siblings}
            claim(shown == {(LEFT, "NBO"), (RIGHT, "MBA")}, f"{name} shows both values")
            listed = {record["id"] for record in self.world.api(name).get("conflicts")["records"]}
            claim(same in listed, f"{name} lists the case")
        self.edit("NBO", same, {"notes": RIGHT}, self.world.api("NBO", "supervisor"))
        self.world.settle(seconds=LINK_SECONDS)
        settled = [self.world.api(name).record(same) for name in ("HQ", "NBO", "MBA")]
        claim(all(not record["conflicts"] and record["fields"]["notes"] == RIGHT
                  for record in settled), "settled at NBO with MBA's value: so at all three")
        return 1, 1

    def hand_over(self, tell, claim):
        case = self.handed
        self.world.api("NBO", "supervisor").post(
            "handovers", {"root": case, "to": "KIS", "why": "The family has moved to Kisumu."})
        nodes.wait_until(lambda: self.world.api("KIS").record(case), "the case is at KIS")
        nodes.wait_until(lambda: self.world.api("NBO").record(case) is None,
                         "the case is gone from NBO")
        claim(self.world.api("KIS").record(case)["custody"] == "KIS",
              "KIS has the case in its custody, NBO holds it no more")
        self.edit("KIS", case, {"locality": "Kisumu"})
        self.world.settle(seconds=LINK_SECONDS)
        claim(self.world.api("HQ").record(case)["fields"]["locality"] == "Kisumu",
              "and KIS works on with it")
        return 1, 2

    def digests(self, tell, claim):
        claim(all(self.world.agrees(name) for name in OFFICES),
              "the digest of all three offices is HQ's")
        at_hq, held = {}, {name: {} for name in OFFICES}
        for kind in STORY_KINDS:
            at_hq |= self.picture("HQ", kind)
            for name in OFFICES:
                held[name] |= self.picture(name, kind)
        for name, records in held.items():
            strange = sum(at_hq.get(record) != state for record, state in records.items())
            claim(not strange and records, f"{name}'s {len(records):,} records read one by one "
                                           "are as HQ's")
        claim(self.handed in held["KIS"] and self.handed not in held["NBO"],
              "the handed case among KIS's, not NBO's")
        return 0, 0

    def nothing_lost(self, tell, claim):
        lost = [entry for entry in self.ledger.entries if not self.holds("HQ", entry)]
        claim(not lost, f"all {self.ledger.changes:,} acknowledged saves "
                        f"({len(self.ledger.entries):,} values) are in HQ's records or their "
                        "history")
        for office, record, field, _ in lost[:5]:
            claim(False, f"{field} of {record}, saved at {office}, is not at HQ")
        return 0, 0

    # What the steps look things up with.

    def ledger_of(self, office):
        return [entry for entry in self.ledger.entries if entry[0] == office]

    def holds(self, where, entry):
        """Whether a node has an acknowledged value, as the current one or in the history."""
        _, record_id, field, value = entry
        api = self.world.api(where)
        record = api.record(record_id)
        if record is None:
            return False
        if names_itself(value):
            person = record["fields"].get(field, "")
            return person.startswith("urn:uuid:") and api.record(person.split(":")[-1]) is not None
        if record["fields"].get(field) == value:
            return True
        history = api.get(f"records/{record_id}/history")["entries"]
        return any(change["fields"].get(field, {}).get("value") == value for change in history)

    def picture(self, where, kind):
        """{record id: hash of all that the API shows of its fields, conflicts and tag}."""
        def state(record):
            shown = [record[part] for part in ("kind", "root", "fields", "conflicts", "tag")]
            return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
        return {record["id"]: state(record)
                for record in self.world.api(where).all_records(f"kind={kind}")}


class Saver(threading.Thread):
    """Saves one person with a case after the other at MBA until the server is gone."""

    def __init__(self, story, node):
        super().__init__()
        self.story = story
        self.api = node.api("caseworker")
        self.saved = 0
        self.sent = threading.Event()
        self.broken = None  # what was sent and never acknowledged

    def run(self):
        while True:
            edits, values = self.story.person_with_case("MBA")
            try:
                self.api.send("POST", "changes", {"edits": edits})
                self.sent.set()
                answer = self.api.receive("POST", "changes")
            except (OSError, http.client.HTTPException):
                self.broken = values
                return
            self.story.ledger.add("MBA", answer, values)
            self.saved += 1
