"""The documents point at what is there."""

import os
import re

import tree

LINK = re.compile(r"\]\(([^)\s]+)\)")
SCRIPT = re.compile(r"(?<![\w./])(?:scripts/[a-z_]+|\.ci/run)\b")


def broken_links(root):
    found = []
    for path in tree.files(root):
        if not path.endswith(".md"):
            continue
        for target in LINK.findall(tree.read(root, path) or ""):
            if "://" in target or target.startswith("#"):
                continue
            place = os.path.join(root, os.path.dirname(path), target.split("#")[0])
            if not os.path.exists(place):
                found.append(f"{path} links to {target}, which is not there")
    return found


def missing_scripts(root):
    found = []
    for path in tree.files(root):
        if path.endswith(".md"):
            for name in sorted(set(SCRIPT.findall(tree.read(root, path) or ""))):
                if not os.access(os.path.join(root, name), os.X_OK):
                    found.append(f"{path} names {name}, which is not a program of this repository")
    return found


class Repository(tree.PlantedTree):
    def test_links_lead_somewhere(self):
        self.assert_repository_clean(broken_links)

    def test_scripts_that_are_named_exist(self):
        self.assert_repository_clean(missing_scripts)


class Planted(tree.PlantedTree):
    def test_a_broken_link_is_caught(self):
        self.assert_caught(broken_links, {"docs/a.md": "see [b](b.md#part)\n"}, "docs/a.md", "b.md")
        self.assert_clean(broken_links, {"docs/a.md": "[b](b.md#x) [c](https://x.org/c) [d](#d)\n",
                                         "docs/b.md": ""})

    def test_a_script_that_is_not_there_is_caught(self):
        self.assert_caught(missing_scripts, {"README.md": "run `scripts/fly` now\n"}, "scripts/fly")


if __name__ == "__main__":
    tree.main()
