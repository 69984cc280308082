"""What was built: each program of contenders says with --list what it can do.

Who is a floor, who is wharf and who is a peer follows from the program.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys


@dataclasses.dataclass(frozen=True)
class Contender:
    """One contender with one case."""

    name: str
    case: str
    modes: tuple[str, ...]
    payload_bytes_max: int
    role: str  # "floor", "wharf" or "peer"
    program: str


def role_of(program: pathlib.Path) -> str:
    return {"floors_contest": "floor", "wharf_contest": "wharf"}.get(program.name, "peer")


def programs_in(build: pathlib.Path) -> list[pathlib.Path]:
    """The programs of contenders under a build tree; build/perf/perf holds them."""
    folder = build / "perf"
    found = list(folder.glob("*_contest")) + list(folder.glob("peers/*_contest"))
    return sorted(program for program in found if program.is_file())


def read_list(program: pathlib.Path) -> list[Contender]:
    said = subprocess.run([program, "--list"], capture_output=True, text=True, timeout=60, check=True).stdout
    return [
        Contender(
            name=entry["contender"],
            case=entry["case"],
            modes=tuple(entry["modes"]),
            payload_bytes_max=entry["payload_bytes_max"],
            role=role_of(program),
            program=str(program),
        )
        for entry in json.loads(said)
    ]


def find(build: pathlib.Path, only: list[str] | None = None) -> list[Contender]:
    """All that was built, or those of the names in `only` (floors always stay: without them there are no ratios)."""
    found: list[Contender] = []
    for program in programs_in(build):
        try:
            found += read_list(program)
        except (subprocess.SubprocessError, json.JSONDecodeError, OSError) as error:
            print(f"{program.name} --list failed: {error}", file=sys.stderr)
    if only:
        known = {contender.name for contender in found}
        unknown = [name for name in only if name not in known]
        if unknown:
            raise SystemExit(f"perf: no contender {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        found = [contender for contender in found if contender.role == "floor" or contender.name in only]
    return found
