"""A git revision, checked out and built beside the others in build/compare."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field

OPTIONS = ["-Dbuildtype=release", "-Dtests=disabled", "-Dexamples=disabled", "-Dbenchmarks=enabled"]
CONTESTS = ("wharf_contest", "floors_contest")


class CompareError(Exception):
    """Why there is nothing to compare."""


@dataclass
class Build:
    """What was built of a revision: its programs by name."""

    label: str  # what the user called it
    commit: str
    programs: dict[str, pathlib.Path] = field(default_factory=dict)


def git(root: pathlib.Path, *arguments: str) -> str:
    run = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    if run.returncode != 0:
        raise CompareError(f"git {' '.join(arguments)}: {run.stderr.strip()}")
    return run.stdout.strip()


def commit_of(root: pathlib.Path, revision: str) -> str:
    try:
        return git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except CompareError:
        raise CompareError(f"'{revision}' is neither a file nor a git revision") from None


def logged(log: pathlib.Path, text: str, *command: str | pathlib.Path, **environment: str) -> None:
    """Runs a command whose output goes to the log; says how long it took, or how it ended."""
    print(f"{text} ... ", end="", file=sys.stderr, flush=True)
    start = time.monotonic()
    with open(log, "ab") as out:
        run = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                             env=os.environ | environment)  # fmt: skip
    print(f"{'ok' if run.returncode == 0 else 'failed'} ({time.monotonic() - start:.0f} s)", file=sys.stderr)
    if run.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise CompareError(f"{text} failed: {log} ends with\n{tail}")


def check_out(root: pathlib.Path, commit: str, folder: pathlib.Path) -> pathlib.Path:
    """The revision's files: a worktree below `folder`, which stays for the next time."""
    source = folder / "source"
    git(root, "worktree", "prune")  # of those that ./dev clean has removed
    if (source / ".git").exists() and git(source, "rev-parse", "HEAD") == commit:
        git(source, "checkout", "--quiet", "--force", "HEAD")
        return source
    shutil.rmtree(folder, ignore_errors=True)
    git(root, "worktree", "prune")
    folder.mkdir(parents=True)
    git(root, "worktree", "add", "--quiet", "--detach", str(source), commit)
    return source


def configure(source: pathlib.Path, tree: pathlib.Path, log: pathlib.Path, label: str) -> None:
    if (tree / "build.ninja").exists():
        return
    shutil.rmtree(tree, ignore_errors=True)
    cache = "ccache " if shutil.which("ccache") else ""
    logged(log, f"configure {label}", "meson", "setup", tree, source, *OPTIONS, CC=f"{cache}gcc", CXX=f"{cache}g++")


def wanted_targets(tree: pathlib.Path) -> dict[str, pathlib.Path]:
    """Google Benchmark programs and contests of a configured tree, by name."""
    run = subprocess.run(["meson", "introspect", "--targets", str(tree)], capture_output=True, text=True)
    if run.returncode != 0:
        raise CompareError(f"meson introspect {tree}: {run.stderr.strip()}")
    targets = [target for target in json.loads(run.stdout) if target["type"] == "executable"]
    return {target["name"]: pathlib.Path(target["filename"][0])
            for target in targets if target["name"].endswith("_perf") or target["name"] in CONTESTS}  # fmt: skip


def build(root: pathlib.Path, revision: str, jobs: int) -> Build:
    """`revision` built as it was committed; '.' is the checkout as it is, changes and all."""
    here = revision == "."
    commit = git(root, "rev-parse", "HEAD") if here else commit_of(root, revision)
    folder = root / "build" / "compare" / ("checkout" if here else commit[:12])
    source = root if here else check_out(root, commit, folder)
    folder.mkdir(parents=True, exist_ok=True)
    log, tree = folder / "build.log", folder / "build"
    log.write_bytes(b"")
    label = "the checkout" if here else f"{revision} ({commit[:12]})"
    configure(source, tree, log, label)
    programs = wanted_targets(tree)
    if not programs:
        raise CompareError(f"{label} has no benchmarks")
    paths = [path.relative_to(tree) for path in programs.values()]
    logged(log, f"build {label}", "ninja", "-C", tree, "-j", str(jobs), *paths)
    return Build(revision, commit, programs)
