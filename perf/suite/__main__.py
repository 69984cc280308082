"""`./dev perf`: measures, reports, and what else belongs to the performance suite. See --help."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
from typing import Any

from . import (
    bench, command_line, contenders, goals, machine, once, plan, probes, report, results, runtime, soak, table, web,
)
from .progress import Progress
from .run import FULL, QUICK, Suite

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUSY = 0.7  # processes that run beside the suite


def run(options: argparse.Namespace) -> int:
    built = contenders.find(options.build, options.only)
    if not built:
        sys.exit(f"perf: no contender was built in {options.build}")
    rows = plan.make(built, options.quick, options.case)
    if not rows:
        sys.exit("perf: nothing to measure; --list shows the rows, and perf/suite/README.md the cases")
    if options.list:
        print(plan.describe(rows))
        return 0
    if os.getloadavg()[0] > BUSY:
        print(f"the machine is busy (load average {os.getloadavg()[0]:.1f}): its times say little", file=sys.stderr)
    print(f"contenders: {', '.join(dict.fromkeys(c.name for c in built))}")
    suite = Suite(QUICK if options.quick else FULL, Progress(len(rows)))
    where = machine.describe(ROOT, options.build)
    found = [result for measured in suite.measure_all(rows) for result in results.results_of(measured)]
    http_goals: list[dict[str, Any]] = []
    if not (options.case or options.only):
        more, wrong = probes.measure(options.build)
        found += more
        suite.failures += [("rest", once.Failure("wharf_probe", wrong))] if wrong else []
        more, http_goals, wrong = web.measure(options.build, options.quick)
        found += more
        suite.failures += [("http", once.Failure("perf/suite/http.py", wrong))] if wrong else []
        more, wrong = bench.measure(options.build, runtime.PROGRAMS if options.quick else None)
        found += more
        suite.failures += [("bench", once.Failure("perf/*_perf", wrong))] if wrong else []
    judged = goals.judge(found, http_goals)
    print(table.results_table(found))
    print()
    if by_itself := table.runtime_table(found):
        print(by_itself)
        print()
    print(table.goals_table(judged))
    for case in plan.absent(built):
        print(f"not built: wharf with the case {case}")
    if options.json:
        whole = {"machine": where, "results": found, "goals": judged}
        options.json.write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n")
    return show_failures(suite)


def show_failures(suite: Suite) -> int:
    """The runs that failed, again, at the end: exit status 1 if there are any."""
    for row, failure in suite.failures:
        print(f"FAILED {row}\n    {failure.command}\n    {failure.text}", file=sys.stderr)
    return 1 if suite.failures else 0


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev perf", description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "perf", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("run", help="measure (what './dev perf' does with no command)")
    command.add_argument("--quick", action="store_true", help="fewer sizes and repetitions: within 3 minutes")
    command.add_argument("--json", type=command_line.file_to_write, metavar="FILE", help="write the results to FILE too")
    command.add_argument("--case", help="the rows of one case, for instance round_trip")
    command.add_argument("--only", nargs="+", metavar="CONTENDER", help="these contenders, and the floors")
    command.add_argument("--list", action="store_true", help="print the rows, and measure nothing")
    command.set_defaults(body=run)

    command = commands.add_parser("bench", help="run the benchmarks of what is inside one process",
                                  epilog="All further arguments go to Google Benchmark.")  # fmt: skip
    command.set_defaults(body=lambda options: bench.show(options.build, options.arguments))

    command = commands.add_parser("soak", help="a long stream: memory and times stay flat")
    soak.options_of(command)
    command.set_defaults(body=lambda options: soak.run(options, lambda: machine.describe(ROOT, options.build)))

    command = commands.add_parser("report", help="write docs/performance.md, its plots and README.md's table")
    command.add_argument("file", type=pathlib.Path, help="what --json wrote")
    command.set_defaults(body=lambda options: report.write(ROOT, options.file))
    return parser


def main() -> int:
    parser = arguments()
    options, rest = parser.parse_known_args()
    if rest and options.command != "bench":
        parser.error(f"unknown argument '{rest[0]}'")
    options.arguments = rest
    return options.body(options)


if __name__ == "__main__":
    sys.exit(command_line.exit_status(main))
