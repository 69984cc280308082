"""Shows that pages_check.py finds each kind of problem, in small trees made for it."""

import pathlib
import tempfile
import unittest

import pages_check


class PagesCheckTest(unittest.TestCase):
    def problems(self, text):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "docs").mkdir()
            (root / "shm").mkdir()
            (root / "shm" / "ring.h").write_text("#pragma once\n")
            (root / "dev").write_text("cmd_test() {\n}\n")
            (root / "docs" / "page.md").write_text(text)
            return pages_check.check(root)

    def test_what_is_there_is_right(self):
        self.assertEqual(self.problems(
            "[a header](../shm/ring.h), [a part](page.md#part), [far](https://a.b), `[](Job job)`,\n"
            "`wharf/shm/ring.h`, `shm/ring.h`, `docs/NAME.md`, `./dev test`, `./dev COMMAND`, `./dev --help`\n"), [])

    def test_a_link_to_nothing_is_reported(self):
        self.assertEqual(self.problems("\n[there](there.md)\n"), ["docs/page.md:2: links to what is not there: there.md"])

    def test_a_file_that_is_not_there_is_reported(self):
        self.assertEqual(self.problems("`shm/wheel.h`"), ["docs/page.md:1: names a file that is not there: shm/wheel.h"])

    def test_a_command_that_dev_does_not_have_is_reported(self):
        self.assertEqual(self.problems("    ./dev sail"), ["docs/page.md:1: names a command that ./dev does not have: sail"])


if __name__ == "__main__":
    unittest.main()
