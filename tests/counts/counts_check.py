"""Counts what messages cost, without a clock, and holds it against expected.json.

Usage: counts_check.py [PROGRAM] [--only counts|instructions] [--load LOAD]... [--expected FILE] [--write]

PROGRAM is `counted`, of build/test-gcc if none is named. Two kinds of counts:

counts        allocations, system calls, enters of io_uring, rings of a doorbell, wakes. Their limits are promises,
              written by hand: "at_most". System calls are counted by the kernel too, and both must agree.
instructions  of both sides for one message, by callgrind: what a run of more messages needs beyond a run of fewer.
              Recorded for each compiler; they may grow by "tolerance". Another build is skipped.

--write records the instructions of PROGRAM; of build/test-gcc's after bringing it up to date.
Exits with 1 if anything grew, and with 77 if there was nothing to compare.
"""

import argparse
import ctypes
import errno
import json
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = HERE.parent.parent / "build" / "test-gcc" / "tests" / "counts" / "counted"
SKIPPED = 77
# Lengths of the two runs: each message of the second that the first has not costs the same.
FEW, MANY = 2000, 4000

# What is divided by the messages sent by both sides.
PER_MESSAGE = ("allocations", "system_calls", "enters", "rings", "wakes")


def uring_is_refused():
    """What is recorded are the costs of io_uring. A seccomp filter or a sysctl refuses the call before it is looked at."""
    libc = ctypes.CDLL(None, use_errno=True)
    io_uring_setup = 425
    libc.syscall(io_uring_setup, 0, None)
    return ctypes.get_errno() in (errno.EPERM, errno.ENOSYS, errno.EACCES)


def run_counted(program, *words):
    """What one run prints, or None if this machine has too few processors for it."""
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode == SKIPPED:
        return None
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: failed ({done.returncode})\n{done.stderr}")
    return done.stdout


def calls_of(side):
    """System calls of one side: the kernel's word before the runtime's."""
    seen = side["system_calls_seen"]
    return side["system_calls"] if seen is None else seen


def costs_of(sides):
    """What a run of `counted` has cost: for each message, for each turn."""
    messages = sum(side["sent"] for side in sides.values())
    added = {name: sum(side[name] for side in sides.values()) for name in PER_MESSAGE}
    added["system_calls"] = sum(map(calls_of, sides.values()))
    costs = {f"{name}_per_message": total / messages for name, total in added.items()}
    costs["enters_per_turn"] = max(side["enters"] / max(side["turns"], 1) for side in sides.values())
    return costs


def problems_of(name, row, limits, sides):
    """Yields what is wrong with a run."""
    for side, counted in sides.items():
        seen = counted["system_calls_seen"]
        if seen is not None and seen != counted["system_calls"]:
            yield f"{name}, {side}: the kernel saw {seen} system calls, the runtime counted {counted['system_calls']}"
        if counted["sent"] + counted["received"] < row["count"]:
            yield f"{name}, {side}: fewer than {row['count']} messages"
    if row["place"] in ("asleep", "traced") and not any(side["sleeps"] for side in sides.values()):
        yield f"{name}: nobody slept"
    costs = costs_of(sides)
    for cost, limit in limits.items():
        if costs[cost] > limit:
            yield f"{name}: {cost} grew from {limit} to {costs[cost]:.4g}"


def check_counts(program, expected, loads):
    """The problems of every row, and how many rows were compared."""
    problems, compared = [], 0
    for row in expected["counts"]:
        name = f"{row['load']} {row['place']}"
        if loads and row["load"] not in loads:
            continue
        said = run_counted(program, row["load"], row["place"], row["count"])
        if said is None:
            print(f"{name}: skipped, it needs two processors")
            continue
        sides = json.loads(said)
        if row["place"] in ("awake", "traced") and sides["client"]["system_calls_seen"] is None:
            print(f"{name}: the kernel refuses ptrace; system calls are those that the runtime counted")
        costs = costs_of(sides)
        limits = expected["at_most"][row["limits"]]
        print(f"{name}: " + ", ".join(f"{cost} {costs[cost]:.4g}" for cost in limits))
        problems += problems_of(name, row, limits, sides)
        compared += 1
    return problems, compared


def instructions_of(program, load, count):
    """Of a run inside one process, of `count` messages or round trips; and how many messages that was."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, load, "inside", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    totals = [line.split()[-1] for line in done.stderr.splitlines() if "Collected :" in line]
    if done.returncode or len(totals) != 1:
        sys.exit(f"callgrind failed ({done.returncode})\n{done.stderr}")
    sides = json.loads(done.stdout)
    return int(totals[0]), sum(side["sent"] for side in sides.values())


def instructions_per_message(program, load):
    few, messages_of_few = instructions_of(program, load, FEW)
    many, messages_of_many = instructions_of(program, load, MANY)
    return (many - few) / (messages_of_many - messages_of_few)


def measure_instructions(program, loads):
    return {load: round(instructions_per_message(program, load), 1) for load in loads}


def check_instructions(program, expected, loads):
    """The problems of every load, and how many were compared."""
    build = run_counted(program, "build").strip()
    known = expected["instructions"]["per_message"]
    tolerance = expected["instructions"]["tolerance"]
    if shutil.which("valgrind") is None:
        print("instructions: skipped, there is no valgrind")
        return [], 0
    if build not in known:
        print(f"instructions: skipped, none are recorded for {build}, only for {'; '.join(known) or 'no build'}")
        return [], 0
    recorded = {load: value for load, value in known[build].items() if not loads or load in loads}
    problems = []
    for load, value in measure_instructions(program, recorded).items():
        change = value / recorded[load] - 1
        print(f"{load}: instructions_per_message {value} ({change:+.1%})")
        if change > tolerance:
            problems.append(f"{load}: instructions_per_message grew from {recorded[load]} to {value} ({change:+.1%})")
        elif change < -tolerance:
            print(f"{load}: fewer than recorded: counts_check.py --write keeps it so")
    return problems, len(recorded)


def text_of(expected):
    """As JSON, each innermost object on a line."""
    return re.sub(r"{[^{}]*}", lambda found: " ".join(found[0].split()), json.dumps(expected, indent=2)) + "\n"


def write_instructions(program, file, expected, loads):
    """Records those of this build: of all loads, or of the named ones."""
    build = run_counted(program, "build").strip()
    loads = loads or list(dict.fromkeys(row["load"] for row in expected["counts"]))
    measured = measure_instructions(program, loads)
    expected["instructions"]["per_message"].setdefault(build, {}).update(measured)
    file.write_text(text_of(expected))
    print(f"{build}: {measured}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("program", nargs="?", default=PROGRAM)
    parser.add_argument("--only", choices=("counts", "instructions"))
    parser.add_argument("--load", action="append")
    parser.add_argument("--expected", type=pathlib.Path, default=HERE / "expected.json")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    expected = json.loads(options.expected.read_text())
    if uring_is_refused():
        print("skipped, the costs are io_uring's, and it is refused here")
        return SKIPPED
    if options.write:
        if options.program == PROGRAM:
            subprocess.run(["ninja", "-C", PROGRAM.parents[2], "tests/counts/counted"], check=True)
        write_instructions(options.program, options.expected, expected, options.load)
        return 0
    problems, compared = [], 0
    for kind, check in (("counts", check_counts), ("instructions", check_instructions)):
        if options.only in (None, kind):
            found, count = check(options.program, expected, options.load)
            problems += found
            compared += count
    print("\n".join(problems) or f"{compared} loads cost no more than they should")
    if problems:
        print("if that is meant: counts_check.py --write, or a new limit in tests/counts/expected.json")
        return 1
    return 0 if compared else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
