"""Headquarters and an office that joins by stick and exchanges only by bundles, both ways, until
they agree: one bundle is lost, one read twice, others are damaged, cut or come late. Then the same
pair over the link: nothing is lost, and nothing has to go again."""

import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import nodes  # noqa: E402

SAVES = 40
CHANGES = SAVES + 1  # and the account of who saves
CASES = 60


class Pair:
    """HQ and an office whose link is held from its first start on."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.wrong = []
        self.headquarters = fleet.headquarters()
        self.headquarters.add_user("officer", "hq-officer")
        self.office = self.make_office("NBO", by_stick=True)
        self.other = self.make_office("MBA")
        self.at_hq = self.headquarters.api("officer")
        self.at_office = self.office.api("caseworker")
        self.serial = 0

    def make_office(self, name, by_stick=False):
        office = nodes.Node(self.fleet, name, "office")
        office.make()
        office.enrol(self.headquarters, by_stick=by_stick)
        office.command("sync", "pause")
        office.start()
        office.add_user("caseworker", "caseworker")
        return office

    def claim(self, holds, sentence):
        print(("" if holds else "FAILED: ") + sentence, flush=True)
        if not holds:
            self.wrong.append(sentence)

    def write(self, node, to):
        self.serial += 1
        file = self.fleet.folder / f"stick-{self.serial}.wsbundle"
        told = node.command("bundle", "write", "--to", to, file)[-1]
        self.claim(file.stat().st_size == told["bytes"] and (told["changes"] == 0 or told["entries"] == 0),
                   f"{node.name} wrote {told['changes']} changes, {told['entries']} entries for "
                   f"{to} in {told['bytes']:,} bytes")
        return file

    def read(self, node, file):
        return node.command("bundle", "read", file)[-1]

    def refused(self, node, file, code):
        done = nodes.subprocess.run(
            [self.fleet.binary, "bundle", "read", "--data", node.folder, file],
            capture_output=True, text=True, timeout=120, check=False)
        self.claim(done.returncode == 1 and done.stderr.strip().endswith(f"[{code}]"),
                   f"refused: {done.stderr.strip()}")

    def up(self):
        return self.read(self.headquarters, self.write(self.office, "HQ"))

    def down(self):
        return self.read(self.office, self.write(self.headquarters, "NBO"))

    def waiting(self):
        return self.at_office.get("sync")["backlogUp"]

    def everything(self, api):
        records = [*api.all_records("kind=person"), *api.all_records("kind=case_file")]
        return {record["id"]: (record["fields"], record["conflicts"], record["tag"])
                for record in records}


def save_at_both(pair):
    names = {}
    for number in range(SAVES):
        answer = pair.at_office.save({"record": "new:1", "kind": "person",
                                      "fields": {"given_name": f"Person {number}"}})
        names[answer["records"]["new:1"]["id"]] = f"Person {number}"
    file = pair.fleet.folder / "cases.jsonl"
    file.write_text("".join(json.dumps({"case_no": f"X-{number}", "given_name": "Hawa",
                                        "summary": f"Case {number}"}) + "\n"
                            for number in range(CASES)))
    pair.headquarters.command("import", "--as", "cases", "--custody", "NBO", file)
    return names


def damaged_copies(pair, file):
    bytes_ = bytearray(file.read_bytes())
    for at in (20, 300, len(bytes_) // 2, len(bytes_) - 1):
        copy = pair.fleet.folder / f"flipped-{at}.wsbundle"
        flipped = bytearray(bytes_)
        flipped[at] ^= 4
        copy.write_bytes(flipped)
        pair.refused(pair.headquarters, copy, "bundle.damaged")
    cut = pair.fleet.folder / "cut.wsbundle"
    cut.write_bytes(bytes_[:-1])
    pair.refused(pair.headquarters, cut, "bundle.truncated")
    foreign = pair.fleet.folder / "foreign.wsbundle"
    foreign.write_bytes(b"a photo, perhaps" * 5000)
    pair.refused(pair.headquarters, foreign, "bundle.not-a-bundle")
    pair.refused(pair.other, file, "bundle.not-for-this-node")


def by_stick(pair):
    names = save_at_both(pair)
    pair.write(pair.office, "HQ")  # lost
    pair.claim(pair.waiting() == CHANGES, "what is in a lost bundle waits to go up all the same")
    first = pair.write(pair.office, "HQ")
    damaged_copies(pair, first)
    pair.claim(pair.everything(pair.at_hq).keys().isdisjoint(names), "none of that came in")
    dry = pair.headquarters.command("bundle", "read", "--dry-run", first)[-1]
    pair.claim(dry["state"] == "verified", "a dry run verifies it")
    read = pair.read(pair.headquarters, first)
    pair.claim(read["state"] == "applied" and read["changes"] == CHANGES, f"read: {read}")
    again = pair.read(pair.headquarters, first)
    pair.claim(again["state"] == "read-before", f"read again: {again['state']}")
    pair.claim(pair.waiting() == CHANGES, "nothing counts as brought before it is acknowledged")
    down = pair.down()
    pair.claim(down["changes"] >= CASES and down["acknowledged"], f"down: {down}")
    pair.claim(pair.waiting() == 0, "and now it is")
    return names


def edit_apart(pair, names):
    one, two = list(names)[:2]
    tags = {record: pair.at_office.record(record)["tag"] for record in (one, two)}
    for api, side in ((pair.at_office, "office"), (pair.at_hq, "HQ")):
        api.save({"record": one, "kind": "person", "fields": {"given_name": f"by {side}"},
                  "seen": tags[one]})
    pair.at_office.save({"record": two, "kind": "person", "fields": {"family_name": "Ali"},
                         "seen": tags[two]})
    late = pair.write(pair.headquarters, "NBO")
    agreed = None
    for _ in range(4):
        pair.up()
        agreed = pair.down()["agree"]
    pair.claim(agreed is True, "both say that they hold the same")
    stale = pair.read(pair.office, late)
    pair.claim(stale["state"] == "nothing-new", f"one that comes late: {stale['state']}")
    for api in (pair.at_office, pair.at_hq):
        found = {sibling["value"] for sibling in api.record(one)["conflicts"]["given_name"]}
        pair.claim(found == {"by office", "by HQ"}, "a conflict shows both values")


def by_link(pair):
    pair.office.command("sync", "resume")
    done = pair.office.command("sync", "now")[-1]
    pair.claim(done["changesUp"] == 0 and done["changesDown"] == 0,
               f"over the link nothing has to go again: {done}")
    nodes.wait_until(lambda: pair.at_office.get("sync")["agree"] is True, "they agree by link too")
    pair.at_office.save({"record": "new:1", "kind": "person", "fields": {"given_name": "Last"}})
    pair.office.command("sync", "now")
    at_hq, at_office = pair.everything(pair.at_hq), pair.everything(pair.at_office)
    pair.claim(at_hq == at_office and len(at_hq) == CASES + SAVES + 1,
               f"HQ and the office hold the same {len(at_hq)} persons and cases")
    pair.claim(pair.at_hq.get("sync")["quarantined"] == 0, "nothing is in quarantine")


def onto_a_full_stick(pair):
    """A folder takes files that name themselves; what can't be written leaves nothing behind."""
    folder = pair.fleet.folder / "stick"
    folder.mkdir()
    pair.headquarters.command("bundle", "write", "--to", "NBO,MBA", folder)
    named = sorted(file.name.split("-2")[0] for file in folder.iterdir())
    pair.claim(named == ["HQ-to-MBA", "HQ-to-NBO"], f"a file for each office: {named}")
    shutil.rmtree(folder)
    done = nodes.subprocess.run(
        [pair.fleet.binary, "bundle", "write", "--data", pair.office.folder, "--to", "HQ",
         folder / "gone.wsbundle"], capture_output=True, text=True, timeout=120, check=False)
    pair.claim(done.returncode == 1 and "[bundle.not-written]" in done.stderr,
               f"no stick: {done.stderr.strip()}")


def main():
    with nodes.Fleet(sys.argv[1], cheap_keys=True) as fleet:
        pair = Pair(fleet)
        names = by_stick(pair)
        edit_apart(pair, names)
        onto_a_full_stick(pair)
        by_link(pair)
        wrong = pair.wrong
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
