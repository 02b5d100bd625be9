"""The table of bad inputs is whole, and each test that it names is there."""

import re

import tree

TABLE = "docs/spec/bad-inputs.md"
NUMBERS = 69
ROW = re.compile(r"\| (\d+) \| .* \| (.*) \|$", re.MULTILINE)
NAME = re.compile(r"`([a-z]+)/([^`]+)`")


def gaps(root):
    rows = ROW.findall(tree.read(root, TABLE) or "")
    if [int(number) for number, _ in rows] != list(range(1, NUMBERS + 1)):
        return [f"{TABLE} does not count from 1 to {NUMBERS}"]
    known = tree.tests_of(root)
    return [f"{TABLE} names {layer}/{name} at {number}, which is no test"
            for number, tests in rows for layer, name in NAME.findall(tests)
            if f"{layer}/{name}" not in known]


class Repository(tree.PlantedTree):
    def test_the_table_is_whole_and_its_tests_are_there(self):
        self.assert_repository_clean(gaps)


class Planted(tree.PlantedTree):
    def test_a_missing_number_and_a_missing_test_are_caught(self):
        rows = [f"| {number} | a | b | |" for number in range(1, NUMBERS + 1)]
        self.assert_clean(gaps, {TABLE: "\n".join(rows) + "\n"})
        self.assert_caught(gaps, {TABLE: "\n".join(rows[:-1]) + "\n"}, "does not count")
        rows[6] = "| 7 | a | b | `server/Door.Opens` |"
        self.assert_caught(gaps, {TABLE: "\n".join(rows) + "\n"}, "server/Door.Opens at 7")
        self.assert_clean(gaps, {TABLE: "\n".join(rows) + "\n",
                                 "tests/server/door_test.cpp": "TEST(Door, Opens) {}\n"})


if __name__ == "__main__":
    tree.main()
