"""Makes cases and edits for wire_bench, of the shape that cases of the programmes have: the same
from the same seed. Names and words are invented."""

import json
import pathlib
import random
import subprocess
import sys

RECORDS = 1500
SYLLABLES = [a + b + c for a in "b d f g h k l m n p r s t v z ch kh sh th st dr kr pr".split()
             for b in "a e i o u ai ou ea".split() for c in ["", "n", "m", "r", "k", "ng", "st"]]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.words = ["".join(self.random.choices(SYLLABLES, k=self.random.choice([1, 1, 2, 2, 3])))
                      for _ in range(6000)]
        self.weights = [1 / (rank + 3) for rank in range(len(self.words))]
        self.codes = {kind: [kind + "_" + self.word() for _ in range(14)] for kind in
                      ("need", "svc", "type")}

    def word(self):
        return self.random.choices(self.words, self.weights)[0]

    def name(self):
        return self.random.choice(self.words).capitalize()

    def date(self):
        return f"20{self.random.randint(15, 26)}-{self.random.randint(1, 12):02}-" \
               f"{self.random.randint(1, 28):02}"

    def phone(self):
        return "+254 7" + " ".join(f"{self.random.randint(0, 99):02}" for _ in range(4))

    def text(self):
        sentences = []
        for _ in range(self.random.randint(1, 5)):
            words = self.random.choices(self.words, self.weights, k=self.random.randint(3, 14))
            if self.random.random() < 0.3:
                words.insert(1, str(self.random.randint(1, 5000)))
            sentences.append(" ".join(words).capitalize() + ".")
        return " ".join(sentences)

    def some(self, kind):
        return self.random.sample(self.codes[kind], self.random.randint(0, 6))

    def field(self, name):
        makers = {
            "status": lambda: self.random.choice(["new", "open", "in_progress", "on_hold", "closed"]),
            "priority": lambda: self.random.choice(["low", "normal", "high", "urgent"]),
            "next_appt": self.date, "last_contact": self.date, "phone": self.phone,
            "notes": self.text, "plan": self.text, "needs": lambda: self.some("need"),
            "services": lambda: self.some("svc"),
            "caseworker": lambda: self.name().lower() + "." + self.name().lower()}
        return makers[name]()

    def record(self, number):
        record = {
            "id": "%08x-%04x-4%03x-8%03x-%012x" % tuple(
                self.random.getrandbits(bits) for bits in (32, 16, 12, 12, 48)),
            "case_no": f"KE-{self.random.randint(1, 40):03}-{number:06}",
            "given_name": self.name(), "family_name": self.name(), "mother_name": self.name(),
            "sex": self.random.choice("MF"), "dob": self.date(), "language": self.name(),
            "office": self.random.choice(["KE-GIM", "SO-CHA", "ET-DIR", "UG-KLA"]),
            "case_type": self.random.choice(self.codes["type"]), "registered_on": self.date(),
            "locality": self.name(), "household_size": self.random.randint(1, 12),
            "alt_phone": self.phone() if self.random.random() < 0.4 else "",
            "summary": self.text(), "assessment": self.text()}
        for name in ("status", "priority", "next_appt", "last_contact", "phone", "notes", "plan",
                     "needs", "services", "caseworker"):
            record[name] = self.field(name)
        return record

    def edits(self, rows, names):
        return [{"i": row, "field": self.random.choice(names)} for row in rows]

    def filled(self, edits):
        return [edit | {"value": self.field(edit["field"])} for edit in edits]


def make(folder, records=RECORDS, seed=7):
    """Writes cases-10000.jsonl.zst (as wire_bench calls it) and edits.json into the folder."""
    maker = Maker(seed)
    lines = "".join(json.dumps(maker.record(number), separators=(",", ":")) + "\n"
                    for number in range(records))
    (folder / "cases-10000.jsonl.zst").write_bytes(
        subprocess.run(["zstd", "-qc"], input=lines.encode(), stdout=subprocess.PIPE,
                       check=True).stdout)
    any_field = ["status"] * 4 + ["next_appt"] * 4 + ["last_contact"] * 4 + ["notes"] * 3 + [
        "phone", "services", "plan", "needs"]
    rows = maker.random.sample(range(records), records)
    texts = {"W4": rows[:1000], "W7": rows[300:1300]}
    edits = {name: maker.filled(maker.edits(some, any_field)) for name, some in texts.items()}
    edits["W3"] = maker.filled([{"i": rows[1], "field": "caseworker"}])
    both = rows[200:700]
    edits["W5"] = {"office": maker.filled(maker.edits(both, ["phone", "notes"])),
                   "hq": maker.filled(maker.edits(both, ["next_appt", "plan"]))}
    same = rows[700:900]
    edits["W6"] = {"office": maker.filled(maker.edits(same, ["phone"])),
                   "hq": maker.filled(maker.edits(same, ["phone"]))}
    (folder / "edits.json").write_text(json.dumps(edits))


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]))
