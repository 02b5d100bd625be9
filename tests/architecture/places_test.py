"""The repository builds anywhere: no file names a folder of somebody's machine or a package
registry that a lock file would tie every build to."""

import json
import re

import tree

# Written in pieces, so that this file does not find itself.
MACHINE_PATHS = re.compile(r"(?<![\w.:/$}~])/(?:" + "|".join(
    ["home/[a-z]", "root/", "work/", "Users/[A-Za-z]", "tmp/" + "build-", "tmp/claude"]) + ")")
REGISTRIES = re.compile("|".join([
    r"registry\.npm" + r"js\.org", r"registry\.yarn" + r"pkg\.com", r"artifac" + r"tory",
    r"pypi\." + r"org", r"files\.python" + r"hosted"]))


def machine_paths(root):
    found = []
    for path in tree.files(root):
        for number, line in enumerate((tree.read(root, path) or "").split("\n"), 1):
            match = MACHINE_PATHS.search(line)
            if match:
                found.append(f"{path}:{number} names a folder of one machine: {match.group(0)}")
    return found


def registries(root):
    found = []
    for path in tree.files(root):
        if path.endswith(".npmrc") or path.endswith("package-lock.json"):
            continue
        for number, line in enumerate((tree.read(root, path) or "").split("\n"), 1):
            match = REGISTRIES.search(line)
            if match:
                found.append(f"{path}:{number} names a package registry: {match.group(0)}")
    return found


def lock_files(root):
    """A lock file says which package by version and hash; where from is each machine's setting."""
    found = []
    for path in tree.files(root):
        text = tree.read(root, path) or ""
        if path.endswith(".npmrc") and re.search(r"^\s*(@[^:]+:)?registry\s*=|_auth", text, re.MULTILINE):
            found.append(f"{path} ties the build to a registry")
        if path.endswith("package-lock.json"):
            packages = json.loads(text).get("packages", {})
            tied = [name for name, entry in packages.items()
                    if "://" in str(entry.get("resolved", ""))]
            unproven = [name for name, entry in packages.items()
                        if name.startswith("node_modules/") and "integrity" not in entry
                        and not entry.get("link") and not entry.get("inBundle")]
            if tied:
                found.append(f"{path}: {len(tied)} packages are tied to a host, first {tied[0]}")
            if unproven:
                found.append(f"{path}: {len(unproven)} packages have no hash, first {unproven[0]}")
    return found


class Repository(tree.PlantedTree):
    def test_no_file_names_a_folder_of_one_machine(self):
        self.assert_repository_clean(machine_paths)

    def test_no_file_names_a_registry(self):
        self.assert_repository_clean(registries)

    def test_lock_files_name_no_host_and_hash_every_package(self):
        self.assert_repository_clean(lock_files)


class Planted(tree.PlantedTree):
    def test_a_folder_of_one_machine_is_caught(self):
        for text in ["cd /" + "home/ana/src", 'x = "/' + 'work/main"', "(/" + "tmp/" + "build-x)"]:
            with self.subTest(text=text):
                self.assert_caught(machine_paths, {"docs/a.md": "\n" + text + "\n"}, "docs/a.md:2")
        self.assert_clean(machine_paths, {"docs/a.md": "https://x.org/work/list /var/lib/waystation ./"
                                                       "work/ /tmp/x $HOME/home/a\n"})

    def test_a_registry_is_caught(self):
        self.assert_caught(registries, {"scripts/a": "npm --registry https://registry.npm" + "js.org"},
                           "scripts/a:1")

    def test_a_lock_file_tied_to_a_host_is_caught(self):
        entry = {"version": "1.0.0", "integrity": "sha512-x"}
        tied = {"packages": {"node_modules/a": dict(entry, resolved="https://x.org/a.tgz")}}
        self.assert_caught(lock_files, {"server/web/package-lock.json": json.dumps(tied)}, "a host")
        self.assert_caught(lock_files, {"server/web/.npmrc": "registry=https://x.org\n"}, ".npmrc")

    def test_a_package_without_a_hash_is_caught(self):
        bare = {"packages": {"": {}, "node_modules/a": {"version": "1.0.0"}}}
        self.assert_caught(lock_files, {"package-lock.json": json.dumps(bare)}, "no hash")
        whole = {"packages": {"": {}, "node_modules/a": {"version": "1.0.0", "integrity": "sha512-x"}}}
        self.assert_clean(lock_files, {"package-lock.json": json.dumps(whole)})


if __name__ == "__main__":
    tree.main()
