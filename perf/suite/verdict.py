"""Whether times differ beyond noise: Google Benchmark's compare.py says how likely it is, by a Mann-Whitney U test.

Debian has it in libbenchmark-tools. It reads two files of Google Benchmark's JSON with repetitions, and writes a file
with the p-value of each row.
"""

from __future__ import annotations

import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from suite.revisions import CompareError
from suite.trials import Samples, Times

TOOL = pathlib.Path("/usr/share/benchmark/compare.py")
DEBIANS_PYTHON = "/usr/bin/python3"  # it has Debian's scipy


@dataclass(frozen=True)
class Limits:
    alpha: float = 0.01  # of the U test
    threshold: float = 0.10  # of the medians


@dataclass(frozen=True)
class Row:
    name: str
    old: float  # medians, ns
    new: float
    p: float

    @property
    def change(self) -> float:
        return self.new / self.old - 1

    def word(self, limits: Limits) -> str:
        # By how much it is slower or faster is a ratio: +25 % and -20 % are the same distance.
        if self.p >= limits.alpha or max(self.new / self.old, self.old / self.new) <= 1 + limits.threshold:
            return ""
        return "REGRESSION" if self.new > self.old else "faster"


def benchmark_json(rows: dict[str, list[Times]]) -> dict:
    """Google Benchmark's JSON: one entry for each repetition of each row."""
    entries = [{"name": name, "run_name": name, "run_type": "iteration", "repetitions": len(times),
                "repetition_index": index, "iterations": 1, "real_time": real, "cpu_time": cpu, "time_unit": "ns"}
               for name, times in rows.items() for index, (real, cpu) in enumerate(times)]  # fmt: skip
    return {"context": {}, "benchmarks": entries}


def u_test(samples: Samples, alpha: float) -> list[dict]:
    """The report of Google Benchmark's compare.py."""
    if not TOOL.exists():
        raise CompareError(f"{TOOL} is missing: apt-get install libbenchmark-tools")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for side, file in enumerate(("old.json", "new.json")):
            rows = {row: sides[side] for row, sides in samples.items()}
            (folder / file).write_text(json.dumps(benchmark_json(rows)))
        python = DEBIANS_PYTHON if pathlib.Path(DEBIANS_PYTHON).exists() else sys.executable
        command = [python, TOOL, "--no-color", f"--alpha={alpha}", f"--dump_to_json={folder / 'report.json'}",
                   "benchmarks", folder / "old.json", folder / "new.json"]  # fmt: skip
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            raise CompareError(f"{TOOL} failed: {run.stderr.strip() or run.stdout.strip()}")
        return json.loads((folder / "report.json").read_text())


def rows_of(report: list[dict], samples: Samples) -> list[Row]:
    p_values = {entry["name"]: entry["utest"].get("time_pvalue") for entry in report if entry.get("utest")}
    rows = []
    for name, sides in samples.items():
        old, new = (statistics.median(real for real, _ in side) for side in sides)
        p = p_values.get(name)
        rows.append(Row(name, old, new, 1.0 if p is None or math.isnan(p) else p))
    return rows


def judge(samples: Samples, limits: Limits) -> list[Row]:
    return rows_of(u_test(samples, limits.alpha), samples) if samples else []


# ---- JSON files of the suite ----

def key_of(result: dict) -> str:
    fields = ("case", "payload_bytes", "placement", "mode", "count", "contender")
    return "/".join(str(result[field]) for field in fields if field in result)


def operation_ns(value: float, unit: str) -> float:
    """A time, or what takes longer the lower a rate is: more is worse."""
    return 1e9 / value if unit.endswith("/s") else value


def spread_of(result: dict) -> tuple[float, float, float]:
    """Least, median and most time."""
    least, most = sorted(operation_ns(result[end], result["unit"]) for end in ("min", "max"))
    return least, operation_ns(result["median"], result["unit"]), most


def p_of_spreads(old: dict, new: dict) -> float:
    """The U test of what files say of a row: if the spreads do not touch, U is 0, and p two orders of all there are."""
    (old_least, _, old_most), (new_least, _, new_most) = spread_of(old), spread_of(new)
    if old_least <= new_most and new_least <= old_most:
        return 1.0
    counts = old["repetitions"], new["repetitions"]
    return 2 / math.comb(sum(counts), counts[0])


def compare_files(old: dict, new: dict) -> tuple[list[Row], list[str]]:
    """Rows of wharf that both files have, and the names of those that one has."""
    def wharf(run: dict) -> dict[str, dict]:
        return {key_of(result): result for result in run["results"]
                if result["role"] == "wharf" and result["median"]}  # fmt: skip

    olds, news = wharf(old), wharf(new)
    rows = [Row(name, spread_of(olds[name])[1], spread_of(news[name])[1], p_of_spreads(olds[name], news[name]))
            for name in olds if name in news]  # fmt: skip
    return rows, sorted(olds.keys() ^ news.keys())
