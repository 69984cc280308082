#!/usr/bin/env python3
"""Compares two revisions: is the newer one slower?

A and B are git revisions, or files that `./dev perf --json` wrote; '.' is the checkout as it is. Revisions are checked
out and built in build/compare, and run in turns: a few contests of two processes, and the Google Benchmarks. Google
Benchmark's own compare.py judges the times by a U test. A row that seems slower is measured again, and is a regression
if it is slower then too: beyond the threshold, and beyond chance.

Of two files only rows whose spreads do not touch can differ beyond chance; they should be of one machine.

Exit status: 0 nothing became slower, 1 something did, 2 it could not be found out.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
if str(ROOT / "perf") not in sys.path:
    sys.path.append(str(ROOT / "perf"))

from suite import command_line, revisions, trials, units, verdict  # noqa: E402
from suite.revisions import CompareError  # noqa: E402
from suite.verdict import Limits, Row  # noqa: E402

EXIT_SLOWER = 1
EXIT_UNKNOWN = 2
REPETITIONS_MIN = 5  # fewer cannot be significant at 0.01, however far they differ


def table(rows: list[Row], limits: Limits, old: str, new: str) -> str:
    width = max(len("row"), *(len(row.name) for row in rows))
    lines = [f"{'row':<{width}}  {old[:12]:>12} {new[:12]:>12} {'change':>8} {'p':>7}"]
    for row in rows:
        line = (f"{row.name:<{width}}  {units.nanoseconds(row.old):>12} {units.nanoseconds(row.new):>12} "
                f"{100 * row.change:>+7.1f}% {row.p:>7.4f}  {row.word(limits)}")  # fmt: skip
        lines.append(line.rstrip())
    return "\n".join(lines)


def slower(rows: list[Row], limits: Limits) -> list[str]:
    return [row.name for row in rows if row.word(limits) == "REGRESSION"]


def conclude(rows: list[Row], limits: Limits) -> int:
    names = slower(rows, limits)
    if names:
        print(f"slower by more than {100 * limits.threshold:.0f} %, beyond chance: {', '.join(names)}")
    else:
        print(f"nothing became slower by more than {100 * limits.threshold:.0f} %, beyond chance")
    return EXIT_SLOWER if names else 0


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


# ---- Revisions ----

def trials_again(all_trials: list[trials.Trial], names: list[str]) -> list[trials.Trial]:
    """Those that give the named rows: a contest its own, a program of Google Benchmark's the rows of its name."""
    programs = {name.split("/")[0] for name in names}
    return [trial for trial in all_trials
            if trial.name in names or trial.program.removesuffix("_perf") in programs]  # fmt: skip


def confirm(rows: list[Row], again: list[Row], limits: Limits) -> list[Row]:
    """Rows as first measured, but for those that were measured again and were not slower twice."""
    second = {row.name: row for row in again}
    suspects = slower(rows, limits)
    return [second[row.name] if row.name in suspects and row.name in second else row for row in rows]


def compare_revisions(options: argparse.Namespace, limits: Limits) -> int:
    old, new = (revisions.build(ROOT, revision, options.jobs) for revision in (options.a, options.b))
    planned, left_out = trials.plan(old, new, options.seconds)
    for text in left_out:
        print(f"left out: {text}")
    if not planned:
        raise CompareError("the two have nothing in common that could be measured")
    samples = trials.measure(old, new, planned, options.rounds, progress)
    rows = verdict.judge(samples, limits)
    suspects = slower(rows, limits)
    if suspects:
        progress("")
        print(f"seems slower, and is measured again: {', '.join(suspects)}", flush=True)
        again = trials.measure(old, new, trials_again(planned, suspects), 2 * options.rounds, progress)
        rows = confirm(rows, verdict.judge(again, limits), limits)
    progress("")
    print(table(rows, limits, options.a, options.b))
    show_floor(new, options.seconds)
    return conclude(rows, limits)


def show_floor(build: revisions.Build, seconds: float) -> None:
    """What the machine itself takes, for reference."""
    trial = trials.floor_trial(build, seconds)
    if trial is None:
        return
    times = [trials.run_trial(build, trial)[trial.name][0] for _ in range(3)]
    print(f"for reference: {trial.name}, the floor: {units.nanoseconds(statistics.median(times))}")


# ---- Files ----

def read(file: str) -> dict:
    try:
        run = json.loads(pathlib.Path(file).read_text())
        run["results"][0]["median"]
        return run
    except (OSError, ValueError, LookupError, TypeError):
        raise CompareError(f"{file} is no file of ./dev perf --json") from None


def compare_files(options: argparse.Namespace, limits: Limits) -> int:
    old, new = read(options.a), read(options.b)
    if old.get("machine", {}).get("cpu") != new.get("machine", {}).get("cpu"):
        print("the files are of different machines: differences may be theirs")
    rows, left_out = verdict.compare_files(old, new)
    if left_out:
        print(f"left out, because only one file has them: {', '.join(left_out)}")
    if not rows:
        raise CompareError("the two files have no row of wharf in common")
    print(table(rows, limits, pathlib.Path(options.a).name, pathlib.Path(options.b).name))
    return conclude(rows, limits)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev perf compare", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("a", metavar="A", help="the older one: a git revision or a file")
    parser.add_argument("b", metavar="B", help="the newer one, of the same kind")
    parser.add_argument("--threshold", type=float, default=10, metavar="PERCENT",
                        help="a median that is worse by no more is no regression (10)")  # fmt: skip
    parser.add_argument("--alpha", type=float, default=0.01, metavar="P",
                        help="nor is one that chance gives as often (0.01)")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=9, metavar="N",
                        help=f"runs of each row, {REPETITIONS_MIN} or more (9)")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=0.1, help="of each run of a contest (0.1)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="of the build (2)")
    options = parser.parse_args(arguments)
    if options.rounds < REPETITIONS_MIN:
        parser.error(f"--rounds is less than {REPETITIONS_MIN}")
    return options


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    limits = Limits(options.alpha, options.threshold / 100)
    files = [pathlib.Path(name).is_file() for name in (options.a, options.b)]
    if any(files) and not all(files):
        raise CompareError("one is a file, the other is not")
    return compare_files(options, limits) if all(files) else compare_revisions(options, limits)


def run() -> int:
    try:
        return main(sys.argv[1:])
    except CompareError as failure:
        print(f"compare: {failure}", file=sys.stderr)
        return EXIT_UNKNOWN


if __name__ == "__main__":
    sys.exit(command_line.exit_status(run))
