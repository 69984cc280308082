"""The app server's results and goals, which http.py measures, for the JSON of a whole run."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

PROGRAM = pathlib.Path(__file__).with_name("http.py")
QUICK = ["--quick", "--connections", "32", "256", "--contenders", "wharf", "nginx", "beast"]
SECONDS_MAX = 600


def with_rows(run: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Results and goals of http.py's JSON, with the keys that ours have."""
    for result in run["results"]:
        result.setdefault("count", 1)
        result.setdefault("counts", {})
        result["row"] = f"http/{result['case']}/{result['count']}"
    for goal in run["goals"]:
        goal.setdefault("at_least", "at least" in goal["goal"])
        goal.setdefault("unit", "x")
        goal.setdefault("against", "")
    return run["results"], run["goals"]


def measure(build: pathlib.Path, quick: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    """Results, goals, and what went wrong: also when the second attempt succeeded."""
    said: list[str] = []
    for _ in range(2 if PROGRAM.exists() else 0):
        print("app server, nginx and Asio under wrk", file=sys.stderr, flush=True)
        run, wrong = measure_once(build, quick)
        if run:
            return *with_rows(run), "\n".join(said)
        said.append(wrong)
        print(f"http.py: {wrong}", file=sys.stderr)
    return [], [], "\n".join(said)


def measure_once(build: pathlib.Path, quick: bool) -> tuple[dict[str, Any] | None, str]:
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "http.json"
        command = [sys.executable, str(PROGRAM), "--build-dir", str(build), "--json", str(file)]
        try:
            done = subprocess.run(command + QUICK * quick, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  timeout=SECONDS_MAX)  # fmt: skip
        except subprocess.TimeoutExpired:
            return None, f"took longer than {SECONDS_MAX} s"
        if done.returncode != 0 or not file.exists():
            return None, done.stderr.strip() or f"exit status {done.returncode}"
        return json.loads(file.read_text()), ""
