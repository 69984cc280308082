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

Line = dict[str, Any]  # what a run printed
Run = Callable[[Row, Runner, float], "Line | once.Failure"]
TIME = "ns_per_operation"
FAILURES_MAX = 2  # of one contender in one row; then it is left out


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is measured. Rounds go on until `pairs` are kept, or `rounds_max` were made; `weight` times each."""

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
    samples: dict[Runner, list[Line]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(list)
    )
    ratios: list[float] = dataclasses.field(default_factory=list)
    # The same of each further number of an operation, in the same pairs.
    count_ratios: dict[str, list[float]] = dataclasses.field(default_factory=lambda: collections.defaultdict(list))
    dropped: int = 0  # pairs whose floors did not agree
    # Of a peer, its time over wharf's in the same round.
    peer_ratios: dict[Runner, list[float]] = dataclasses.field(default_factory=lambda: collections.defaultdict(list))


def time_of(line: Line | None) -> float | None:
    return line.get(TIME) if line else None


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
            share = row.weight / sum(later.weight for later in rows[index:])
            measured.append(self.measure(row, max(0.0, left) * share))
            self.progress.step()
        self.progress.end()
        return measured

    def measure(self, row: Row, seconds_max: float = 1e9) -> Measured:
        result = Measured(row)
        started = time.monotonic()
        failed: collections.Counter[Runner] = collections.Counter()
        waiting = collections.deque(runner for _ in range(self.settings.turns) for runner in row.others)
        pairs, rounds_max = self.settings.pairs * row.weight, self.settings.rounds_max * row.weight
        each_round = -(-len(waiting) // pairs)

        def one(runner: Runner | None) -> Line | None:
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
            return line

        before = None
        for _ in range(rounds_max):
            if before is None:
                before = one(row.floor)
            subject = one(row.subject)
            after = one(row.floor)
            self.keep(result, before, subject, after)
            before = after
            for _ in range(min(each_round, len(waiting))):
                other = waiting.popleft()
                taken = time_of(one(other))
                before = None  # too long ago
                own = time_of(subject)
                if taken and own and other.role == "peer":
                    result.peer_ratios[other].append(taken / own)
            enough = len(result.ratios) if row.floor else len(result.samples[row.subject])
            late = time.monotonic() - started > seconds_max
            if late:
                waiting = collections.deque(runner for runner in row.others if not result.samples[runner])
            if (late or enough >= pairs) and not waiting:
                break
            if row.subject and failed[row.subject] >= FAILURES_MAX:
                break
        return result

    @staticmethod
    def keep(result: Measured, before: Line | None, subject: Line | None, after: Line | None) -> None:
        first, own, second = time_of(before), time_of(subject), time_of(after)
        if first is None or own is None or second is None:
            return
        ratio = pair_ratio(first, own, second)
        if ratio is None:
            assert not agree(first, second)
            result.dropped += 1
            return
        result.ratios.append(ratio)
        for name in subject or {}:
            if name == TIME or not name.endswith("_per_operation"):
                continue
            numbers = [line.get(name) for line in (before, subject, after) if line]
            if all(isinstance(number, (int, float)) for number in numbers) and numbers[0] + numbers[2] > 0:
                result.count_ratios[name].append(numbers[1] / ((numbers[0] + numbers[2]) / 2))
