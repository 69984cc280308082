"""Shows that counts_check.py catches a build that was made slow, and says which count grew.

Usage: counts_check_test.py COUNTED COUNTED_SLOWED
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import counts_check

HERE = pathlib.Path(__file__).resolve().parent
COUNTED, COUNTED_SLOWED = sys.argv[1:3]
LOAD = "round_trip_64"
SKIPPED = 77


def setUpModule():
    if counts_check.uring_is_refused():
        raise unittest.SkipTest("the costs are io_uring's, and it is refused here")


class CheckedTest(unittest.TestCase):
    """With an expected.json of its own: short runs, and no instructions of any build."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / "expected.json"
        self.expected = json.loads((HERE / "expected.json").read_text())
        for row in self.expected["counts"]:
            row["count"] = 1000
        self.expect({})

    def expect(self, instructions):
        self.expected["instructions"]["per_message"] = instructions
        self.file.write_text(json.dumps(self.expected))

    def check(self, program, *words, slowed=""):
        """The exit status of counts_check.py on one load, and what it says."""
        done = subprocess.run(
            [sys.executable, HERE / "counts_check.py", program, "--load", LOAD, "--expected", self.file, *words],
            env={**os.environ, "WHARF_SLOWED": slowed}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        return done.returncode, done.stdout


class CountsTest(CheckedTest):
    def check_counts(self, slowed):
        return self.check(COUNTED_SLOWED, "--only", "counts", slowed=slowed)

    def test_a_build_that_is_not_slowed_passes(self):
        status, said = self.check_counts("")
        self.assertEqual(status, 0, said)
        self.assertNotIn("grew", said)

    def test_an_allocation_is_named_and_nothing_else(self):
        status, said = self.check_counts("allocation")
        self.assertEqual(status, 1, said)
        self.assertIn(f"{LOAD} inside: allocations_per_message grew from 0 to ", said)
        self.assertNotIn("calls_per_message grew", said)

    def test_a_system_call_that_the_runtime_does_not_count_is_named(self):
        status, said = self.check_counts("system_call")
        if "refuses ptrace" in said:
            self.skipTest("the kernel refuses ptrace")
        self.assertEqual(status, 1, said)
        self.assertIn(f"{LOAD} traced, client: the kernel saw ", said)
        self.assertIn("system_calls_per_message grew", said)
        self.assertNotIn("allocations_per_message grew", said)


@unittest.skipIf(shutil.which("valgrind") is None, "there is no valgrind")
class InstructionsTest(CheckedTest):
    def check_instructions(self, program, slowed=""):
        return self.check(program, "--only", "instructions", slowed=slowed)

    def test_more_than_recorded_fail_and_fewer_should_be_recorded(self):
        status, said = self.check(COUNTED, "--write")
        self.assertEqual(status, 0, said)
        (build, recorded), = json.loads(self.file.read_text())["instructions"]["per_message"].items()

        status, said = self.check_instructions(COUNTED_SLOWED, "instructions")
        self.assertEqual(status, 1, said)
        self.assertIn(f"{LOAD}: instructions_per_message grew from ", said)

        self.expect({build: {LOAD: 2 * recorded[LOAD]}})
        status, said = self.check_instructions(COUNTED)
        self.assertEqual(status, 0, said)
        self.assertIn("fewer than recorded", said)

    def test_a_build_that_was_not_recorded_is_skipped(self):
        self.expect({"ccc 1.0, vax, -O9": {LOAD: 1}})
        status, said = self.check_instructions(COUNTED)
        self.assertEqual(status, SKIPPED, said)
        self.assertIn("none are recorded for ", said)
        self.assertIn("only for ccc 1.0, vax, -O9", said)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
