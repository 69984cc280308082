"""Shows that tree_check.py finds each kind of problem, in small trees made for it."""

import pathlib
import tempfile
import unittest

import tree_check


class TreeCheckTest(unittest.TestCase):
    def problems(self, files):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            listed = " ".join(f"'{path.split('/', 1)[1]}'" for path in files)
            for folder in {path.split("/")[0] for path in files}:
                (root / folder / "meson.build").write_text(listed)
            return tree_check.check(root)

    def header(self, *includes):
        return "#pragma once\n" + "".join(f"#include {include}\n" for include in includes)

    def test_arrows_that_exist_are_allowed(self):
        self.assertEqual(self.problems({
            "coro/task.h": self.header("<vector>"),
            "runtime/base/fd.h": self.header("<unistd.h>", "<absl/status/status.h>"),
            "runtime/reactor.h": self.header('"wharf/coro/task.h"', '"wharf/runtime/base/fd.h"',
                                             "<liburing.h>"),
            "shm/ring.h": self.header('"wharf/runtime/base/fd.h"', '"absl/strings/str_cat.h"'),
            "ipc/port.h": self.header('"wharf/shm/ring.h"', '"wharf/runtime/reactor.h"'),
            "tests/ipc/port_test.cc": '#include "wharf/ipc/port.h"\n#include <gtest/gtest.h>\n',
        }), [])

    def test_arrows_that_do_not_exist_are_reported(self):
        files = {
            "coro/task.h": self.header("<absl/status/status.h>"),
            "runtime/base/fd.h": self.header('"wharf/coro/task.h"'),
            "runtime/reactor.h": self.header('"wharf/ipc/port.h"'),
            "shm/ring.h": self.header('"wharf/runtime/reactor.h"'),
            "ipc/port.h": self.header("<liburing.h>", '"wharf/tests/support/clock.h"'),
            "tests/support/clock.h": self.header(),
        }
        self.assertEqual(self.problems(files), [
            "coro/task.h:2: arrow coro -> absl not allowed: absl/status/status.h",
            "runtime/base/fd.h:2: arrow runtime/base -> coro not allowed: wharf/coro/task.h",
            "runtime/reactor.h:2: arrow runtime -> ipc not allowed: wharf/ipc/port.h",
            "shm/ring.h:2: arrow shm -> runtime not allowed: wharf/runtime/reactor.h",
            "ipc/port.h:2: arrow ipc -> liburing not allowed: liburing.h",
            "ipc/port.h:3: arrow ipc -> tests not allowed: wharf/tests/support/clock.h",
        ])

    def test_includes_of_another_form_are_reported(self):
        self.assertEqual(self.problems({
            "coro/a.h": self.header('"b.h"', "<wharf/coro/b.h>", '"wharf/coro/c.h"'),
            "coro/b.h": self.header(),
        }), [
            'coro/a.h:2: include "b.h" does not read "wharf/<folder>/<file>.h"',
            "coro/a.h:3: include <wharf/coro/b.h> belongs in quotes",
            'coro/a.h:4: include "wharf/coro/c.h" names no file of the tree',
        ])

    def test_missing_pragma_long_files_and_unlisted_files_are_reported(self):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "coro").mkdir()
            (root / "coro/meson.build").write_text("'a.h'")
            (root / "coro/a.h").write_text("\n")
            (root / "coro/b.cc").write_text("\n" * 401)
            self.assertEqual(tree_check.check(root), [
                "coro/a.h:1: no #pragma once",
                "coro/b.cc:401: 401 lines; 400 is the limit",
                "coro/b.cc:1: not listed in its meson.build",
            ])


if __name__ == "__main__":
    unittest.main()
