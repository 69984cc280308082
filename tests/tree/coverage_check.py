"""docs/coverage.md says, for every row and every old defect, which tests prove it. This holds the page and the tests' names
together: every row has a test, or says why it cannot apply; every test that names a row is listed; none is made up. Nor is
any that docs/operations.md names.

Usage: coverage_check.py SOURCE [--write]      --write puts the tests' names into the page
"""

import pathlib
import re
import sys

WANTED = (
    [f"S{i}" for i in range(1, 21)]
    + [f"M{i}" for i in range(1, 15)]
    + ["U1", "U2", "U3", "U7"]
    + [f"D{i}" for i in range(1, 47)]
)
TEST = re.compile(r"^(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)
IDS = re.compile(r"^((?:[SMUD]\d+_)+)")
ROW = re.compile(r"^\| (\w+) \| (.*?) \| (.*?) \|$")
NOT_APPLICABLE = "does not apply: "
NAMED = re.compile(r"`(\w+Test\.\w+)`")


def all_tests(source):
    """(suite, name) of every test."""
    for path in sorted((source / "tests").rglob("*.cc")):
        yield from TEST.findall(path.read_text())


def made_up(page, tests):
    """The tests that a page names and that do not exist."""
    names = {f"{suite}.{name}" for suite, name in tests}
    return [f"there is no {name}" for name in NAMED.findall(page) if name not in names]


def tests_by_row(tests):
    """Row -> names of the tests that name it: `Suite.S1_S2_WhatHolds` names S1 and S2."""
    found = {}
    for suite, name in tests:
        ids = IDS.match(name)
        for row in ids.group(1).rstrip("_").split("_") if ids else []:
            found.setdefault(row, []).append(f"{suite}.{name}")
    return {row: sorted(set(names)) for row, names in found.items()}


def cell_of(names):
    return "<br>".join(f"`{name}`" for name in names)


def check(page, found):
    """The page's complaints, and the page as it should be."""
    complaints, lines, rows = [], [], set()
    for line in page.splitlines():
        match = ROW.match(line)
        if match is None or match.group(1) not in WANTED:
            lines.append(line)
            continue
        row, what, cell = match.groups()
        rows.add(row)
        names = found.get(row, [])
        if names:
            if cell != cell_of(names):
                complaints.append(f"{row}: the page and the tests' names differ")
            cell = cell_of(names)
        elif not cell.startswith(NOT_APPLICABLE):
            complaints.append(f"{row}: no test is named after it")
        lines.append(f"| {row} | {what} | {cell} |")
    complaints += [f"{row}: missing from the page" for row in WANTED if row not in rows]
    complaints += [f"{row}: there is no such row, but {names[0]} names it" for row, names in found.items() if row not in WANTED]
    return complaints, "\n".join(lines) + "\n"


def main():
    source = pathlib.Path(sys.argv[1])
    path = source / "docs" / "coverage.md"
    tests = list(all_tests(source))
    found = tests_by_row(tests)
    complaints, wanted_page = check(path.read_text(), found)
    if "--write" in sys.argv[2:]:
        path.write_text(wanted_page)
        complaints, _ = check(wanted_page, found)
    for complaint in complaints:
        print(f"docs/coverage.md: {complaint}")
    if complaints:
        sys.exit("remedy: name a test after the row, then python3 tests/tree/coverage_check.py . --write")
    complaints = made_up((source / "docs" / "operations.md").read_text(), tests)
    if complaints:
        sys.exit("\n".join(f"docs/operations.md: {complaint}" for complaint in complaints))


if __name__ == "__main__":
    main()
