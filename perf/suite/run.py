"""Measures the rows of a plan: floor, wharf, floor, a peer, wharf, floor, ... in the same minutes, run by run."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable
from typing import Any

from . import once
from .pairing import agree, pair_ratio
from .plan import Row, Runner
from .progress import Progress

Run = Callable[[Row, Runner, float], "dict[str, Any] | once.Failure"]
FAILURES_MAX = 2  # of one contender in one row; then it is left out


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is measured. Rounds go on until `pairs` are kept, or `rounds_max` were made."""

    seconds: float  # each run
    pairs: int
    rounds_max: int
    turns: int  # of each peer and each other floor in a row
    # Of all rows. A row whose share has passed ends, once everybody in it has run.
    budget_s: float = 1e9


QUICK = Settings(seconds=0.06, pairs=5, rounds_max=20, turns=2, budget_s=85)
FULL = Settings(seconds=0.15, pairs=7, rounds_max=30, turns=5, budget_s=11 * 60)


@dataclasses.dataclass
class Measured:
    """What a row gave: the lines of each runner, and the ratios of the pairs that held."""

    row: Row
    samples: dict[Runner, list[dict[str, Any]]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(list)
    )
    ratios: list[float] = dataclasses.field(default_factory=list)
    dropped: int = 0  # pairs whose floors did not agree
    # Of a peer, its time over wharf's in the same round.
    peer_ratios: dict[Runner, list[float]] = dataclasses.field(default_factory=lambda: collections.defaultdict(list))


class Suite:
    """Runs rows; remembers what failed."""

    def __init__(self, settings: Settings, progress: Progress, run: Run = once.run_once) -> None:
        self.settings = settings
        self.progress = progress
        self.run = run
        self.failures: list[tuple[str, once.Failure]] = []

    def measure_all(self, rows: list[Row]) -> list[Measured]:
        measured = []
        started = time.monotonic()
        for index, row in enumerate(rows):
            left = self.settings.budget_s - (time.monotonic() - started)
            measured.append(self.measure(row, max(0.0, left) / (len(rows) - index)))
            self.progress.step()
        self.progress.end()
        return measured

    def measure(self, row: Row, seconds_max: float = 1e9) -> Measured:
        result = Measured(row)
        started = time.monotonic()
        failed: collections.Counter[Runner] = collections.Counter()
        waiting = collections.deque(runner for _ in range(self.settings.turns) for runner in row.others)
        each_round = -(-len(waiting) // self.settings.pairs)

        def one(runner: Runner | None) -> float | None:
            if runner is None or failed[runner] >= FAILURES_MAX:
                return None
            self.progress.show(row.name, runner.contender)
            line = self.run(row, runner, self.settings.seconds)
            if isinstance(line, once.Failure):
                failed[runner] += 1
                self.failures.append((row.name, line))
                self.progress.say(f"{row.name}: FAILED\n    {line.command}\n    {line.text}")
                return None
            result.samples[runner].append(line)
            return line.get("ns_per_operation")

        before = None
        for _ in range(self.settings.rounds_max):
            if before is None:
                before = one(row.floor)
            subject = one(row.subject)
            after = one(row.floor)
            self.keep(result, before, subject, after)
            before = after
            for _ in range(min(each_round, len(waiting))):
                other = waiting.popleft()
                taken = one(other)
                before = None  # too long ago
                if taken and subject and other.role == "peer":
                    result.peer_ratios[other].append(taken / subject)
            enough = len(result.ratios) if row.floor else len(result.samples[row.subject])
            late = time.monotonic() - started > seconds_max
            if late:
                waiting = collections.deque(runner for runner in row.others if not result.samples[runner])
            if (late or enough >= self.settings.pairs) and not waiting:
                break
            if row.subject and failed[row.subject] >= FAILURES_MAX:
                break
        return result

    @staticmethod
    def keep(result: Measured, before: float | None, subject: float | None, after: float | None) -> None:
        if before is None or subject is None or after is None:
            return
        ratio = pair_ratio(before, subject, after)
        if ratio is None:
            assert not agree(before, after)
            result.dropped += 1
        else:
            result.ratios.append(ratio)
