"""Nothing that was imported can be read on the disk of a node that is switched off."""

import json
import os
import subprocess
from pathlib import Path
from unittest import mock

import program

CASES = int(os.environ.get("WAYSTATION_CASES", "1000"))
DATA_CASES = 10000  # that many there are; more are made of these, under names of their own
SUFFIXES = ["", "azu", "ezu", "izu", "ozu", "uzu", "yzu", "lzu", "mzu", "nzu", "rzu"]
# Shorter names may stand in random bytes by chance, the more of them the more bytes there are.
SHORTEST = 5 if CASES <= DATA_CASES else 8
SAVES = 50
program.PATIENCE += CASES // 50  # a large import takes its time
PART = 64 * 1024 * 1024
DISK_BYTES = 64 * 1024 * 1024
DISK_BYTES_A_CASE = 16 * 1024
OVERLAP = 256


def case_lines(count):
    lines = program.bench_lines(min(count, DATA_CASES))
    result = []
    for number in range(count):
        line = lines[number % DATA_CASES]
        suffix = SUFFIXES[number // DATA_CASES]
        if suffix:
            case = json.loads(line)
            case["case_no"] += "-" + suffix
            for field in ("given_name", "family_name"):
                case[field] = " ".join(word + suffix for word in case[field].split())
            line = json.dumps(case) + "\n"
        result.append(line)
    return result


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


def parts_of(file):
    """The file's bytes in parts that overlap by more than any name."""
    while True:
        data = file.read(PART)
        yield data
        if len(data) < PART:
            return
        file.seek(-OVERLAP, os.SEEK_CUR)


class Disk:
    """A file system of its own for the node, whose every byte can be read when it is off, also those
    of files that were removed: an image mounted where the machine allows it, else a folder."""

    def __init__(self, folder):
        self.image = os.path.join(folder, "disk.img")
        self.folder = os.path.join(folder, "disk")
        os.mkdir(self.folder)
        with open(self.image, "wb") as image:
            image.truncate(DISK_BYTES + CASES * DISK_BYTES_A_CASE)
        self.is_image = program.has_own_mounts() and all(
            subprocess.run(command, capture_output=True, check=False).returncode == 0
            for command in (["mkfs.ext4", "-q", "-E", "nodiscard", self.image],
                            ["mount", "-o", "loop,nodiscard", self.image, self.folder]))

    def switch_off(self):
        """Answers the files that hold all that is on the disk."""
        if not self.is_image:
            return [path for path in Path(self.folder).rglob("*") if path.is_file()]
        subprocess.run(["umount", self.folder], check=True)
        return [Path(self.image)]


class PoweredOff(program.ProgramTest):
    def test_no_imported_name_is_on_the_disk(self):
        lines = case_lines(CASES)
        names = names_of(lines)
        self.assertGreater(len(names), CASES // 2)
        source = os.path.join(self.folder, "cases.jsonl")
        with open(source, "w") as file:
            file.writelines(lines)
        disk = Disk(self.folder)
        temporary = os.path.join(disk.folder, "tmp")
        os.mkdir(temporary)
        places = mock.patch.dict(os.environ, TMPDIR=temporary, SQLITE_TMPDIR=temporary)
        places.start()
        self.addCleanup(places.stop)
        node = program.Node(disk.folder, "HQ", "hq")
        self.assertDone(node.init())
        result = json.loads(self.assertDone(node.run("import", "--as", "cases", source, "--json")))
        self.assertEqual(result["created"], CASES)
        self.save_and_cut_power(node, names[:SAVES])
        size = 0
        for path in disk.switch_off():
            with path.open("rb") as content:
                for data in parts_of(content):
                    size += len(data)
                    self.assertEqual(found_in(data, names, self.folder), [], path)
        print(f"{CASES} cases, {len(names)} names, none found in {size} bytes of "
              f"{'the disk' if disk.is_image else 'its files'}")

    def save_and_cut_power(self, node, names):
        """So that the log is there too, with what was saved last."""
        self.assertDone(node.add_user())
        with node.serve() as server:
            caller = server.caller()
            for name in names:
                self.assertEqual(caller.save_person(name).status, 200)
            caller.close()
            server.process.kill()
            server.process.wait(program.PATIENCE)
        self.assertGreater(os.path.getsize(os.path.join(node.data, "node.db-wal")), 0)

    def test_the_search_for_names_finds_them_where_they_are(self):
        lines = case_lines(min(CASES, DATA_CASES))
        names = names_of(lines)
        for code in ("utf-8", "utf-16-le", "utf-16-be"):
            self.assertEqual(found_in("".join(lines).encode(code), names, self.folder), names)

    def test_a_removed_file_is_still_seen_on_the_disk(self):
        disk = Disk(self.folder)
        if not disk.is_image:
            self.skipTest("this machine lets nobody mount an image")
        with open(os.path.join(disk.folder, "removed"), "w") as file:
            file.write("Removedazu " * 1000)
            file.flush()
            os.fsync(file.fileno())
        os.remove(os.path.join(disk.folder, "removed"))
        [image] = disk.switch_off()
        with image.open("rb") as content:
            found = [found_in(data, ["Removedazu"], self.folder) for data in parts_of(content)]
        self.assertIn(["Removedazu"], found)


if __name__ == "__main__":
    program.enter_own_mounts()
    program.main()
