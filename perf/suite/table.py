"""The tables on the terminal: a line for each row, then the goals."""

from __future__ import annotations

from typing import Any

from . import runtime, units
from .results import Result, best_peer_of, floor_of, rows_of, wharf_of

TITLES = {
    "round_trip": "Round trip",
    "stream": "Stream, one way",
    "calls": "Calls in flight",
    "fan_in": "Fan-in: all send to one",
    "fan_out": "Fan-out: one asks all",
    "fd": "File descriptor with each message",
    "beside_bulk": "Round trip beside a bulk transfer",
    "links": "Round trip on one link of many",
    "echo": "Echo over TCP, a server on the runtime alone",
    "crowd": "Pairs of processes, at once",
    "idle": "Links at rest: wake-ups",
    "memory": "Links at rest: memory of each",
}


def title_of(case: str) -> str:
    return TITLES.get(case, case)


def aligned(lines: list[list[str]]) -> list[str]:
    """The cells of each line under those of the first; the first column to the left, the others to the right."""
    if not lines:
        return []
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]


def name_in_case(result: Result) -> str:
    """What tells a row from the others of its case."""
    against = result["row"].partition("/against ")[2]
    words = [units.size(result["payload_bytes"]), result["placement"], result["row"].split("/")[3]]
    words += [f"x {result['count']}"] if result["count"] != 1 else []
    words += [f"(against {against})"] if against else []
    return " ".join(words)


def time_of(result: Result | None) -> str:
    if not result or result["median"] is None:
        return "-"
    return units.value_with_unit(result["median"], result["unit"])


def spread_of(result: Result) -> str:
    if result["median"] is None:
        return "-"
    return "..".join(units.value_with_unit(result[end], result["unit"]) for end in ("min", "max"))


def ratio_of(result: Result | None) -> str:
    if not result or "ratio" not in result:
        return "-"
    return f"{units.times(result['ratio'])} ({units.times(result['ratio_min'])}..{units.times(result['ratio_max'])})"


def rate_of(result: Result) -> str:
    if "messages_per_second" not in result:
        return ""
    return f"{units.per_second(result['messages_per_second'])}, {units.bytes_per_second(result['bytes_per_second'])}"


def row_line(row: list[Result]) -> list[str]:
    shown = wharf_of(row) or row[0]
    floor = floor_of(row)
    peer = best_peer_of(row)
    return [
        "  " + name_in_case(shown),
        time_of(shown),
        spread_of(shown),
        f"{floor['contender']} {time_of(floor)}" if floor else "-",
        ratio_of(shown),
        f"{shown.get('pairs', 0)}/{shown.get('pairs', 0) + shown.get('pairs_dropped', 0)}",
        f"{peer['contender']} {time_of(peer)}" if peer else "-",
        units.times(peer["ratio"]) if peer and "ratio" in peer else "-",
        rate_of(shown),
    ]


HEAD = ["", "wharf", "spread", "floor", "to floor", "pairs", "best peer", "faster", ""]


def results_table(results: list[Result]) -> str:
    """All rows, by case. `pairs`: those whose floors agreed, of those that were made."""
    lines = [HEAD]
    titles: dict[int, str] = {}
    case = None
    for row in rows_of([result for result in results if not result["row"].startswith(("bench/", "http/"))]).values():
        if row[0]["case"] != case:
            case = row[0]["case"]
            titles[len(lines)] = title_of(case)
        lines.append(row_line(row))
    text = []
    for index, line in enumerate(aligned(lines)):
        if index in titles:
            text.append(titles[index])
        text.append(line.rstrip())
    return "\n".join(text)


def runtime_table(results: list[Result]) -> str:
    """The runtime by itself: in one process, then its servers."""
    rows = rows_of(results)
    text = []
    for head, lines in ((runtime.CLAIM_HEAD, runtime.claim_lines(rows)), (runtime.ECHO_HEAD, runtime.echo_lines(rows))):
        if lines:
            text.append("\n".join(aligned([head, *lines])))
    return "\n\n".join(["The runtime by itself", *text]) if text else ""


def goal_value(goal: dict[str, Any], name: str) -> str:
    value = goal[name]
    if value is None:
        return "-"
    return units.times(value) if goal["unit"] == "x" else f"{value:.3g} {goal['unit']}"


def goal_line(goal: dict[str, Any]) -> list[str]:
    met = {True: "met", False: "NOT MET", None: "not measured"}[goal["met"]]
    limit = ("at least " if goal["at_least"] else "at most ") + goal_value(goal, "limit")
    return [goal["goal"], goal_value(goal, "ratio"), limit, goal["against"] or "-", met]


def goals_table(goals: list[dict[str, Any]]) -> str:
    return "\n".join(aligned([["Goal", "measured", "limit", "against", ""], *map(goal_line, goals)]))
