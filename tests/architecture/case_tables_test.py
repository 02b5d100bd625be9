"""Tables that say which test shows what name only tests that exist, and leave nothing out."""

import re

import tree

SPECIFICATIONS = "docs/spec/"
# What a table must count through, and each row of which names a test.
REQUIREMENTS = "docs/spec/store-requirements.md"
NUMBERS = [f"R{number}" for number in range(1, 26)] + [f"F{number}" for number in range(1, 14)]
ROW = re.compile(r"^\| ([RF]\d+) \| .* \| (.*) \|$", re.MULTILINE)
# `Suite.Name`, and `.Other` for one more of the same suite; `Suite, all of it` and `Suite, both`
# stand for a whole suite.
NAMED = re.compile(r"(?<![\w./`])([A-Z][A-Za-z0-9]+)?\.([A-Z][A-Za-z0-9]{9,})\b")
WHOLE = re.compile(r"\b([A-Z][A-Za-z]+)(?:, all of it|, both)\b")
PROGRAM = re.compile(r"`(?:tests/\w+/)?(\w+_test\.py)`")


def known_tests(root):
    """"Suite.Name" and "Suite" of the C++ tests, "x_test.py" of the others."""
    names = {test.split("/")[1] for test in tree.tests_of(root)}
    return names | {name.split(".")[0] for name in names}


def names_in(text):
    names = WHOLE.findall(text) + PROGRAM.findall(text)
    suite = ""
    for own, name in NAMED.findall(text):
        suite = own or suite
        names.append(f"{suite}.{name}")
    return names


def missing_tests(root):
    known = known_tests(root)
    return [f"{path} names {name}, and there is no such test"
            for path in tree.files(root)
            if path.startswith(SPECIFICATIONS) and path.endswith(".md")
            for name in sorted(set(names_in(tree.read(root, path) or "")) - known)]


def gaps_in_requirements(root):
    rows = ROW.findall(tree.read(root, REQUIREMENTS) or "")
    if [number for number, _ in rows] != NUMBERS:
        return [f"{REQUIREMENTS} does not count from R1 to R25 and from F1 to F13"]
    return [f"{REQUIREMENTS} names no test at {number}" for number, tests in rows
            if not names_in(tests)]


class Repository(tree.PlantedTree):
    def test_every_test_named_in_a_specification_exists(self):
        self.assert_repository_clean(missing_tests)

    def test_every_requirement_of_the_store_names_a_test(self):
        self.assert_repository_clean(gaps_in_requirements)


class Planted(tree.PlantedTree):
    def test_a_name_without_a_test_is_caught(self):
        planted = {"docs/spec/sync-cases.md": "| 1 | cut | Recovery.FromACutAtEveryByte, Clock.StepsBackwards |",
                   "tests/sync/a_test.cpp": "TEST(Recovery, FromACutAtEveryByte) {\n}\n"}
        self.assert_caught(missing_tests, planted, "Clock.StepsBackwards")
        planted["tests/sync/b_test.cpp"] = "TEST_F(Clock, StepsBackwards) {\n}\n"
        self.assert_clean(missing_tests, planted)

    def test_a_short_name_belongs_to_the_suite_before_it(self):
        planted = {"docs/spec/other.md": "| 1 | a | Recovery.FromACutAtEveryByte, .FromACutAnywhere |",
                   "tests/sync/a_test.cpp": "TEST(Recovery, FromACutAtEveryByte) {\n}\n"
                                            "TEST(Clock, FromACutAnywhere) {\n}\n"}
        self.assert_caught(missing_tests, planted, "Recovery.FromACutAnywhere")

    def test_a_suite_and_a_program_that_are_not_there_are_caught(self):
        planted = {"docs/spec/other.md": "| 1 | a | KeyRing, all of it; `full_test.py` |",
                   "tests/program/full_test.py": ""}
        self.assert_caught(missing_tests, planted, "KeyRing")
        planted["tests/storage/key_ring_test.cpp"] = "TEST(KeyRing, Opens) {\n}\n"
        self.assert_clean(missing_tests, planted)
        del planted["tests/program/full_test.py"]
        self.assert_caught(missing_tests, planted, "full_test.py")

    def test_a_requirement_left_out_or_without_a_test_is_caught(self):
        rows = [f"| {number} | what | Store.KeepsWhatItTook |" for number in NUMBERS]
        self.assert_clean(gaps_in_requirements, {REQUIREMENTS: "\n".join(rows) + "\n"})
        self.assert_caught(gaps_in_requirements, {REQUIREMENTS: "\n".join(rows[1:]) + "\n"},
                           "does not count")
        rows[3] = "| R4 | what | it is so |"
        self.assert_caught(gaps_in_requirements, {REQUIREMENTS: "\n".join(rows) + "\n"}, "R4")


if __name__ == "__main__":
    tree.main()
