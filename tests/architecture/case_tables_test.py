"""Tables that say which test shows what name only tests that exist."""

import re

import tree

TABLES = ("docs/spec/store-requirements.md", "docs/spec/sync-cases.md")
NAMED = re.compile(r"\b([A-Z][A-Za-z]+\.[A-Z][A-Za-z0-9]{9,})\b")
TEST = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)


def missing_tests(root):
    known = set()
    for path in tree.files(root):
        if path.startswith("tests/") and path.endswith("_test.cpp"):
            known |= {f"{suite}.{name}" for suite, name in TEST.findall(tree.read(root, path))}
    found = []
    for table in TABLES:
        try:
            text = tree.read(root, table)
        except FileNotFoundError:
            continue
        for name in sorted(set(NAMED.findall(text)) - known):
            found.append(f"{table} names {name}, and there is no such test")
    return found


class Repository(tree.PlantedTree):
    def test_every_test_named_in_a_table_exists(self):
        self.assert_repository_clean(missing_tests)


class Planted(tree.PlantedTree):
    def test_a_name_without_a_test_is_caught(self):
        planted = {"docs/spec/sync-cases.md": "| 1 | cut | Recovery.FromACutAtEveryByte, Clock.StepsBackwards |",
                   "tests/sync/a_test.cpp": "TEST(Recovery, FromACutAtEveryByte) {\n}\n"}
        self.assert_caught(missing_tests, planted, "Clock.StepsBackwards")
        planted["tests/sync/b_test.cpp"] = "TEST_F(Clock, StepsBackwards) {\n}\n"
        self.assert_clean(missing_tests, planted)


if __name__ == "__main__":
    tree.main()
