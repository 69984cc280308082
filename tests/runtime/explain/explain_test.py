"""Runs `wharf explain` where things are refused, and reads what it says, as text and as JSON.

Usage: explain_test.py PROGRAM
"""

import ctypes
import errno
import json
import os
import platform
import resource
import struct
import subprocess
import sys
import unittest

PROGRAM = ""

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
# The numbers of newer system calls are the same everywhere.
IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER, PIDFD_OPEN = 425, 426, 427, 434
URING = (IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER)
MEMFD_CREATE = {"x86_64": 319, "aarch64": 279, "riscv64": 279}.get(platform.machine())


class Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("filters", ctypes.c_void_p)]


def refuse(calls, error):
    """A function that makes system calls of this process, and of what it starts, fail with `error`."""
    load = struct.pack("HBBI", 0x20, 0, 0, 0)
    jumps = b"".join(
        struct.pack("HBBI", 0x15, len(calls) - i, 0, call) for i, call in enumerate(calls)
    )
    ends = struct.pack("HBBI", 0x06, 0, 0, RET_ALLOW) + struct.pack("HBBI", 0x06, 0, 0, RET_ERRNO | error)
    code = ctypes.create_string_buffer(load + jumps + ends)

    def apply():
        libc = ctypes.CDLL(None, use_errno=True)
        program = Program(len(calls) + 3, ctypes.cast(code, ctypes.c_void_p).value)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
            PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0
        ):
            os._exit(99)

    return apply


def limit(kind, soft):
    def apply():
        resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1]))

    return apply


def run(*arguments, where=None):
    return subprocess.run(
        [PROGRAM, *arguments], preexec_fn=where, capture_output=True, text=True, timeout=60, check=False
    )


class Explained:
    def __init__(self, where=None):
        done = run("explain", "--json", where=where)
        self.said = json.loads(done.stdout)
        self.exit_status = done.returncode
        self.findings = {finding["name"]: finding for finding in self.said["findings"]}
        text = run("explain", where=where)
        self.text = text.stdout
        assert text.returncode == done.returncode


class ExplainTest(unittest.TestCase):
    def check_refused(self, explained, name, *words):
        """`name` is missing, and the cause and the remedy, in both forms, hold the words."""
        finding = explained.findings[name]
        self.assertIn(finding["state"], ("no", "limited"))
        said = finding["cause"] + " " + finding["remedy"]
        for word in words:
            self.assertIn(word, said)
        self.assertIn(finding["cause"], explained.text)
        self.assertIn(finding["remedy"], explained.text)

    def test_every_finding_has_the_same_keys_and_a_known_state(self):
        for finding in Explained().findings.values():
            self.assertEqual(set(finding), {"name", "state", "found", "use", "cause", "remedy"})
            self.assertIn(finding["state"], {"yes", "limited", "no", "not tried"})

    def test_what_is_missing_has_a_cause_and_a_remedy_and_nothing_else_has(self):
        for finding in Explained().findings.values():
            missing = finding["state"] in {"no", "limited"}
            self.assertEqual(missing, finding["cause"] != "", finding)
            self.assertEqual(missing, finding["remedy"] != "", finding)

    def test_names_are_unique(self):
        explained = Explained()
        self.assertEqual(len(explained.findings), len(explained.said["findings"]))

    def test_the_table_has_a_line_for_every_finding(self):
        explained = Explained()
        lines = [line.split()[:2] for line in explained.text.splitlines() if line.strip()]
        for finding in explained.findings.values():
            self.assertIn([finding["name"], finding["state"].split()[0]], lines)

    def test_the_table_names_the_kernel_and_the_choice(self):
        explained = Explained()
        self.assertIn(platform.release(), explained.text.splitlines()[0])
        self.assertIn(explained.said["backend"], explained.text)
        self.assertIn(explained.said["memory"], explained.text)

    def test_a_seccomp_filter_that_says_eperm_is_named_with_its_remedy(self):
        explained = Explained(refuse(URING, errno.EPERM))
        self.assertTrue(explained.said["seccomp"])
        self.check_refused(explained, "io_uring", "seccomp filter", "io_uring_setup")
        self.assertIn("EPERM", explained.findings["io_uring"]["found"])

    def test_a_seccomp_filter_that_says_enosys_is_told_from_an_old_kernel(self):
        explained = Explained(refuse(URING, errno.ENOSYS))
        self.check_refused(explained, "io_uring", "seccomp filter", "io_uring_setup")

    def test_without_io_uring_what_builds_on_it_is_not_tried(self):
        explained = Explained(refuse(URING, errno.EPERM))
        states = {f["state"] for name, f in explained.findings.items() if name.startswith("io_uring.")}
        self.assertEqual(states, {"not tried"})

    def test_without_io_uring_the_choice_is_epoll(self):
        explained = Explained(refuse(URING, errno.EPERM))
        self.assertTrue(explained.said["backend"].startswith("epoll ("), explained.said["backend"])
        self.assertIn("seccomp", explained.said["backend"])
        self.assertEqual(explained.exit_status, 0)

    def needs_uring(self):
        if Explained().findings["io_uring"]["state"] == "no":
            self.skipTest("io_uring is refused here")

    def test_a_ring_that_may_not_be_entered_does_not_hang_the_probes(self):
        self.needs_uring()
        explained = Explained(refuse((IO_URING_ENTER,), errno.EPERM))
        self.check_refused(explained, "io_uring.multishot_poll", "seccomp filter")

    def test_buffer_rings_may_be_refused_alone(self):
        self.needs_uring()
        explained = Explained(refuse((IO_URING_REGISTER,), errno.EPERM))
        self.check_refused(explained, "io_uring.buffer_rings", "seccomp filter")
        self.assertEqual(explained.findings["io_uring.multishot_recv"]["state"], "not tried")

    @unittest.skipIf(MEMFD_CREATE is None, "its number is not known here")
    def test_without_sealed_memory_messages_go_through_the_socket(self):
        explained = Explained(refuse((MEMFD_CREATE,), errno.ENOSYS))
        self.check_refused(explained, "memfd.sealing", "seccomp filter", "memfd_create")
        self.assertIn("socket", explained.said["memory"])

    def test_a_pidfd_may_be_refused(self):
        self.check_refused(Explained(refuse((PIDFD_OPEN,), errno.EPERM)), "pidfd", "pidfd_open")

    def test_a_want_of_locked_memory_names_the_limit(self):
        explained = Explained(limit(resource.RLIMIT_MEMLOCK, 0))
        self.check_refused(explained, "limit.memlock", "RLIMIT_MEMLOCK is 0 KiB", "ulimit -l")
        self.assertEqual(explained.exit_status, 0)

    def test_a_want_of_descriptors_names_the_limit(self):
        explained = Explained(limit(resource.RLIMIT_NOFILE, 64))
        self.check_refused(explained, "limit.nofile", "RLIMIT_NOFILE is 64", "ulimit -n")

    def test_with_hardly_a_descriptor_it_says_so_and_fails(self):
        explained = Explained(limit(resource.RLIMIT_NOFILE, 4))
        self.assertFalse(explained.said["usable"])
        self.assertEqual(explained.exit_status, 1)
        self.assertIn("ulimit -n", explained.text)

    def test_one_cpu_is_one_reactor(self):
        cpu = max(os.sched_getaffinity(0))
        explained = Explained(lambda: os.sched_setaffinity(0, {cpu}))
        self.assertTrue(explained.findings["cpus"]["found"].startswith(f"1 ({cpu}) of"))

    def test_help_says_how_it_is_used(self):
        for arguments in (["--help"], ["-h"], ["explain", "--help"]):
            done = run(*arguments)
            self.assertEqual(done.returncode, 0)
            self.assertIn("Usage: wharf explain [--json]", done.stdout)

    def test_version(self):
        done = run("--version")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith("wharf "))

    def test_what_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w") as full:
            for arguments in (["explain"], ["explain", "--json"], ["--version"]):
                done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
                self.assertEqual(done.returncode, 1)
                self.assertIn("No space left", done.stderr)

    def test_a_wrong_argument_is_refused_on_stderr(self):
        for arguments in ([], ["explore"], ["explain", "--xml"], ["explain", "--json", "x"]):
            done = run(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stdout, "")
            self.assertIn("Usage:", done.stderr)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
