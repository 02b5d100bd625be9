"""The arrows between the layers: nothing points up, nothing goes round, and each third-party library
is included in its own place only."""

import os
import re

import tree

LAYERS = ["crypto", "storage", "sync", "server"]
OUTSIDE = [
    (re.compile(r"openssl/|argon2\.h|gcrypt\.h"), ("crypto/",)),
    (re.compile(r"sqlite3(ext)?\.h|libpq-fe\.h|postgresql/"), ("storage/",)),
    (re.compile(r"zstd|zdict\.h"), ("storage/", "sync/", "server/cases/")),
    (re.compile(r"Poco/|nlohmann/"), ("server/",)),
]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
IMPORT = re.compile(r"""(?:\bfrom|\bimport|\bimport\s*\(|\brequire\s*\()\s*["']([^"']+)["']""")
TOP_LEVEL = {
    "crypto", "storage", "sync", "server", "tests", "scripts", "docs",
    "CMakeLists.txt", "CMakePresets.json", "README.md", "CONTRIBUTING.md", "LICENSE",
    ".ci", ".clang-format", ".clang-tidy", ".gitignore", ".gitattributes", ".editorconfig",
}


def layer_of(path):
    first = path.split("/")[0]
    return LAYERS.index(first) if first in LAYERS else None


def cpp_includes(root):
    """(file, delimiter, included name) of every include in C++ sources."""
    for path in tree.files(root):
        if path.endswith((".h", ".cpp", ".hpp", ".cc", ".c")):
            for delimiter, name in INCLUDE.findall(tree.read(root, path) or ""):
                yield path, delimiter, name


def arrows_up(root):
    found = []
    for path, _, name in cpp_includes(root):
        here, there = layer_of(path), layer_of(name)
        if name.startswith("tests/") and not path.startswith("tests/"):
            found.append(f"{path} includes {name}: the product does not know its tests")
        elif here is not None and there is not None and there > here:
            found.append(f"{path} includes {name}: an arrow pointing up")
    return found


def unrooted(root):
    """Includes are rooted, so that the checks here can read them."""
    return [f'{path} includes "{name}", which is not named from the root of the repository'
            for path, delimiter, name in cpp_includes(root)
            if delimiter == '"' and not os.path.isfile(os.path.join(root, name))]


def strangers(root):
    found = []
    for path, _, name in cpp_includes(root):
        for pattern, places in OUTSIDE:
            allowed = places
            if path.startswith("tests/"):
                # The tests of a layer may use what any part of that layer may; the tests' own
                # tools and the whole-program tests use what they need.
                if layer_of(path[len("tests/"):]) is None:
                    continue
                allowed = tuple("tests/" + place.split("/")[0] + "/" for place in places)
            if pattern.match(name) and not path.startswith(allowed):
                found.append(f"{path} includes <{name}>, whose place is {' '.join(places)}")
    return found


def cycles(root):
    """One sentence for each cycle among headers."""
    edges = {}
    for path, _, name in cpp_includes(root):
        if path.endswith(".h"):
            edges.setdefault(path, []).append(name)
    found, done = [], set()

    def visit(path, way):
        if path in way:
            found.append("headers include each other: " + " -> ".join(way[way.index(path):] + [path]))
            return
        if path in done:
            return
        done.add(path)
        for name in edges.get(path, []):
            visit(name, way + [path])

    for path in sorted(edges):
        visit(path, [])
    return found


def top_level(root):
    entries = sorted({path.split("/")[0] for path in tree.files(root)})
    return [f"{entry} does not belong to the top level of the repository"
            for entry in entries if entry not in TOP_LEVEL]


def web_imports(root):
    found = []
    for path in tree.files(root):
        inside = path.startswith("server/web/") and path.endswith((".ts", ".tsx", ".js", ".mjs"))
        if not inside:
            continue
        for name in IMPORT.findall(tree.read(root, path) or ""):
            target = os.path.normpath(os.path.join(os.path.dirname(path), name))
            # Test vectors and the API's specification are shared with the C++ side on purpose.
            shared = target.startswith(("tests/vectors/", "docs/spec/"))
            if name.startswith(".") and not target.startswith("server/web/") and not shared:
                found.append(f"{path} imports {name}, which is outside the web client")
    return found


class Repository(tree.PlantedTree):
    def test_no_arrow_points_up(self):
        self.assert_repository_clean(arrows_up)

    def test_includes_are_rooted(self):
        self.assert_repository_clean(unrooted)

    def test_libraries_stay_in_their_place(self):
        self.assert_repository_clean(strangers)

    def test_no_headers_include_each_other(self):
        self.assert_repository_clean(cycles)

    def test_the_top_level_holds_nothing_else(self):
        self.assert_repository_clean(top_level)

    def test_the_web_client_stays_in_its_folder(self):
        self.assert_repository_clean(web_imports)


class Planted(tree.PlantedTree):
    def test_an_arrow_pointing_up_is_caught(self):
        self.assert_caught(arrows_up, {"storage/a.h": '#include "sync/b.h"\n'}, "storage/a.h", "up")
        self.assert_caught(arrows_up, {"sync/a.cpp": '  #  include "server/b.h"\n'}, "sync/a.cpp")
        self.assert_caught(arrows_up, {"crypto/a.cpp": '#include "tests/support/x.h"\n'}, "tests")
        self.assert_clean(arrows_up, {"server/a.cpp": '#include "crypto/b.h"\n',
                                      "tests/crypto/a.cpp": '#include "server/b.h"\n'})

    def test_an_include_that_is_not_rooted_is_caught(self):
        self.assert_caught(unrooted, {"sync/a.cpp": '#include "b.h"\n', "sync/b.h": ""}, "sync/a.cpp")
        self.assert_clean(unrooted, {"sync/a.cpp": '#include "sync/b.h"\n', "sync/b.h": ""})

    def test_a_library_outside_its_place_is_caught(self):
        for path, header in [("storage/a.cpp", "openssl/evp.h"), ("sync/a.cpp", "sqlite3.h"),
                             ("server/access/a.h", "argon2.h"), ("storage/a.h", "gcrypt.h"), ("server/http/a.cpp", "zstd.h"),
                             ("sync/a.h", "nlohmann/json.hpp"), ("crypto/a.cpp", "Poco/URI.h"),
                             ("server/a.cpp", "libpq-fe.h"), ("tests/sync/a_test.cpp", "sqlite3.h")]:
            with self.subTest(path=path, header=header):
                self.assert_caught(strangers, {path: f"#include <{header}>\n"}, path, header)
        self.assert_clean(strangers, {"crypto/a.cpp": "#include <openssl/evp.h>\n",
                                      "server/cases/import/a.cpp": "#include <zstd.h>\n",
                                      "tests/server/a_test.cpp": "#include <zstd.h>\n",
                                      "tests/storage/a_test.cpp": "#include <sqlite3.h>\n"})

    def test_headers_that_include_each_other_are_caught(self):
        self.assert_caught(cycles, {"sync/a.h": '#include "sync/b.h"\n',
                                    "sync/b.h": '#include "sync/c.h"\n',
                                    "sync/c.h": '#include "sync/a.h"\n'},
                           "sync/a.h -> sync/b.h -> sync/c.h -> sync/a.h")
        self.assert_clean(cycles, {"sync/a.h": '#include "sync/b.h"\n#include "sync/c.h"\n',
                                   "sync/b.h": '#include "sync/c.h"\n', "sync/c.h": ""})

    def test_a_stranger_at_the_top_level_is_caught(self):
        self.assert_caught(top_level, {"notes.txt": "", "docs/a.md": ""}, "notes.txt")
        self.assert_caught(top_level, {"common/a.h": "", "crypto/a.h": ""}, "common")

    def test_an_import_from_outside_the_web_client_is_caught(self):
        self.assert_caught(web_imports,
                           {"server/web/src/a.ts": 'import x from "../../programmes/x.json";\n'},
                           "server/web/src/a.ts", "../../programmes/x.json")
        self.assert_caught(web_imports, {"server/web/a.ts": 'await import("../http/x")\n'}, "../http/x")
        self.assert_clean(web_imports,
                          {"server/web/src/a.ts": 'import { h } from "preact";\nimport "./b";\n'})


if __name__ == "__main__":
    tree.main()
