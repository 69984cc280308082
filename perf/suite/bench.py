"""The benchmarks of what is inside one process: perf/*_perf, by Google Benchmark."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from . import runtime

Result = dict[str, Any]
NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def programs_in(build: pathlib.Path) -> list[pathlib.Path]:
    return sorted(program for program in (build / "perf").glob("*_perf") if program.is_file())


def show(build: pathlib.Path, arguments: list[str]) -> int:
    """Runs each program in turn, with Google Benchmark's own output."""
    arguments = [word for word in arguments if word != "--"]
    programs = programs_in(build)
    if not programs:
        sys.exit(f"perf: no benchmark was built in {build}")
    status = 0
    for program in programs:
        print(f"== {program.name}", flush=True)
        status |= subprocess.run([program, *arguments]).returncode
    return 1 if status else 0


def plain_name(run_name: str) -> str:
    """`Loan/out:64/min_time:0.100/repeats:7` without what says how it was measured."""
    words = [word for word in run_name.split("/") if not word.startswith(("min_time:", "repeats:"))]
    return "/".join(word for word in words if word != "real_time")


def results_of(program: str, text: str) -> list[Result]:
    """Google Benchmark's JSON as results: the case is the program's name, and the row that of the benchmark."""
    times: dict[str, list[float]] = {}
    for line in json.loads(text)["benchmarks"]:
        if line.get("run_type") != "iteration" or line.get("error_occurred"):
            continue
        real = "/real_time" in line["run_name"]
        time = line["real_time" if real else "cpu_time"] * NANOSECONDS[line["time_unit"]]
        times.setdefault(plain_name(line["run_name"]), []).append(time)
    return [result_of(program, name, sorted(values)) for name, values in times.items()]


def role_of(name: str) -> str:
    if "Asio" in name:
        return "peer"
    return "floor" if "Bare" in name or "Malloc" in name else "wharf"


def result_of(program: str, name: str, times: list[float]) -> Result:
    return {
        "case": f"{program}/{name}",
        "payload_bytes": next((int(word[6:]) for word in name.split("/") if word.startswith("bytes:")), 0),
        "placement": "one process",
        "mode": "default",
        "contender": name,
        "role": role_of(name),
        "unit": "ns",
        "median": times[len(times) // 2],
        "deciles": [times[len(times) * tenth // 10] for tenth in range(1, 10)],
        "min": times[0],
        "max": times[-1],
        "repetitions": len(times),
        "count": 1,
        "row": f"bench/{program}/{name}",
        "counts": {},
    }


def measure(build: pathlib.Path, wanted: Sequence[str] | None = None) -> tuple[list[Result], str]:
    """The results of all programs or of those named, the repetitions of each shuffled; and what went wrong."""
    found: list[Result] = []
    wrong: list[str] = []
    for program in programs_in(build):
        name = program.name.removesuffix("_perf")
        if wanted is not None and name not in wanted:
            continue
        print(f"benchmarks: {program.name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "out.json"
            # The file has every repetition, where what is shown has medians alone.
            command = [str(program), f"--benchmark_out={file}", "--benchmark_out_format=json"]
            if name in runtime.PROGRAMS:  # what is compared is the software's part, not that of the way to another core
                command = ["taskset", "-c", str(max(os.sched_getaffinity(0))), *command]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if done.returncode == 0:
                found += results_of(name, file.read_text())
            else:
                wrong.append(f"{program.name} ended with {done.returncode}: {done.stderr.strip()}")
    return found, "\n".join(wrong)
