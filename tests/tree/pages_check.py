"""What the pages name is there: the target of each link, each file of the tree, each command of ./dev.

Usage: pages_check.py ROOT. Looks at every page (*.md) of the tree. Prints one line for each problem, `path:line: what`, and
exits with 1 if there are any. A name with NAME in it stands for others.
"""

import pathlib
import re
import sys

FOLDERS = ("coro", "runtime", "shm", "ipc", "tests", "perf", "docs")
LINK = re.compile(r"\[[^\]]+\]\(([^)#:\s]+)(?:#[^)]*)?\)")
FILE = re.compile(rf"`(?:wharf/)?((?:{'|'.join(FOLDERS)})/[\w./-]+\.(?:h|cc|py|md|json|lua|pml|build))`")
COMMAND = re.compile(r"\./dev ([a-z]+)")


def pages_of(root):
    """The pages of the tree, and none that was built or fetched."""
    yield from sorted(root.glob("*.md"))
    for folder in FOLDERS:
        yield from sorted((root / folder).rglob("*.md"))


def check_line(root, page, line, commands):
    """Yields what is wrong with one line of a page."""
    for target in LINK.findall(line):
        if not (page.parent / target).exists():
            yield f"links to what is not there: {target}"
    for name in FILE.findall(line):
        if "NAME" not in name and not (root / name).exists():
            yield f"names a file that is not there: {name}"
    for command in COMMAND.findall(line):
        if command not in commands:
            yield f"names a command that ./dev does not have: {command}"


def check(root):
    """Every problem of the pages, as `path:line: what`."""
    commands = re.findall(r"^cmd_(\w+)\(\)", (root / "dev").read_text(), re.MULTILINE)
    return [
        f"{page.relative_to(root).as_posix()}:{number}: {what}"
        for page in pages_of(root)
        for number, line in enumerate(page.read_text().splitlines(), 1)
        for what in check_line(root, page, line, commands)
    ]


def main():
    problems = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(problems) or "what the pages name is there")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
