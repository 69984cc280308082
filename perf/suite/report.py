"""`./dev perf report FILE`: docs/performance.md, its plots, and the table in README.md, from the JSON of a run.

What is generated stands between two markers; the prose around them stays.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

from . import plots, runtime, units
from .results import Result, best_peer_of, floor_of, rows_of, wharf_of
from .table import goal_line, name_in_case, rate_of, ratio_of, time_of, title_of

BEGIN = "<!-- perf:begin -->"
END = "<!-- perf:end -->"

# The rows of README.md: what it is called there.
SUMMARY = {
    "round_trip/64/split/default": "64 B there and back, a core each",
    "round_trip/64/same/default": "64 B there and back, one core",
    "calls/64/split/default/64": "a call of 64 B, 64 in flight",
    "stream/64/split/default": "64 B one way, streamed",
    "stream/1048576/split/default": "1 MiB one way, streamed",
    "fd/64/split/default": "a message with a descriptor",
}


def markdown_table(head: list[str], lines: list[list[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *lines])


def machine_list(machine: dict[str, Any]) -> str:
    return "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in machine.items())


def goals_table(goals: list[dict[str, Any]]) -> str:
    head = ["goal", "measured", "limit", "against", "met"]
    words = {"met": "yes", "NOT MET": "**no**", "not measured": "not measured"}
    return markdown_table(head, [[*cells[:4], words[cells[4]]] for cells in map(goal_line, goals)])


def case_table(rows: list[list[Result]]) -> str:
    """A line for each row, a column for each contender; the best peer's ratio last."""
    names: dict[str, None] = {}
    for role in ("floor", "wharf", "peer"):
        names |= dict.fromkeys(column_of(r) for row in rows for r in row if r["role"] == role)
    rates = any("messages_per_second" in result for row in rows for result in row)
    peers = any(best_peer_of(row) for row in rows)
    head = ["", *names, "wharf to floor"] + ["best peer to wharf"] * peers + ["wharf's rate"] * rates
    lines = []
    for row in rows:
        shown = wharf_of(row) or row[0]
        by_name = {column_of(result): result for result in row}
        line = [name_in_case(shown), *(time_of(by_name.get(name)) for name in names), ratio_of(wharf_of(row))]
        if peers:
            peer = best_peer_of(row)
            line.append(units.times(peer["ratio"]) if peer and "ratio" in peer else "-")
        if rates:
            line.append(rate_of(shown))
        lines.append(line)
    return markdown_table(head, lines)


def column_of(result: Result) -> str:
    """Where wharf is its own floor, the two have a column each."""
    return "wharf, floor" if result["role"] == "floor" and result["contender"] == "wharf" else result["contender"]


def sections(results: list[Result], drawn: list[plots.Plot]) -> list[str]:
    """For each case its plot and its tables: rows where peers take part, and rows where they do not."""
    pictures = {plot.case: plot for plot in drawn}
    cases: dict[str, dict[bool, list[list[Result]]]] = {}
    for name, row in rows_of(results).items():
        if not name.startswith(("bench/", "http/", "echo/")):
            against = "/against " in name or name.split("/")[3] != "default"
            cases.setdefault(row[0]["case"], {}).setdefault(against, []).append(row)
    text = []
    for case, tables in cases.items():
        text.append(f"## {title_of(case)}")
        if case in pictures:
            plot = pictures[case]
            text.append(f"![{plot.title}](performance/{plot.file})")
        text += [case_table(tables[against]) for against in sorted(tables)]
    return text


PER_OPERATION = {
    "system_calls_per_operation": "system calls",
    "voluntary_switches_per_operation": "sleeps",
    "involuntary_switches_per_operation": "times moved aside",
    "cpu_ns_per_operation": "processor time",
}


def use_section(results: list[Result]) -> list[str]:
    """What one operation uses up at 64 bytes, all processes together."""
    lines = []
    for name, row in rows_of(results).items():
        if not name.startswith(("round_trip/64/", "stream/64/", "calls/64/", "fd/64/")) or "/against " in name:
            continue
        for result in row:
            counts = result["counts"]
            if result["role"] != "floor" and "cpu_ns_per_operation" in counts:
                numbers = [f"{counts[key]:.2g}" if key in counts else "-" for key in list(PER_OPERATION)[:3]]
                lines.append([name, result["contender"], *numbers, units.nanoseconds(counts["cpu_ns_per_operation"])])
    if not lines:
        return []
    text = "All processes together. Only wharf counts its own system calls; a sleep is a voluntary context switch."
    return ["## What an operation uses", text, markdown_table(["", "", *PER_OPERATION.values()], lines)]


def bench_section(results: list[Result]) -> list[str]:
    rows = [result for result in results if result["row"].startswith("bench/")]
    if not rows:
        return []
    lines = [[r["case"], time_of(r), units.nanoseconds(r["min"]), units.nanoseconds(r["max"])] for r in rows]
    return ["## Inside one process", markdown_table(["benchmark", "median", "min", "max"], lines)]


def runtime_section(results: list[Result]) -> list[str]:
    rows = rows_of(results)
    claims, echo = runtime.claim_lines(rows), runtime.echo_lines(rows)
    if not claims and not echo:
        return []
    text = ["## The runtime by itself", "Without ports: coroutines, timers and sockets, each beside the least that can do it."]
    if claims:
        text.append(markdown_table(runtime.CLAIM_HEAD, claims))
    if echo:
        text += ["A server of TCP connections, 64 bytes there and back on each; the client is the same for all, on the "
                 "other core. `uring_echo` is the bare floor; `uring_echo_quiet` knows more of its clients than a server "
                 "can.", markdown_table(runtime.ECHO_HEAD, echo)]  # fmt: skip
    return text


def http_section(results: list[Result]) -> list[str]:
    rows = [result for result in results if result["row"].startswith("http/")]
    if not rows:
        return []
    lines = [
        [r["case"], str(r["count"]), r["contender"], *(f"{r[key]:.0f} {r['unit']}" for key in ("median", "min", "max"))]
        for r in rows
    ]
    head = ["", "connections", "server", "median", "min", "max"]
    return ["## HTTP", "The example server and its peers under wrk.", markdown_table(head, lines)]


def met_of(goals: list[dict[str, Any]]) -> str:
    measured = [goal for goal in goals if goal["met"] is not None]
    return f"{sum(goal['met'] for goal in measured)} of {len(measured)} goals are met"


def whole_report(run: dict[str, Any], drawn: list[plots.Plot]) -> str:
    missing = sum(goal["met"] is None for goal in run["goals"])
    parts = [
        machine_list(run["machine"]),
        "## Goals",
        f"{met_of(run['goals'])}; {missing} more were not measured.",
        goals_table(run["goals"]),
        *sections(run["results"], drawn),
        *runtime_section(run["results"]),
        *use_section(run["results"]),
        *http_section(run["results"]),
        *bench_section(run["results"]),
    ]
    return "\n\n".join(parts)


def summary(run: dict[str, Any]) -> str:
    """What README.md shows."""
    rows = rows_of(run["results"])
    lines = []
    for name, text in SUMMARY.items():
        row = rows.get(name, [])
        if wharf_of(row):
            floor, peer = floor_of(row), best_peer_of(row)
            lines.append([
                text,
                f"{time_of(floor)} ({floor['contender']})" if floor else "-",
                f"**{time_of(wharf_of(row))}**",
                f"{time_of(peer)} ({peer['contender']})" if peer else "-",
            ])  # fmt: skip
    machine = run["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}"
    table = markdown_table(["", "bare floor", "wharf", "best peer"], lines)
    return f"{table}\n\nMedians on {where}; {met_of(run['goals'])}."


def replace_between(text: str, generated: str) -> str:
    """`text` with what is between the markers replaced."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{generated}\n{END}{after}"


def read(file: pathlib.Path) -> dict[str, Any]:
    """The JSON of a run."""
    try:
        run = json.loads(file.read_text())
        return {key: run[key] for key in ("machine", "results", "goals")}
    except OSError as error:
        raise SystemExit(f"perf: {file} cannot be read: {error.strerror}") from None
    except (ValueError, LookupError, TypeError):
        raise SystemExit(f"perf: {file} is no file of ./dev perf --json") from None


def write(root: pathlib.Path, file: pathlib.Path) -> int:
    run = read(file)
    drawn = plots.draw_all(run["results"], root / "docs" / "performance")
    for page, text in (("docs/performance.md", whole_report(run, drawn)), ("README.md", summary(run))):
        path = root / page
        try:
            path.write_text(replace_between(path.read_text(), text))
        except ValueError as error:
            raise SystemExit(f"perf: {page}: {error}") from error
        print(f"wrote {page}")
    for plot in drawn:
        print(f"wrote docs/performance/{plot.file}")
    return 0
