"""The line is cut at 25 random bytes of real exchanges that carry 200 changes each way; in the end
office and headquarters agree, and everything that either acknowledged is at both.

Give a number as second argument to repeat a run."""

import json
import pathlib
import random
import secrets
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import nodes  # noqa: E402

CUTS = 25
CHANGES = 200
MOST_ROUNDS = 60


class Pair:
    """HQ and an office whose link is held while both write, so that all of it goes at once."""

    def __init__(self, fleet, seed):
        self.fleet = fleet
        self.random = random.Random(seed)
        self.headquarters = fleet.headquarters()
        self.headquarters.add_user("officer", "hq-officer")
        self.line = nodes.Line(fleet, self.headquarters.sync_port)
        self.office = fleet.office("NBO", self.headquarters, self.line)
        self.office.add_user("caseworker", "caseworker")
        self.at_hq = self.headquarters.api("officer")
        self.at_office = self.office.api("caseworker")
        self.saved = {}     # at the office: record id -> given name, of every acknowledged save
        self.imported = {}  # at HQ: case number -> summary
        self.rounds = 0

    def write(self):
        """200 changes to go up and 200 to come down."""
        self.rounds += 1
        self.office.command("sync", "pause")
        for _ in range(CHANGES):
            name = self.words(3)
            answer = self.at_office.save(
                {"record": "new:1", "kind": "person", "fields": {"given_name": name}})
            self.saved[answer["records"]["new:1"]["id"]] = name
        rows = [{"case_no": f"X-{self.rounds}-{number}", "given_name": self.words(1),
                 "summary": self.words(12)} for number in range(CHANGES)]
        file = self.fleet.folder / f"cases-{self.rounds}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.headquarters.command("import", "--as", "cases", "--custody", "NBO", file)
        self.imported |= {row["case_no"]: row["summary"] for row in rows}
        self.office.command("sync", "resume")

    def words(self, count):
        return " ".join("".join(self.random.choices("abdefghiklmnoprstuvyz", k=6))
                        for _ in range(count))

    def exchange(self):
        """Without waiting for the office's own next try, which is put off after each failure."""
        self.office.command("sync", "now", check=False)

    def waiting(self):
        return self.at_office.get("sync")["backlogUp"]

    def agrees(self):
        link = self.at_office.get("sync")
        return link["backlogUp"] == 0 and link["agree"] is True

    def settle(self):
        def settled():
            self.exchange()
            return self.agrees()
        nodes.wait_until(settled, "office and headquarters agree", 120)

    def everything(self, api):
        """{record id: its fields and tag} of the persons and cases, and the case numbers."""
        records = [*api.all_records("kind=person"), *api.all_records("kind=case_file")]
        return {record["id"]: (record["fields"], record["conflicts"], record["tag"])
                for record in records}


def cut_through(pair):
    """Exchanges under cuts; answers how many changes still waited after each."""
    pair.write()
    before = pair.line.counts()
    pair.settle()
    after = pair.line.counts()
    whole = after["up"] + after["down"] - before["up"] - before["down"]
    offsets = [pair.random.randint(1, whole) for _ in range(CUTS)]
    print(f"an exchange of {CHANGES} changes each way takes {whole} B on the wire; cuts after "
          f"{', '.join(map(str, offsets))} B")
    # Counted from before the new line: the office may have met a cut on it before we can ask.
    begun, seen, waited = after["cuts"], 0, []
    pair.line.become(cut_after_bytes=offsets)
    while seen < CUTS and pair.rounds < MOST_ROUNDS:
        if pair.waiting() == 0:
            pair.write()
        pair.exchange()
        if pair.line.counts()["cuts"] - begun > seen:
            seen = pair.line.counts()["cuts"] - begun
            waited.append(pair.waiting())
    return seen, waited


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(1 << 32)
    print(f"seed {seed}")
    with nodes.Fleet(sys.argv[1], cheap_keys=True) as fleet:
        pair = Pair(fleet, seed)
        cuts, waited = cut_through(pair)
        pair.settle()
        print(f"{cuts} cuts in {pair.rounds} rounds; changes still to go up after each: "
              f"{', '.join(map(str, waited))}")
        at_hq, at_office = pair.everything(pair.at_hq), pair.everything(pair.at_office)
        quarantined = pair.at_office.get("sync")["quarantined"]
    wrong = []
    lost = [record for record, name in pair.saved.items()
            if at_hq.get(record, ({},))[0].get("given_name") != name]
    summaries = {fields["case_no"]: fields["summary"] for fields, *_ in at_office.values()
                 if "case_no" in fields}
    if cuts < CUTS:
        wrong.append(f"only {cuts} of {CUTS} cuts came about")
    if lost:
        wrong.append(f"{len(lost)} of {len(pair.saved)} acknowledged saves are not at HQ")
    if summaries != pair.imported:
        wrong.append(f"the office holds {len(summaries)} of {len(pair.imported)} cases, or others")
    if at_hq != at_office:
        wrong.append(f"HQ holds {len(at_hq)} records, the office {len(at_office)}, or they differ")
    if quarantined:
        wrong.append(f"{quarantined} changes are in quarantine")
    print(f"{len(pair.saved)} saves went up, {len(pair.imported)} cases came down")
    for sentence in wrong:
        print("FAILED: " + sentence)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
