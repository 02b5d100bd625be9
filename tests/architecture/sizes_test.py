"""Files of one subject and lines that fit a screen. The length of functions is clang-tidy's."""

import tree

CODE = (".h", ".cpp", ".ts", ".tsx", ".py", ".mjs")


def is_test(path):
    name = path.rsplit("/", 1)[-1]
    return path.startswith(("tests/", "server/web/tests/", "server/web/e2e/")) or ".test." in name


def long_files(root):
    found = []
    for path in tree.files(root):
        if not path.endswith(CODE):
            continue
        lines = (tree.read(root, path) or "").count("\n")
        limit = 800 if is_test(path) else 400
        if lines > limit:
            found.append(f"{path} has {lines} lines, more than {limit}: it holds two subjects")
    return found


def long_lines(root):
    found = []
    for path in tree.files(root):
        if not path.endswith((".h", ".cpp")):
            continue
        for number, line in enumerate((tree.read(root, path) or "").split("\n"), 1):
            if len(line) > 100:
                found.append(f"{path}:{number} has {len(line)} columns, more than 100")
    return found


class Repository(tree.PlantedTree):
    def test_files_have_one_subject(self):
        self.assert_repository_clean(long_files)

    def test_lines_fit_the_screen(self):
        self.assert_repository_clean(long_lines)


class Planted(tree.PlantedTree):
    def test_a_long_file_is_caught(self):
        self.assert_caught(long_files, {"sync/a.cpp": "\n" * 401, "sync/b.cpp": "\n" * 400}, "sync/a.cpp")
        self.assert_caught(long_files, {"server/web/src/a.tsx": "\n" * 401}, "server/web/src/a.tsx")

    def test_a_test_may_be_twice_as_long(self):
        self.assert_clean(long_files, {"tests/sync/a_test.cpp": "\n" * 800,
                                       "server/web/src/a.test.ts": "\n" * 800})
        self.assert_caught(long_files, {"tests/sync/a_test.cpp": "\n" * 801}, "801")

    def test_a_long_line_is_caught(self):
        self.assert_caught(long_lines, {"sync/a.h": "x\n" + "y" * 101 + "\n"}, "sync/a.h:2")
        self.assert_clean(long_lines, {"sync/a.h": "y" * 100 + "\n", "sync/a.md": "y" * 500})


if __name__ == "__main__":
    tree.main()
