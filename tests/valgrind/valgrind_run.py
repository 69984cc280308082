"""Runs a GoogleTest program under valgrind's memcheck, on epoll: valgrind does not see what io_uring writes.

Usage: valgrind_run.py AREA PROGRAM
Exits with 77, which Meson counts as skipped, if there is no valgrind, and with 99 if that found an error or a leak.
GTEST_FILTER in the environment selects cases, as ever; those of LEFT_OUT are never run.
"""

import os
import shutil
import sys

# What valgrind (3.19) cannot run: patterns, with the reason.
LEFT_OUT = {
    "coro": [],
    "runtime": [
        # They use a ring of io_uring whatever the environment says.
        "*/uring*",
        "Setups/UringBackendTest.*",
        # It does not know pidfd_open, so that no child can be spawned: ENOSYS.
        "*Process*",
        "*process*",
        "RealClientsTest.*",
        # A posix_spawn that fails in the child succeeds there: its child shares no memory.
        "SysTest.ASpawnLeavesErrnoAlone",
        # Nor futex_waitv, by which epoll's side waits for futexes.
        "*Futex*",
        "*futex*",
        # It holds the lock of all threads in close(), which it takes for a call that never waits: one that hangs stops
        # the thread that would end it.
        "CloseElsewhereTest.*Hang*",
        # In a child of fork() what the stacks of the parent's other threads refer to counts as lost, which becomes its exit
        # status; and a thread that the child starts never gets its turn.
        "*ForkTest.*",
        "CloseElsewhereTest.*ChildOfFork*",
        "UringRefusalTest.*",
        "ChoiceTest.*",
        # One thread runs at a time: a millisecond after the stop, reactors that only have to end have not had their turn.
        "RuntimeStopTest.TasksThatIgnoreTheStopAreCountedAndWaitedFor",
        # Of a descriptor beyond RLIMIT_NOFILE it makes EMFILE by closing it: with the connection that accept() took.
        "*WantOfDescriptors*",
        "*DescriptorsThatThereIsNoRoomFor*",
    ],
}

OPTIONS = [
    "--quiet",
    "--error-exitcode=99",
    "--leak-check=full",
    # The stacks of threads that serve to the end of the process count as possibly lost.
    "--show-leak-kinds=definite",
    "--errors-for-leak-kinds=definite",
    # One thread runs at a time: in turn, so that one which waits by looking does not keep the others from their work.
    "--fair-sched=yes",
    # What a death test's child leaves behind is no finding.
    "--child-silent-after-fork=yes",
]


def filter_for(area):
    wanted, _, unwanted = os.environ.get("GTEST_FILTER", "*").partition("-")
    left_out = [pattern for pattern in [unwanted, *LEFT_OUT[area]] if pattern]
    return (wanted or "*") + ("-" + ":".join(left_out) if left_out else "")


def main():
    area, program = sys.argv[1:]
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        print("skipped: there is no valgrind; ./dev test installs it")
        return 77
    sys.stdout.flush()
    return os.execv(valgrind, [valgrind, *OPTIONS, program, f"--gtest_filter={filter_for(area)}"])


if __name__ == "__main__":
    sys.exit(main())
