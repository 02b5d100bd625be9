"""Sums up what gcov counted for the files of sync/: lines, and branches of join and admission.

Of the branches, those are left out that only an exception takes which no test can cause (memory,
the disk): out of a call, past a `catch` of another kind, and in what is destroyed on the way. The
last are conditions that were never asked on a line that ran; where an `&&` keeps one from being
asked, the condition before it is told.
"""

import glob
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

LEAST_LINES = 95.0
ALL_BRANCHES = ("sync/record.cpp", "sync/context.cpp", "sync/deletion.cpp", "sync/closure.cpp",
                "sync/admission.cpp")


def counted(build):
    """gcov's files, one after the other."""
    for data in glob.glob(f"{build}/CMakeFiles/waystation_sync.dir/sync/*.gcda"):
        command = ["gcov", "--json-format", "--branch-probabilities", "--stdout", data]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        yield from json.loads(text)["files"]


def asked(line):
    """The conditions of a line that were asked, or all where it never ran: their branches' counts."""
    conditions = []
    for branch in line["branches"]:
        if branch["fallthrough"] or not conditions:
            conditions.append([])
        conditions[-1].append(branch)
    for number, condition in enumerate(conditions):
        if any(branch["throw"] for branch in condition):
            continue
        counts = [branch["count"] for branch in condition]
        if any(counts) or line["count"] == 0:
            yield number, counts


def main():
    build = sys.argv[1]
    root = str(Path.cwd()) + "/"
    lines = defaultdict(dict)
    branches = defaultdict(dict)
    texts = {}
    for file in counted(build):
        name = str((Path(build) / file["file"]).resolve()).removeprefix(root)
        if not name.startswith("sync/"):
            continue
        texts.setdefault(name, Path(name).read_text(encoding="utf-8").splitlines())
        for line in file["lines"]:
            number = line["line_number"]
            lines[name][number] = lines[name].get(number, 0) + line["count"]
            if texts[name][number - 1].lstrip().startswith("} catch"):
                continue
            for condition, counts in asked(line):
                for index, count in enumerate(counts):
                    key = (number, line.get("function_name"), condition, index)
                    branches[name][key] = branches[name].get(key, 0) + count
    total = taken = 0
    fails = False
    for name in sorted(lines):
        missed = [number for number, count in lines[name].items() if count == 0]
        total += len(lines[name])
        taken += len(lines[name]) - len(missed)
        text = f"{name:28} lines {100 - 100 * len(missed) / len(lines[name]):5.1f} %"
        if name in ALL_BRANCHES:
            open_ones = sorted({key[0] for key, count in branches[name].items() if count == 0})
            hit = sum(1 for count in branches[name].values() if count)
            text += f"  branches {hit} of {len(branches[name])}"
            if open_ones:
                text += f"  not taken at {open_ones}"
                fails = True
        if missed:
            text += f"  not run {sorted(missed)}"
        print(text)
    share = 100 * taken / max(total, 1)
    print(f"sync/: {taken} of {total} lines, {share:.1f} %")
    sys.exit(1 if fails or share < LEAST_LINES else 0)


if __name__ == "__main__":
    main()
