"""Runs unittest cases as GoogleTest would: obeys GTEST_FILTER, and reports to GTEST_OUTPUT."""

import fnmatch
import json
import os
import pathlib
import sys
import time
import unittest


def is_selected(name):
    """Whether GTEST_FILTER, "A:B-C", takes the case "Suite.case"."""
    wanted, _, unwanted = os.environ.get("GTEST_FILTER", "*").partition("-")
    matches = lambda patterns: any(fnmatch.fnmatchcase(name, p) for p in patterns.split(":") if p)
    return matches(wanted or "*") and not matches(unwanted)


def name_of(case):
    suite, _, method = case.id().rpartition(".")
    return suite.split(".")[-1] + "." + method.removeprefix("test_")


def name_outside(text):
    """Of what fails outside a case: "tearDownClass (module.Suite)"."""
    suite = text.split(".")[-1].rstrip(")")
    return f"{suite}.{'tear_down' if text.startswith('tearDown') else 'set_up'}"


def cases_of(suite):
    for item in suite:
        yield from cases_of(item) if isinstance(item, unittest.TestSuite) else [item]


class Result(unittest.TestResult):
    """Prints and collects, case by case. What fails outside a case counts as one."""

    def __init__(self):
        super().__init__()
        self.rows = {}  # name -> (seconds, failure or None, skipped)

    def startTest(self, test):
        super().startTest(test)
        self._began = time.monotonic()
        print(f"[ RUN      ] {name_of(test)}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._row(test, None)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._row(test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._row(test, self.errors[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._row(test, None, reason)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._row(test, f"{subtest}\n{self._exc_info_to_string(err, test)}")

    def _row(self, test, failure, skipped=None):
        is_case = isinstance(test, unittest.TestCase)
        name = name_of(test) if is_case else name_outside(str(test))
        if self.rows.get(name, (0, None))[1]:
            return  # its first failure stays
        seconds = time.monotonic() - self._began if is_case else 0.0
        self.rows[name] = (seconds, failure, skipped)
        if failure:
            print(failure, flush=True)
        word = "[  FAILED  ]" if failure else "[  SKIPPED ]" if skipped else "[       OK ]"
        print(f"{word} {name} ({seconds * 1000:.0f} ms)" + (f": {skipped}" if skipped else ""),
              flush=True)


def write_report(path, result, all_names):
    groups = {}
    for name in all_names | result.rows.keys():
        suite, case = name.split(".", 1)
        row = {"name": case, "status": "NOTRUN", "result": "SUPPRESSED"}
        if name in result.rows:
            seconds, failure, skipped = result.rows[name]
            row = {"name": case, "status": "RUN", "time": f"{seconds:.3f}s",
                   "result": "SKIPPED" if skipped else "COMPLETED"}
            if failure:
                row["failures"] = [{"failure": failure, "type": ""}]
        groups.setdefault(suite, []).append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    suites = [{"name": suite, "testsuite": rows} for suite, rows in sorted(groups.items())]
    path.write_text(json.dumps({"testsuites": suites}, indent=1))


def main(module_names):
    loaded = unittest.defaultTestLoader.loadTestsFromNames(module_names)
    cases = list(cases_of(loaded))
    result = Result()
    unittest.TestSuite(case for case in cases if is_selected(name_of(case))).run(result)
    failed = sum(1 for row in result.rows.values() if row[1])
    output = os.environ.get("GTEST_OUTPUT", "")
    if output.startswith("json:"):
        write_report(pathlib.Path(output.removeprefix("json:")), result, set(map(name_of, cases)))
    print(f"{len(result.rows) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
