"""What wharf_probe measures from outside, for a whole run: links at rest, and what each takes."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

from .results import Result

IDLE_LINKS = 100
MEMORY_LINKS = 1000
SECONDS_MAX = 120


def program_in(build: pathlib.Path) -> pathlib.Path:
    return build / "perf" / "wharf_probe"


def ask(build: pathlib.Path, *arguments: str) -> dict[str, Any]:
    """The line of one probe. Its exit status says whether it liked what it saw: the goals say that too."""
    command = [str(program_in(build)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError) as error:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or 'printed no JSON'}") from error


def result_of(case: str, links: int, value: float, unit: str, counts: dict[str, float]) -> Result:
    return {
        "case": case,
        "payload_bytes": 64,
        "placement": "free",
        "mode": "default",
        "contender": "wharf",
        "role": "wharf",
        "unit": unit,
        "median": value,
        "min": value,
        "max": value,
        "repetitions": 1,
        "count": links,
        "row": f"{case}/64/free/default/{links}",
        "counts": counts,
    }


def idle_result(line: dict[str, Any]) -> Result:
    wakeups = line["voluntary_switches"] + line["involuntary_switches"]
    percent = line["cpu_ns"] / (line["seconds"] * 1e9) * 100
    return result_of("idle", line["links"], wakeups, "wake-ups", {"wakeups": wakeups, "cpu_percent": percent})


def memory_result(line: dict[str, Any]) -> Result:
    counts = {name: value for name, value in line.items() if name.endswith("_per_link")}
    return result_of("memory", line["links"], line["resident_kib_per_link"], "KiB", counts)


def measure(build: pathlib.Path) -> tuple[list[Result], str]:
    """The results, and what went wrong."""
    if not program_in(build).exists():
        return [], ""
    print("links at rest", file=sys.stderr, flush=True)
    try:
        idle = ask(build, "idle", "--links", str(IDLE_LINKS), "--seconds", "2")
        memory = ask(build, "memory", "--links", str(MEMORY_LINKS))
    except (OSError, subprocess.SubprocessError) as error:
        return [], str(error)
    return [idle_result(idle), memory_result(memory)], ""
