"""One run: starts a program of contenders, waits, and reads its line."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
from typing import Any

from .plan import Row, Runner


@dataclasses.dataclass(frozen=True)
class Failure:
    """A run that failed: what was started, and what it said."""

    command: str
    text: str


def command_of(row: Row, runner: Runner, seconds: float) -> list[str]:
    return [
        runner.program,
        "--contender", runner.contender,
        "--case", row.case,
        "--payload", str(row.payload_bytes),
        "--placement", row.placement,
        "--mode", runner.mode,
        "--count", str(runner.count),
        "--seconds", f"{seconds:g}",
    ]  # fmt: skip


def kill_group(process: subprocess.Popen[str]) -> None:
    """Ends what a program has started and left; and the program, if it runs yet."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run_once(row: Row, runner: Runner, seconds: float) -> dict[str, Any] | Failure:
    """Makes a run. It may take thirty seconds over its time. When it is over, none of its processes is left."""
    command = command_of(row, runner, seconds)
    shown = " ".join(command)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        start_new_session=True,
    )  # fmt: skip
    limit = 30 + 3 * seconds
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        kill_group(process)
        out, err = process.communicate()
        return Failure(shown, f"{err.strip()}\nstill running after {limit:.0f} s: killed".strip())
    finally:
        kill_group(process)
    if process.returncode != 0:
        return Failure(shown, err.strip() or f"exit status {process.returncode}, and no word on stderr")
    try:
        return json.loads(out.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return Failure(shown, f"printed no JSON: {out[:200]!r}")
