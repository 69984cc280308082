"""From what was measured to the results of the JSON; README.md has the schema."""

from __future__ import annotations

import statistics
from typing import Any

from .pairing import spread
from .plan import Row, Runner
from .run import Measured

Result = dict[str, Any]

# What a line of a run says that is no count of its own.
PLAIN = {"contender", "case", "payload_bytes", "placement", "mode", "count", "operations", "ns_per_operation", "sent",
         "received", "bad"}  # fmt: skip
STREAMS = ("stream", "fan_in", "fd")  # one operation is one message


def counts_of(lines: list[dict[str, Any]]) -> dict[str, float]:
    """The median of each further number that the runs printed."""
    names = dict.fromkeys(name for line in lines for name in line if name not in PLAIN)
    counts = {}
    for name in names:
        values = [line[name] for line in lines if isinstance(line.get(name), (int, float))]
        if values:
            counts[name] = statistics.median(values)
    return counts


def result_of(row: Row, runner: Runner, lines: list[dict[str, Any]]) -> Result:
    times = spread([line["ns_per_operation"] for line in lines if line.get("ns_per_operation") is not None])
    result: Result = {
        "case": row.case,
        "payload_bytes": row.payload_bytes,
        "placement": row.placement,
        "mode": runner.mode,
        "contender": runner.contender,
        "role": runner.role,
        "unit": "ns",
        "median": times.median if times else None,
        "min": times.min if times else None,
        "max": times.max if times else None,
        "repetitions": len(lines),
        "count": runner.count,
        "row": row.name,
        "counts": counts_of(lines),
    }
    if times and times.median and row.case in STREAMS:
        result["messages_per_second"] = 1e9 / times.median
        result["bytes_per_second"] = row.payload_bytes * 1e9 / times.median
    return result


def ratio_of(values: list[float], to: str) -> Result:
    found = spread(values)
    if not found:
        return {}
    return {"ratio": found.median, "ratio_min": found.min, "ratio_max": found.max, "ratio_to": to}


def results_of(measured: Measured) -> list[Result]:
    """One for each runner of the row that ran at least once; the pairs' ratio is in that of wharf."""
    row = measured.row
    results = []
    for runner in row.runners:
        lines = measured.samples.get(runner)
        if not lines:
            continue
        result = result_of(row, runner, lines)
        if runner is row.subject and row.floor:
            result |= ratio_of(measured.ratios, row.floor.contender)
            result |= {"pairs": len(measured.ratios), "pairs_dropped": measured.dropped}
            result["count_ratios"] = {name: statistics.median(found) for name, found in measured.count_ratios.items()}
        elif runner in measured.peer_ratios:
            result |= ratio_of(measured.peer_ratios[runner], "wharf")
        results.append(result)
    return results


def rows_of(results: list[Result]) -> dict[str, list[Result]]:
    """Results by their row, in the order of the run."""
    rows: dict[str, list[Result]] = {}
    for result in results:
        rows.setdefault(result["row"], []).append(result)
    return rows


def wharf_of(row: list[Result]) -> Result | None:
    return next((result for result in row if result["role"] == "wharf"), None)


def floor_of(row: list[Result]) -> Result | None:
    """The floor that wharf is paired with."""
    wharf = wharf_of(row)
    floors = [result for result in row if result["role"] == "floor"]
    paired = [floor for floor in floors if wharf and floor["contender"] == wharf.get("ratio_to")]
    return next(iter(paired or floors), None)


def best_peer_of(row: list[Result]) -> Result | None:
    """The fastest peer."""
    peers = [result for result in row if result["role"] == "peer" and result["median"] is not None]
    return min(peers, key=lambda peer: peer["median"], default=None)
