"""Shows that summary.py counts each way a test program can end."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

import summary


def case(name, **fields):
    return {"name": name, "status": "RUN", "result": "COMPLETED", **fields}


class SummaryTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        (self.build / "meson-logs").mkdir()
        (self.build / "tests" / "gtest").mkdir(parents=True)

    def program(self, name, result, cases=None, stdout=""):
        """Adds a program to Meson's log, and its report if it wrote one."""
        entry = {"name": f"wharf:area / {name}", "result": result, "duration": 0.5, "returncode": 1,
                 "stdout": stdout}
        with open(self.build / "meson-logs" / "testlog.json", "a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        if cases is not None:
            report = {"testsuites": [{"name": "RingTest", "testsuite": cases}]}
            (self.build / "tests" / "gtest" / f"{name}.json").write_text(json.dumps(report))

    def run_summary(self):
        """Returns the exit status, everything printed, and the last line."""
        printed = io.StringIO()
        sys.argv = ["summary.py", str(self.build)]
        with contextlib.redirect_stdout(printed):
            status = summary.main()
        return status, printed.getvalue(), printed.getvalue().splitlines()[-1]

    def test_cases_are_counted_one_by_one(self):
        self.program("shm_test", "OK", [
            case("A"), case("B"), case("C", result="SKIPPED"), case("D", status="NOTRUN")])
        self.program("tree_check", "OK")

        self.assertEqual(self.run_summary()[::2], (0, "3 passed, 0 failed, 1 skipped"))

    def test_a_failed_case_is_named_with_its_message(self):
        self.program("shm_test", "FAIL", [case("A"), case("B", failures=[{"failure": "1 != 2"}])])

        status, printed, last = self.run_summary()

        self.assertEqual((status, last), (1, "1 passed, 1 failed"))
        self.assertIn("shm_test: RingTest.B\n    1 != 2\n", printed)

    def test_a_crash_names_the_case_that_was_running(self):
        self.program("shm_test", "FAIL", stdout="[ RUN      ] RingTest.A\n"
                     "[       OK ] RingTest.A (0 ms)\n[ RUN      ] RingTest.B\nboom\n")

        status, printed, last = self.run_summary()

        self.assertEqual((status, last), (1, "1 passed, 1 failed"))
        self.assertIn("shm_test: RingTest.B\n    FAIL, exit status 1\n", printed)
        self.assertIn("    boom\n", printed)

    def test_a_failure_after_the_last_case_counts(self):
        self.program("shm_test", "FAIL", [case("A")], stdout="a leak\n")

        self.assertEqual(self.run_summary()[::2], (1, "1 passed, 1 failed"))

    def test_running_out_of_time_counts(self):
        self.program("shm_test", "TIMEOUT", stdout="[ RUN      ] RingTest.A\n")

        self.assertEqual(self.run_summary()[::2], (1, "0 passed, 1 failed"))

    def test_nothing_run_is_a_failure(self):
        self.program("shm_test", "OK", [])

        self.assertEqual(self.run_summary()[::2], (1, "0 passed, 0 failed"))

    def test_no_results_is_a_failure(self):
        self.assertEqual(self.run_summary()[::2], (1, "0 passed, 1 failed"))


if __name__ == "__main__":
    unittest.main()
