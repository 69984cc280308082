"""Checks the shape of the source tree: which folder may include what, and what every file needs.

Usage: tree_check.py ROOT. Prints one line for each problem, `path:line: what`, and exits with 1 if
there are any. The arrows are those of the picture in docs/, the names of the rules below.
"""

import pathlib
import re
import sys

# What each folder of the library may include: folders of ours, and kinds of header that are not.
# std: <vector>; system: libc, kernel and compiler; the others are libraries.
ARROWS = {
    "coro": ({"coro"}, {"std"}),
    "runtime/base": ({"runtime/base"}, {"std", "system", "absl"}),
    "runtime": ({"runtime", "runtime/base", "coro"}, {"std", "system", "absl", "liburing"}),
    "runtime/explain": ({"runtime/explain", "runtime", "runtime/base"}, {"std", "system", "liburing", "nlohmann"}),
    "shm": ({"shm", "runtime/base"}, {"std", "system", "absl"}),
    "ipc": ({"ipc", "shm", "runtime", "runtime/base", "coro"}, {"std", "system", "absl"}),
}
LIBRARY = ("coro", "runtime", "shm", "ipc")
FOLDERS = LIBRARY + ("tests", "perf", "docs")
LINES_MAX = 400

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def unit_of(path):
    """The folder that a file of the tree belongs to, as ARROWS names it."""
    for part in ("runtime/base", "runtime/explain"):
        if path.startswith(part + "/"):
            return part
    return path.split("/")[0]


def kind_of(header):
    """What a header outside the tree is: std, system, or the name of its library."""
    if "/" not in header:
        if "." not in header:
            return "std"
        return "liburing" if header == "liburing.h" else "system"
    first = header.split("/")[0]
    return first if first in {"absl", "liburing", "gtest", "gmock", "benchmark", "boost", "CLI",
                              "nlohmann"} else "system"


def check_include(root, unit, bracket, header):
    """What is wrong with one include of a file in `unit`, or None."""
    ours = header.startswith("wharf/")
    if bracket == '"' and not ours and kind_of(header) in {"std", "system"}:
        return f'include "{header}" does not read "wharf/<folder>/<file>.h"'
    if bracket == "<" and ours:
        return f'include <{header}> belongs in quotes'
    if ours and not (root / header.removeprefix("wharf/")).is_file():
        return f'include "{header}" names no file of the tree'
    if unit not in ARROWS:
        return None
    folders, kinds = ARROWS[unit]
    target = unit_of(header.removeprefix("wharf/")) if ours else kind_of(header)
    if target in (folders if ours else kinds):
        return None
    return f"arrow {unit} -> {target} not allowed: {header}"


def is_listed(root, file):
    """Whether the nearest meson.build at or above a file's folder names it."""
    for folder in file.parents:
        build = folder / "meson.build"
        if build.is_file():
            return f"'{file.relative_to(folder).as_posix()}'" in build.read_text()
        if folder == root:
            break
    return False


def check_file(root, file):
    """Yields (line, what) for each problem of one file."""
    path = file.relative_to(root).as_posix()
    lines = file.read_text().splitlines()
    if len(lines) > LINES_MAX:
        yield len(lines), f"{len(lines)} lines; {LINES_MAX} is the limit"
    if file.suffix not in {".h", ".cc"}:
        return
    if file.suffix == ".h" and not any(line.strip() == "#pragma once" for line in lines):
        yield 1, "no #pragma once"
    in_library = path.split("/")[0] in LIBRARY
    outside = path.startswith("tests/tree/outside/")
    if (file.suffix == ".cc" or in_library) and not outside and not is_listed(root, file):
        yield 1, "not listed in its meson.build"
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            problem = check_include(root, unit_of(path), match[1], match[2])
            if problem:
                yield number, problem


def check(root):
    """Every problem of the tree, as `path:line: what`."""
    problems = []
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in {".h", ".cc", ".py"} or file.name == "meson.build":
                for line, what in check_file(root, file):
                    problems.append(f"{file.relative_to(root).as_posix()}:{line}: {what}")
    return problems


def main():
    problems = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(problems) or "the tree is in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
