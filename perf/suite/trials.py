"""What `compare` runs of two builds: contests and Google Benchmarks, in turns."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from suite.bench import NANOSECONDS, plain_name
from suite.revisions import Build, CompareError

Times = tuple[float, float]  # of an operation: real and CPU, ns
TRIAL_SECONDS_MAX = 120


@dataclass(frozen=True)
class Trial:
    """One kind of run that gives times of one or more rows."""

    name: str
    program: str
    arguments: tuple[str, ...]

    @property
    def is_contest(self) -> bool:
        return self.program.endswith("_contest")


@dataclass(frozen=True)
class ContestRow:
    case: str
    payload_bytes: int
    placement: str
    mode: str
    count: int = 1

    @property
    def name(self) -> str:
        count = f"/{self.count}" if self.count != 1 else ""
        return f"{self.case}/{self.payload_bytes}/{self.placement}/{self.mode}{count}"


# Few rows, that between them use all of a link: awake, asleep and as it is, small and large payload.
CONTEST_ROWS = (
    ContestRow("round_trip", 64, "split", "awake"),
    ContestRow("round_trip", 64, "split", "default"),
    ContestRow("round_trip", 64, "same", "asleep"),
    ContestRow("round_trip", 65536, "split", "default"),
    ContestRow("stream", 64, "split", "default"),
    ContestRow("stream", 1024, "split", "default"),
    ContestRow("stream", 262144, "split", "default"),
    ContestRow("calls", 64, "split", "default", 64),
    ContestRow("fd", 64, "split", "default"),
    ContestRow("fan_in", 64, "split", "default", 8),
    ContestRow("fan_out", 64, "split", "default", 8),
)
FLOOR_ROW = ContestRow("round_trip", 64, "split", "awake")
# Of the Google Benchmarks one for each thing that a message meets: their whole takes minutes for each round.
BENCHMARKS = ("AwaitTask", "YieldTask", "SpawnAndJoin", "RecordLaneRing/bytes:64/ring_kib:256", "LoanArena/out:64",
              "inline_message/trusted", "block/trusted", "descriptor/trusted", "EchoWharf", "PostWharf",
              "TimerSetCancelWharf", "TimerMoveWharf")  # fmt: skip
BENCHMARK_FILTER = f"--benchmark_filter=^({'|'.join(BENCHMARKS)})(/|$)"


def contest_trial(program: str, contender: str, row: ContestRow, seconds: float) -> Trial:
    arguments = ("--contender", contender, "--case", row.case, "--payload", str(row.payload_bytes), "--placement",
                 row.placement, "--mode", row.mode, "--count", str(row.count), "--seconds", str(seconds))  # fmt: skip
    return Trial(f"{contender}/{row.name}", program, arguments)


def can(build: Build, program: str, contender: str, row: ContestRow) -> bool:
    """Whether a build's contest has the row."""
    if program not in build.programs:
        return False
    listed = run([str(build.programs[program]), "--list"])
    return any(entry["contender"] == contender and entry["case"] == row.case and row.mode in entry["modes"]
               and row.payload_bytes <= entry.get("payload_bytes_max", 1 << 20)
               for entry in json.loads(listed))  # fmt: skip


def has_benchmarks(build: Build, program: str) -> bool:
    """Whether the filter leaves any of a program's: without one it writes no JSON, and says that all is well."""
    return run([str(build.programs[program]), "--benchmark_list_tests=true", BENCHMARK_FILTER]).strip() != ""


def plan(old: Build, new: Build, seconds: float) -> tuple[list[Trial], list[str]]:
    """The trials that both builds can make, and what is left out because one cannot."""
    trials, left_out = [], []
    for row in CONTEST_ROWS:
        able = [can(build, "wharf_contest", "wharf", row) for build in (old, new)]
        if all(able):
            trials.append(contest_trial("wharf_contest", "wharf", row, seconds))
        elif any(able):
            left_out.append(f"{row.name}: {(new if able[0] else old).label} has no such case")
    for program in sorted(old.programs.keys() | new.programs.keys()):
        if not program.endswith("_perf"):
            continue
        missing = [build.label for build in (old, new) if program not in build.programs]
        if missing:
            left_out.append(f"{program}: {missing[0]} does not have it")
        elif all(has_benchmarks(build, program) for build in (old, new)):
            trials.append(Trial(program, program, (BENCHMARK_FILTER,)))
    return trials, left_out


def floor_trial(build: Build, seconds: float) -> Trial | None:
    if not can(build, "floors_contest", "ring", FLOOR_ROW):
        return None
    return contest_trial("floors_contest", "ring", FLOOR_ROW, seconds)


def run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=TRIAL_SECONDS_MAX)  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CompareError(f"it did not end: {' '.join(command)}") from None
    if done.returncode != 0:
        raise CompareError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def contest_times(line: str, name: str) -> dict[str, Times]:
    result = json.loads(line)
    real = result["ns_per_operation"]
    return {name: (real, result.get("cpu_ns_per_operation", real))}


def benchmark_times(text: str, program: str) -> dict[str, Times]:
    """The median of each benchmark from Google Benchmark's JSON, in the time that it is reported in."""
    times: dict[str, Times] = {}
    for entry in json.loads(text)["benchmarks"]:
        if entry.get("aggregate_name") != "median" or entry.get("error_occurred"):
            continue
        scale = NANOSECONDS[entry["time_unit"]]
        real, cpu = entry["real_time"] * scale, entry["cpu_time"] * scale
        # Unless it asks for real time, a benchmark is about the processor's, which other programs disturb less.
        reported = real if "/real_time" in entry["run_name"] else cpu
        times[f"{program.removesuffix('_perf')}/{plain_name(entry['run_name'])}"] = (reported, cpu)
    return times


def run_trial(build: Build, trial: Trial) -> dict[str, Times]:
    """Times of one run, by row."""
    program = str(build.programs[trial.program])
    if trial.is_contest:
        return contest_times(run([program, *trial.arguments]).splitlines()[-1], trial.name)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.json"
        run(["taskset", "-c", str(max(os.sched_getaffinity(0))), program, *trial.arguments,
             f"--benchmark_out={out}", "--benchmark_out_format=json"])  # fmt: skip
        return benchmark_times(out.read_text(), trial.program)


Samples = dict[str, tuple[list[Times], list[Times]]]  # old and new, by row


def measure(old: Build, new: Build, trials: list[Trial], rounds: int, progress: Callable[[str], None],
            make: Callable[[Build, Trial], dict[str, Times]] = run_trial) -> Samples:  # fmt: skip
    """Each round runs each trial with both builds, one right after the other; every other one the new build first."""
    samples: Samples = {}
    for index in range(rounds):
        for trial in trials:
            progress(f"round {index + 1} of {rounds}: {trial.name}")
            sides = [0, 1] if index % 2 == 0 else [1, 0]
            for side in sides:
                for name, times in make((old, new)[side], trial).items():
                    samples.setdefault(name, ([], []))[side].append(times)
    # A benchmark that only one of them has is compared with nothing.
    return {name: sides for name, sides in samples.items() if all(sides)}
