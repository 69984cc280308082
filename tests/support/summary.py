"""Adds up what `meson test` and GoogleTest wrote, and prints it as tables.

Usage: summary.py BUILD...
Each build folder gives a table with one row for each test program; the last line is
`N passed, N failed` (`, N skipped` if any) over all of them, counting the cases of a GoogleTest
program one by one and any other program as one. A program that crashed or ran out of time counts as
a failure, and so does a build that has no results. Exits with 1 if anything failed or nothing ran.
"""

import json
import pathlib
import sys

DETAIL_LINES_MAX = 12
PASSED = "[       OK ] "
RUNNING = "[ RUN      ] "
ENDED = (PASSED, "[  FAILED  ] ", "[  SKIPPED ] ")


class Suite:
    """The result of one test program."""

    def __init__(self, name, seconds=0.0):
        self.name = name
        self.seconds = seconds
        self.passed = 0
        self.skipped = 0
        self.failures = []  # (name, detail)

    def add_cases(self, report):
        """Counts the cases of GoogleTest's own report."""
        for group in report["testsuites"]:
            for case in group["testsuite"]:
                if case.get("status") == "NOTRUN":
                    continue
                if case.get("failures"):
                    detail = case["failures"][0]["failure"]
                    self.failures.append((f"{group['name']}.{case['name']}", detail))
                elif case.get("result") == "SKIPPED":
                    self.skipped += 1
                else:
                    self.passed += 1


def read_suite(build, entry):
    """One line of Meson's log, with GoogleTest's report if there is one."""
    name = entry["name"].split(" / ")[-1]
    suite = Suite(name, entry.get("duration", 0.0))
    result = entry["result"]
    report = build / "tests" / "gtest" / f"{name}.json"
    if report.is_file():
        suite.add_cases(json.loads(report.read_text()))
        if result != "OK" and not suite.failures:
            suite.failures.append((name, f"every case passed, then: {result}\n{tail(entry)}"))
    elif result == "OK":
        suite.passed = 1
    elif result == "SKIP":
        suite.skipped = 1
    else:
        add_broken_off(suite, entry)
    return suite


def add_broken_off(suite, entry):
    """Counts a program that failed and left no report, from what it printed."""
    lines = entry.get("stdout", "").splitlines()
    suite.passed = sum(line.startswith(PASSED) for line in lines)
    name = suite.name
    for line in lines:
        if line.startswith(RUNNING):
            name = line.removeprefix(RUNNING)
        elif line.startswith(ENDED):
            name = suite.name
    what = f"{entry['result']}, exit status {entry.get('returncode')}"
    suite.failures.append((name, f"{what}\n{tail(entry)}"))


def tail(entry):
    """The end of what a program printed."""
    lines = (entry.get("stdout", "") + "\n" + entry.get("stderr", "")).splitlines()
    return "\n".join([line for line in lines if line.strip()][1 - DETAIL_LINES_MAX:])


def read_build(build):
    """The suites of one build folder."""
    log = build / "meson-logs" / "testlog.json"
    if not log.is_file():
        suite = Suite("(build)")
        suite.failures.append(("build", "no results: it did not build, or the tests did not start"))
        return [suite]
    entries = [json.loads(line) for line in log.read_text().splitlines() if line.strip()]
    return sorted((read_suite(build, entry) for entry in entries), key=lambda suite: suite.name)


def print_table(build, suites):
    width = max([len(suite.name) for suite in suites] + [5])
    print(f"\n{build.name:{width}}  passed  failed  skipped     time")
    for suite in suites:
        print(f"{suite.name:{width}}  {suite.passed:6}  {len(suite.failures):6}  "
              f"{suite.skipped:7}  {suite.seconds:6.1f} s")
    for suite in suites:
        for name, detail in suite.failures:
            print(f"\nFAILED {build.name}/{suite.name}: {name}")
            for line in detail.splitlines()[:DETAIL_LINES_MAX]:
                print(f"    {line}")


def main():
    passed = failed = skipped = 0
    for build in map(pathlib.Path, sys.argv[1:]):
        suites = read_build(build)
        print_table(build, suites)
        passed += sum(suite.passed for suite in suites)
        failed += sum(len(suite.failures) for suite in suites)
        skipped += sum(suite.skipped for suite in suites)
    print(f"\n{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
