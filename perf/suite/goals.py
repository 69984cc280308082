"""What is to be reached, and whether it was: each goal is computed from the results of one run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from . import runtime, units
from .results import Result, best_peer_of, rows_of, wharf_of

Rows = dict[str, list[Result]]
Found = tuple[float, str]  # the value, and against whom


@dataclasses.dataclass(frozen=True)
class Goal:
    """`measure` gives nothing if the run lacks what it needs. `unit` is "x" for a ratio."""

    text: str
    limit: float
    measure: Callable[[Rows], Found | None]
    at_least: bool = False
    unit: str = "x"

    def met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


def to_floor(row: str) -> Callable[[Rows], Found | None]:
    """The ratio of wharf to the floor it was paired with."""

    def measure(rows: Rows) -> Found | None:
        wharf = wharf_of(rows.get(row, []))
        if not wharf or "ratio" not in wharf:
            return None
        return wharf["ratio"], wharf["ratio_to"]

    return measure


def to_peer(row: str) -> Callable[[Rows], Found | None]:
    """How many times faster wharf is than the fastest peer."""

    def measure(rows: Rows) -> Found | None:
        peer = best_peer_of(rows.get(row, []))
        if not peer or "ratio" not in peer:
            return None
        return peer["ratio"], peer["contender"]

    return measure


def count_of(row: str, name: str) -> Callable[[Rows], Found | None]:
    """A count of wharf."""

    def measure(rows: Rows) -> Found | None:
        wharf = wharf_of(rows.get(row, []))
        if not wharf or name not in wharf["counts"]:
            return None
        return wharf["counts"][name], ""

    return measure


def all_goals() -> list[Goal]:
    goals = [
        Goal("round trip 64 B, awake, split: to the bare ring", 1.5, to_floor("round_trip/64/split/awake")),
        Goal("round trip 64 B, asleep, same core: to the bare ring with eventfd in io_uring", 1.25,
             to_floor("round_trip/64/same/asleep")),
        Goal("round trip 64 B, default, split: to the bare ring", 2, to_floor("round_trip/64/split/default")),
        Goal("round trip 64 B, default, split: faster than the best peer", 20, to_peer("round_trip/64/split/default"),
             at_least=True),
        Goal("round trip 64 B, default, same core: faster than the best peer", 1.5,
             to_peer("round_trip/64/same/default"), at_least=True),
    ]  # fmt: skip
    for size in (16, 64, 1 << 10, 16 << 10, 256 << 10, 1 << 20):
        small = size <= 1024
        row = f"stream/{size}/split/default"
        text = f"stream {units.size(size)}"
        goals.append(Goal(f"{text}: to the bare ring", 1.5 if small else 1.15, to_floor(row)))
        goals.append(Goal(f"{text}: faster than the best peer", 8 if small else 2, to_peer(row), at_least=True))
    calls = "calls/64/split/default/64"
    goals += [
        Goal("64 calls in flight: to the bare ring", 3, to_floor(calls)),
        Goal("64 calls in flight: faster than the best peer", 5, to_peer(calls), at_least=True),
        Goal("fd passing: to bare sendmsg/recvmsg", 1.15, to_floor("fd/64/split/default")),
        Goal("two sides on one core: to the same with spinning off", 1.1,
             to_floor("round_trip/64/same/default/against asleep")),
        Goal("4 processes on 2 cores: to the same with spinning off", 1.1,
             to_floor("crowd/64/free/default/2/against asleep")),
        Goal("1000 idle links beside one hot one: to one hot link alone", 1.1,
             to_floor("links/64/split/default/1000/against one link")),
        Goal("memory per idle link", 64, count_of("memory/64/free/default/1000", "resident_kib_per_link"), unit="KiB"),
        Goal("idle: wake-ups", 0, count_of("idle/64/free/default/100", "wakeups"), unit="wake-ups"),
        Goal("idle: processor time", 0, count_of("idle/64/free/default/100", "cpu_percent"), unit="%"),
    ]  # fmt: skip
    return goals + runtime_goals()


def runtime_goals() -> list[Goal]:
    """Those of the runtime by itself."""
    goals = []
    for claim in runtime.CLAIMS:
        if claim.floor_limit is not None:
            goals.append(Goal(f"{claim.text}: to {claim.floor_name}", claim.floor_limit,
                              functools.partial(runtime.to_floor, claim)))  # fmt: skip
        if claim.peer_limit is not None:
            goals.append(Goal(f"{claim.text}: faster than Asio", claim.peer_limit,
                              functools.partial(runtime.to_peer, claim), at_least=True))  # fmt: skip
    for count in runtime.ECHO_COUNTS:
        row = runtime.echo_row(count)
        text = f"TCP echo, {count} connection{'s' if count != 1 else ''}"
        for name, what in runtime.ECHO_COUNTED.items():
            goals.append(Goal(f"{text}, {what}: to bare liburing", runtime.ECHO_LIMIT,
                              functools.partial(runtime.count_to_floor, row, name)))  # fmt: skip
        goals.append(Goal(f"{text}: faster than Asio", 1, to_peer(row), at_least=True))
    return goals


# Those that http.py computes; the same is said of them when it did not run.
HTTP = {
    "time of a request, beside nginx `return`: at most 1.5x": (1.5, False),
    "requests/s, beside the Asio example: at least 1.5x": (1.5, True),
}


def http_goals(measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if measured:
        return measured
    return [
        {"goal": f"app server, {connections} connections, 1 worker: {text}", "ratio": None, "limit": limit, "met": None,
         "at_least": at_least, "unit": "x", "against": ""}
        for connections in (32, 256)
        for text, (limit, at_least) in HTTP.items()
    ]  # fmt: skip


def judge(results: list[Result], http: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """The goals of the JSON, `http` those of http.py. `ratio` and `met` are null where the run did not measure them."""
    rows = rows_of(results)
    judged = []
    for goal in all_goals():
        found = goal.measure(rows)
        value, against = found if found else (None, "")
        judged.append({
            "goal": goal.text,
            "ratio": value,
            "limit": goal.limit,
            "met": goal.met(value) if value is not None else None,
            "at_least": goal.at_least,
            "unit": goal.unit,
            "against": against,
        })  # fmt: skip
    return judged + http_goals(http or [])
