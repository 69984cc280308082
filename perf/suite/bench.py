"""The benchmarks of what is inside one process: perf/*_perf, by Google Benchmark."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

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


def result_of(program: str, name: str, times: list[float]) -> Result:
    return {
        "case": f"{program}/{name}",
        "payload_bytes": next((int(word[6:]) for word in name.split("/") if word.startswith("bytes:")), 0),
        "placement": "one process",
        "mode": "default",
        "contender": name,
        "role": "floor" if "Bare" in name or "Malloc" in name else "wharf",
        "unit": "ns",
        "median": times[len(times) // 2],
        "min": times[0],
        "max": times[-1],
        "repetitions": len(times),
        "count": 1,
        "row": f"bench/{program}/{name}",
        "counts": {},
    }


def measure(build: pathlib.Path) -> list[Result]:
    """The results of all programs, the repetitions of each shuffled."""
    found: list[Result] = []
    for program in programs_in(build):
        command = [str(program), "--benchmark_format=json", "--benchmark_enable_random_interleaving=true"]
        print(f"benchmarks: {program.name}", file=sys.stderr, flush=True)
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            found += results_of(program.name.removesuffix("_perf"), done.stdout)
        else:
            print(f"{program.name} failed: {done.stderr.strip()}", file=sys.stderr)
    return found
