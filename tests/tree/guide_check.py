"""The code on each page of docs/guide is code of a program that the tests build and run.

Usage: guide_check.py ROOT. Each ```cpp block of docs/guide/NAME.md stands in docs/examples/guide/NAME.cc, line by line;
only the indentation of the whole block may differ. Every such program has a page, and every link of a page leads
somewhere. Prints one line for each problem, `path:line: what`, and exits with 1 if there are any.
"""

import pathlib
import re
import sys
import textwrap

LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def blocks_of(lines):
    """(line number, code) of each ```cpp block."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "```cpp":
            start = number
        elif line.rstrip() == "```" and start is not None:
            yield start, lines[start:number - 1]
            start = None


def stands_in(block, program):
    """Whether the lines of `block` follow each other in `program`, all indented by the same amount more or less."""
    block = textwrap.dedent("\n".join(block)).split("\n")
    count = len(block)
    for first in range(len(program) - count + 1):
        if program[first].strip() != block[0].strip():
            continue
        if textwrap.dedent("\n".join(program[first:first + count])).split("\n") == block:
            return True
    return False


def check_page(root, page):
    """Yields (line, what) for each problem of one page."""
    lines = page.read_text().splitlines()
    program = root / "docs/examples/guide" / f"{page.stem}.cc"
    blocks = list(blocks_of(lines))
    if blocks and not program.is_file():
        yield blocks[0][0], f"no {program.relative_to(root).as_posix()} holds its code"
    elif blocks:
        code = [line.rstrip() for line in program.read_text().splitlines()]
        for number, block in blocks:
            if not stands_in(block, code):
                yield number, f"the block is not in {program.relative_to(root).as_posix()}"
    for number, line in enumerate(lines, 1):
        for target in LINK.findall(line):
            if not (page.parent / target).exists():
                yield number, f"links to what is not there: {target}"


def check(root):
    """Every problem of the guide, as `path:line: what`."""
    problems = []
    for page in sorted((root / "docs/guide").glob("*.md")):
        for line, what in check_page(root, page):
            problems.append(f"{page.relative_to(root).as_posix()}:{line}: {what}")
    for program in sorted((root / "docs/examples/guide").glob("*.cc")):
        if not (root / "docs/guide" / f"{program.stem}.md").is_file():
            problems.append(f"{program.relative_to(root).as_posix()}:1: no page docs/guide/{program.stem}.md")
    return problems


def main():
    problems = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(problems) or "the guide's code is code that runs")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
