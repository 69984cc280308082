"""Where and of what a run was made: machine, kernel, compiler, commit."""

from __future__ import annotations

import json
import os
import pathlib
import platform
import subprocess
import time
from typing import Any


def said(*command: str, folder: pathlib.Path | None = None) -> str:
    """The output of a command; empty if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=folder, check=True)
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def field_of(path: str, name: str) -> str:
    """The first `name : value` of a file such as /proc/cpuinfo."""
    try:
        lines = pathlib.Path(path).read_text().splitlines()
    except OSError:
        return ""
    values = (line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == name)
    return next(values, "")


def compiler_of(build: pathlib.Path) -> str:
    """The C++ compiler that a Meson build tree uses."""
    told = said("meson", "introspect", "--compilers", str(build))
    try:
        return json.loads(told)["host"]["cpp"]["full_version"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return said("g++", "--version").split("\n")[0]


def commit_of(root: pathlib.Path) -> str:
    commit = said("git", "rev-parse", "--short=12", "HEAD", folder=root)
    changed = said("git", "status", "--porcelain", "--untracked-files=no", folder=root)
    return f"{commit} with changes" if commit and changed else commit


def os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def describe(root: pathlib.Path, build: pathlib.Path) -> dict[str, Any]:
    return {
        "cpu": field_of("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory": field_of("/proc/meminfo", "MemTotal"),
        "virtual": said("systemd-detect-virt") or "unknown",
        "kernel": platform.release(),
        "system": os_name(),
        "compiler": compiler_of(build),
        "commit": commit_of(root),
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "load_average": round(os.getloadavg()[0], 2),
    }
