"""`./dev perf soak`: a billion messages, in slices. Neither memory nor the time of a message may grow."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

from . import command_line, probes, table, units

TIME_LIMIT = 1.25  # of the last third over the first: a shared machine has its moods
MEMORY_LIMIT = 1.02

Slice = dict[str, Any]


def options_of(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--messages", type=float, default=1e9, help="how many (1e9)")
    parser.add_argument("--slices", type=int, default=40, help="how often time and memory are looked at (40)")
    parser.add_argument("--same-core", action="store_true", help="both processes on one core")
    parser.add_argument("--json", type=command_line.file_to_write, metavar="FILE",
                        help="write the slices and the goals to FILE too")  # fmt: skip


def thirds(slices: list[Slice], key: str) -> tuple[float, float]:
    """The medians of the first and the last third. The very first slice warms up, and is left out where it can be."""
    values = [line[key] for line in slices]
    if len(values) > 3:
        values = values[1:]
    third = max(1, len(values) // 3)
    return statistics.median(values[:third]), statistics.median(values[-third:])


def goal_of(text: str, limit: float, slices: list[Slice], key: str) -> dict[str, Any]:
    first, last = thirds(slices, key)
    ratio = last / first
    return {"goal": text, "ratio": ratio, "limit": limit, "met": ratio <= limit, "at_least": False, "unit": "x",
            "against": "the first third"}  # fmt: skip


def judge(slices: list[Slice]) -> list[dict[str, Any]]:
    return [
        goal_of("soak: resident memory, last third", MEMORY_LIMIT, slices, "rss_kib"),
        goal_of("soak: time of a message, last third", TIME_LIMIT, slices, "ns_per_message"),
    ]


def results_of(slices: list[Slice], placement: str) -> list[dict[str, Any]]:
    times = [line["ns_per_message"] for line in slices]
    memory = [line["rss_kib"] for line in slices]
    common = {"payload_bytes": 64, "placement": placement, "mode": "default", "contender": "wharf", "role": "wharf",
              "repetitions": len(slices), "count": 1, "counts": {}}  # fmt: skip
    return [
        {"case": case, **common, "unit": unit, "median": statistics.median(values), "min": min(values),
         "max": max(values), "row": f"{case}/64/{placement}/default"}
        for case, unit, values in (("soak", "ns", times), ("soak_memory", "KiB", memory))
    ]  # fmt: skip


def read(lines: Iterable[str], show: Callable[[Slice], None]) -> list[Slice]:
    slices = []
    for line in lines:
        slices.append(json.loads(line))
        show(slices[-1])
    return slices


def show(line: Slice) -> None:
    memory = units.size(line["rss_kib"] * 1024)
    print(f"{line['slice'] + 1:4}  {line['messages']:.3g} messages, {units.nanoseconds(line['ns_per_message'])} each, "
          f"{memory}", flush=True)  # fmt: skip


def run(options: argparse.Namespace, machine: Callable[[], dict[str, Any]]) -> int:
    program = probes.program_in(options.build)
    if not program.exists():
        sys.exit(f"perf: there is no {program}")
    command = [str(program), "soak", "--messages", str(int(options.messages)), "--slices", str(options.slices)]
    process = subprocess.Popen(command + ["--same-core"] * options.same_core, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        slices = read(process.stdout, show)
    except BaseException:
        process.kill()
        raise
    if process.wait() != 0 or not slices:
        print(f"FAILED: {' '.join(command)}: exit status {process.returncode}", file=sys.stderr)
        return 1
    results, goals = results_of(slices, "same" if options.same_core else "split"), judge(slices)
    print(table.goals_table(goals))
    if options.json:
        whole = {"machine": machine(), "results": results, "goals": goals, "slices": slices}
        options.json.write_text(json.dumps(whole, indent=1) + "\n")
    return 0 if all(goal["met"] for goal in goals) else 1
