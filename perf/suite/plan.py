"""Which rows the suite measures, and who takes part in each.

A row is a case with a payload, a placement, a mode and a count. Its subject (wharf) is paired with its floor, run by
run; other floors and the peers take their turns between the pairs. Who was not built is left out.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable

from .contenders import Contender

SIZES = (16, 64, 1 << 10, 16 << 10, 256 << 10, 1 << 20)
PLACEMENTS = ("split", "same")
# Those that poll a cache line or move bytes within one process: on one core they would measure the scheduler.
SPLIT_ONLY = ("cache_line", "memcpy")


@dataclasses.dataclass(frozen=True)
class Runner:
    """Who runs, and how: the rest of a run is the row's."""

    contender: str
    role: str
    program: str
    mode: str
    count: int


@dataclasses.dataclass(frozen=True)
class Row:
    """`against` says that the floor is wharf itself under other settings, and which. A row has `weight` times the pairs."""

    case: str
    payload_bytes: int
    placement: str
    mode: str
    count: int
    subject: Runner | None
    floor: Runner | None
    others: tuple[Runner, ...]
    against: str = ""
    weight: int = 1

    @property
    def name(self) -> str:
        count = f"/{self.count}" if self.count != 1 else ""
        against = f"/against {self.against}" if self.against else ""
        return f"{self.case}/{self.payload_bytes}/{self.placement}/{self.mode}{count}{against}"

    @property
    def runners(self) -> list[Runner]:
        return [runner for runner in (self.floor, self.subject) if runner] + list(self.others)


@dataclasses.dataclass(frozen=True)
class Spec:
    """A row before it is known who was built. `floors` are names, the first that was built is paired.

    quick: the row belongs to --quick too. `base` is (mode, count) of wharf, where wharf is its own floor.
    """

    case: str
    payload_bytes: int = 64
    placement: str = "split"
    mode: str = "default"
    count: int = 1
    floors: tuple[str, ...] = ()
    base: tuple[str, int] | None = None
    against: str = ""
    quick: bool = False
    weight: int = 1


def round_trips() -> Iterable[Spec]:
    for mode in ("awake", "asleep", "default"):
        for placement in PLACEMENTS:
            if mode == "awake" and placement == "same":
                continue  # two sides that never give way take turns of milliseconds
            for payload in SIZES:
                sleeps = mode == "asleep" or (mode == "default" and placement == "same")
                goal = payload == 64 and (mode == "default" or (mode == "awake") == (placement == "split"))
                floor = "ring_eventfd" if sleeps else "ring"
                yield Spec("round_trip", payload, placement, mode, floors=(floor,), quick=goal)
    yield Spec("round_trip", placement="same", base=("asleep", 1), against="asleep", quick=True)


def streams() -> Iterable[Spec]:
    for placement in PLACEMENTS:
        for payload in SIZES:
            yield Spec("stream", payload, placement, floors=("ring",), quick=placement == "split")


def many() -> Iterable[Spec]:
    for placement in PLACEMENTS:
        yield Spec("calls", 64, placement, count=64, floors=("ring",), quick=placement == "split")
    for count in (1, 8, 64, 512):
        yield Spec("fan_in", count=count, floors=("ring",), quick=count == 8)
    for count in (1, 2, 4, 8, 16, 32, 64):
        yield Spec("fan_out", count=count, floors=("ring",), quick=count == 8)


def others() -> Iterable[Spec]:
    for placement in PLACEMENTS:
        yield Spec("fd", placement=placement, floors=("uring_socket", "socketpair"), quick=placement == "split")
    for placement in PLACEMENTS:
        yield Spec("beside_bulk", placement=placement, floors=("ring",), quick=placement == "split")


def servers() -> Iterable[Spec]:
    """A server of TCP connections on the runtime by itself. What it uses spreads more than its times: a quarter of the
    pairs lie 6 % below the median, and another 9 % above."""
    for count in (1, 64):
        yield Spec("echo", count=count, floors=("uring_echo", "uring_echo_quiet"), quick=True, weight=3)


def against_itself() -> Iterable[Spec]:
    """Rows whose floor is wharf with other settings, or with less to do."""
    yield Spec("crowd", placement="free", count=2, base=("asleep", 2), against="asleep", quick=True)
    for count in (1, 10, 100, 1000):
        yield Spec("links", count=count, base=("default", 1), against="one link", quick=count == 1000)


def specs() -> list[Spec]:
    return [*round_trips(), *streams(), *many(), *others(), *servers(), *against_itself()]


def mode_of(contender: Contender, wanted: str) -> str:
    """The row's mode if the contender has it, else its own."""
    return wanted if wanted in contender.modes else contender.modes[0]


def make_row(spec: Spec, built: list[Contender]) -> Row | None:
    """The row with those that were built; none if there is no one to measure."""

    def runner(contender: Contender, mode: str = "", count: int = 0) -> Runner:
        mode = mode or mode_of(contender, spec.mode)
        return Runner(contender.name, contender.role, contender.program, mode, count or spec.count)

    able = [c for c in built if c.case == spec.case and c.payload_bytes_max >= spec.payload_bytes]
    wharf = next((c for c in able if c.role == "wharf" and spec.mode in c.modes), None)
    subject = runner(wharf) if wharf else None
    floor = None
    if spec.base and wharf:
        floor = dataclasses.replace(runner(wharf, *spec.base), role="floor")
    floors = {c.name: c for c in able if c.role == "floor"}
    if floor is None:
        floor = next((runner(floors[name]) for name in spec.floors if name in floors), None)
    rest = []
    if not spec.base:
        for contender in able:
            if contender.name in (floor.contender if floor else "", "wharf"):
                continue
            if contender.name in SPLIT_ONLY and spec.placement != "split":
                continue
            # With no such setting of its own, a peer is compared with the default. A floor is what it is called.
            if spec.mode in contender.modes or (contender.role == "floor" and spec.mode == "default" and not floor):
                rest.append(runner(contender))
    if floor is None and subject is None and not rest:
        return None
    return Row(spec.case, spec.payload_bytes, spec.placement, spec.mode, spec.count, subject, floor, tuple(rest),
               spec.against, spec.weight)


def make(built: list[Contender], quick: bool = False, case: str | None = None) -> list[Row]:
    """The rows of a run: all, those of --quick, those of one case."""
    wanted = [spec for spec in specs() if (not quick or spec.quick) and (not case or spec.case == case)]
    rows = [make_row(spec, built) for spec in wanted]
    return [row for row in rows if row is not None and row.subject is not None]


def absent(built: list[Contender]) -> list[str]:
    """Cases of the plan that wharf has no contender for."""
    cases = dict.fromkeys(spec.case for spec in specs())
    return [case for case in cases if not any(c.case == case and c.role == "wharf" for c in built)]


def describe(rows: list[Row]) -> str:
    """The rows as JSON lines, for --list."""
    return "\n".join(
        json.dumps({"row": row.name, "runs": [f"{r.contender} ({r.mode})" for r in row.runners]}) for row in rows
    )
