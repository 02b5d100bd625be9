"""Nothing that was imported can be read in the data directory of a node that is switched off."""

import json
import os
import subprocess

import program

CASES = 1000
SHORTEST = 5  # shorter names may stand in random bytes by chance


def names_of(lines):
    cases = [json.loads(line) for line in lines]
    names = set()
    for case in cases:
        for field in ("given_name", "family_name"):
            names.update(word for word in case[field].split()
                         if len(word) >= SHORTEST and word.isascii())
    return sorted(names)


def found_in(data, names, folder):
    """Which names stand in the bytes, as UTF-8 or as UTF-16: of that, every second byte is one of
    the name's."""
    patterns = os.path.join(folder, "names")
    with open(patterns, "w") as file:
        file.write("\n".join(names) + "\n")
    found = set()
    for part in (data, data[0::2], data[1::2]):
        # Not `-o`, which would hide a name that begins inside another: lines, then each name.
        lines = subprocess.run(["grep", "-a", "-F", "-f", patterns], input=part,
                               stdout=subprocess.PIPE, env={"LC_ALL": "C", "PATH": os.defpath},
                               check=False).stdout
        if lines:
            found.update(name for name in names if name.encode() in lines)
    return sorted(found)


class PoweredOff(program.ProgramTest):
    def test_no_imported_name_is_on_the_disk(self):
        lines = program.bench_lines(CASES)
        names = names_of(lines)
        self.assertGreater(len(names), CASES // 2)
        source = os.path.join(self.folder, "cases.jsonl")
        with open(source, "w") as file:
            file.writelines(lines)
        node = self.node("HQ", "hq")
        result = json.loads(self.assertDone(node.run("import", "--as", "cases", source, "--json")))
        self.assertEqual(result["created"], CASES)
        for folder, _, files in os.walk(node.data):
            for file in files:
                with open(os.path.join(folder, file), "rb") as content:
                    self.assertEqual(found_in(content.read(), names, self.folder), [], file)

    def test_the_search_for_names_finds_them_where_they_are(self):
        lines = program.bench_lines(CASES)
        names = names_of(lines)
        for code in ("utf-8", "utf-16-le", "utf-16-be"):
            self.assertEqual(found_in("".join(lines).encode(code), names, self.folder), names)


if __name__ == "__main__":
    program.main()
