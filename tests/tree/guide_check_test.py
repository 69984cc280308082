"""Shows that guide_check.py finds each kind of problem, in small trees made for it."""

import pathlib
import tempfile
import unittest

import guide_check


class GuideCheckTest(unittest.TestCase):
    def problems(self, files):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            for path, text in files.items():
                (root / "docs" / path).parent.mkdir(parents=True, exist_ok=True)
                (root / "docs" / path).write_text(text)
            return guide_check.check(root)

    def page(self, *lines):
        return "\n".join(["# Tasks", "```cpp", *lines, "```", ""])

    def test_a_block_that_stands_in_the_program_is_right_whatever_its_indentation(self):
        self.assertEqual(self.problems({
            "guide/tasks.md": self.page("if (a) {", "  b();", "}"),
            "examples/guide/tasks.cc": "int main() {\n  if (a) {\n    b();\n  }\n}\n",
        }), [])

    def test_a_block_that_differs_is_reported(self):
        self.assertEqual(self.problems({
            "guide/tasks.md": self.page("if (a) {", "b();", "}"),
            "examples/guide/tasks.cc": "int main() {\n  if (a) {\n    b();\n  }\n}\n",
        }), ["docs/guide/tasks.md:2: the block is not in docs/examples/guide/tasks.cc"])

    def test_a_page_without_a_program_and_a_program_without_a_page_are_reported(self):
        self.assertEqual(self.problems({
            "guide/tasks.md": self.page("a();"),
            "guide/words.md": "no code, no program\n",
            "examples/guide/scopes.cc": "int main() {}\n",
        }), [
            "docs/guide/tasks.md:2: no docs/examples/guide/tasks.cc holds its code",
            "docs/examples/guide/scopes.cc:1: no page docs/guide/scopes.md",
        ])

    def test_a_link_to_nothing_is_reported(self):
        self.assertEqual(self.problems({
            "guide/words.md": "[here](words.md), [there](there.md), [part](words.md#part), [far](https://a.b)\n",
        }), ["docs/guide/words.md:1: links to what is not there: there.md"])


if __name__ == "__main__":
    unittest.main()
