"""The claims about the runtime by itself: each a benchmark inside one process, beside its floor and Asio in the same run.

The echo over TCP, which crosses processes, is a row of plan.py; its goals are here too.
"""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

from . import units
from .results import Result, wharf_of

Rows = dict[str, list[Result]]
Found = tuple[float, str]  # the value, and against whom

PROGRAMS = ("coro", "runtime", "runtime_uring")  # those of --quick too
ECHO_COUNTS = (1, 64)
ECHO_LIMIT = 1.10


@dataclasses.dataclass(frozen=True)
class Claim:
    """A benchmark, what it is compared with, and how near or far it is to be; no limit: it is only shown."""

    text: str
    program: str
    subject: str
    floor: str
    peer: str
    floor_limit: float | None = None
    peer_limit: float | None = None
    floor_name: str = "its floor"

    def row(self, benchmark: str) -> str:
        return f"bench/{self.program}/{benchmark}"


CLAIMS = (
    Claim("await of a ready task", "coro", "AwaitTask", "AwaitBarePooled", "AwaitAsio", 1.3, 1.5, "a bare pooled frame"),
    Claim("yield", "coro", "YieldTask", "YieldBareQueue", "YieldAsio", 1.5, 10, "a bare run queue"),
    # Its floor is another row: to spawn and join is more than to await, and this says how much.
    Claim("spawn and join", "coro", "SpawnAndJoin", "AwaitTask", "SpawnAsio", 3, 1, "the await of a task"),
    Claim("post to another thread and back", "runtime", "PostWharf", "PostBareEventfd", "PostAsio", None, 1,
          "a bare ring and eventfd"),
    Claim("timer set and cancelled, beside 10^6", "runtime", "TimerSetCancelWharf", "TimerSetCancelBareHeap",
          "TimerSetCancelAsio", None, 1, "a bare heap"),
    Claim("one of 10^6 timers moved", "runtime", "TimerMoveWharf", "TimerMoveBareHeap", "TimerMoveAsio", None, 1,
          "a bare heap"),
    Claim("socket echo, both ends", "runtime", "EchoWharf", "EchoBareUring", "EchoAsio", 1.10, 1, "bare liburing"),
    Claim("socket echo, both ends, where the floor sends first too", "runtime", "EchoWharf", "EchoBareUringSendsFirst",
          "EchoAsio", None, None, "bare liburing, sends first"),
    Claim("socket echo, both ends, Asio on io_uring", "runtime_uring", "EchoWharf", "EchoBareUring", "EchoAsio", None, 1,
          "bare liburing"),
)  # fmt: skip


def result_in(rows: Rows, row: str) -> Result | None:
    found = rows.get(row, [])
    return found[0] if found else None


def quotient(rows: Rows, over: str, under: str, against: str) -> Found | None:
    """One benchmark over another: the middle one of the ratios of their deciles.

    Their repetitions are mixed at random, so both meet the machine's fast and slow moments alike, and each decile of
    one stands beside the same moments of the other. Their medians alone may fall on either side of such a change.
    """
    a, b = ((result_in(rows, row) or {}).get("deciles") for row in (over, under))
    if not a or not b or not all(b):
        return None
    return statistics.median(x / y for x, y in zip(a, b)), against


def to_floor(claim: Claim, rows: Rows) -> Found | None:
    return quotient(rows, claim.row(claim.subject), claim.row(claim.floor), claim.floor_name)


def to_peer(claim: Claim, rows: Rows) -> Found | None:
    peer = "asio on io_uring" if claim.program == "runtime_uring" else "asio"
    return quotient(rows, claim.row(claim.peer), claim.row(claim.subject), peer)


def echo_row(count: int) -> str:
    return f"echo/64/split/default{f'/{count}' if count != 1 else ''}"


def count_to_floor(row: str, name: str, rows: Rows) -> Found | None:
    """What wharf uses of something over what its floor does, in the same pairs as their times."""
    wharf = wharf_of(rows.get(row, []))
    if not wharf or name not in wharf.get("count_ratios", {}):
        return None
    return wharf["count_ratios"][name], wharf["ratio_to"]


ECHO_COUNTED = {
    "server_cpu_ns_per_operation": "server's processor time",
    "server_system_calls_per_operation": "server's system calls",
}


CLAIM_HEAD = ["", "floor", "floor takes", "wharf", "Asio", "wharf to floor", "Asio to wharf"]
ECHO_HEAD = ["connections", "server", "round trip", "server's processor time", "server's system calls"]


def claim_lines(rows: Rows) -> list[list[str]]:
    """For the report: what, floor, wharf, Asio, wharf to floor, Asio to wharf."""
    lines = []
    for claim in CLAIMS:
        if not result_in(rows, claim.row(claim.subject)):
            continue
        times = [result_in(rows, claim.row(name)) for name in (claim.floor, claim.subject, claim.peer)]
        ratios = [to_floor(claim, rows), to_peer(claim, rows)]
        lines.append([
            claim.text,
            claim.floor_name,
            *(units.nanoseconds(time["median"]) if time else "-" for time in times),
            *(units.times(ratio[0]) if ratio else "-" for ratio in ratios),
        ])  # fmt: skip
    return lines


def echo_lines(rows: Rows) -> list[list[str]]:
    """For the report: connections, server, round trip, processor time and system calls of the server."""
    lines = []
    for count in ECHO_COUNTS:
        for result in rows.get(echo_row(count), []):
            counts: dict[str, Any] = result["counts"]
            cpu = counts.get("server_cpu_ns_per_operation")
            calls = counts.get("server_system_calls_per_operation")
            lines.append([
                str(count),
                result["contender"],
                units.nanoseconds(result["median"]) if result["median"] else "-",
                units.nanoseconds(cpu) if cpu else "-",
                f"{calls:.2f}" if calls else "-",
            ])  # fmt: skip
    return lines
