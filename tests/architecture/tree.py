"""What the checks of the tree share: the files that belong to the repository, and how a check is
shown to be able to fail.

A check is a function `check(root) -> list of sentences`, one for each violation. Its test file runs
it on the repository, and on small trees with a violation planted, where it must find just that.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

TEST = re.compile(r"^(?:TEST|TEST_F|TEST_P)\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)


def files(root):
    """Paths, relative to root, of all files that are tracked or about to be (not ignored)."""
    if os.path.exists(os.path.join(root, ".git")):  # a file in a linked work tree
        listed = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True, text=True).stdout.split("\0")
        return sorted({path for path in listed if path and os.path.isfile(os.path.join(root, path))})
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in ("node_modules", "build", "dist")]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def read(root, path):
    """The text of a file, or None where it is not text."""
    with open(os.path.join(root, path), "rb") as file:
        content = file.read()
    if b"\0" in content:
        return None
    return content.decode("utf-8", errors="replace")


def tests_of(root):
    """"server/BadInputs.Name" of every test of a layer, "program/x_test.py" of the programs."""
    found = set()
    for path in files(root):
        folder, _, rest = path.partition("/")
        if folder != "tests" or "/" not in rest:
            continue
        layer = rest.split("/")[0]
        if path.endswith("_test.cpp"):
            for suite, name in TEST.findall(read(root, path) or ""):
                found.add(f"{layer}/{suite}.{name}")
        elif path.endswith("_test.py"):
            found.add(f"{layer}/{os.path.basename(path)}")
    return found


class PlantedTree(unittest.TestCase):
    """A test that plants files into an empty tree and runs a check on it."""

    repository = None

    def found(self, check, planted):
        with tempfile.TemporaryDirectory() as root:
            for path, text in planted.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return check(root)

    def assert_caught(self, check, planted, *words):
        """The check finds exactly one violation, and its sentence holds the words."""
        violations = self.found(check, planted)
        self.assertEqual(len(violations), 1, violations)
        for word in words:
            self.assertIn(word, violations[0])

    def assert_clean(self, check, planted):
        self.assertEqual(self.found(check, planted), [])

    def assert_repository_clean(self, check):
        violations = check(PlantedTree.repository)
        if violations:
            self.fail("\n" + "\n".join(violations))


def main():
    """Runs the tests of the calling file; the one argument is the root of the repository."""
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit("usage: %s REPOSITORY" % sys.argv[0])
    PlantedTree.repository = os.path.abspath(sys.argv.pop())
    unittest.main(verbosity=1)
