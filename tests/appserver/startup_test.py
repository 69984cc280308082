"""What keeps the server from starting: one line that names cause and remedy, exit code 1."""

import ctypes
import os
import pathlib
import signal
import socket
import stat
import struct
import tempfile
import unittest
import unittest.mock

from server import Server, process_exists, wait_until

LIBC = ctypes.CDLL(None, use_errno=True)
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 24, 38, 22
CAP_NET_BIND_SERVICE = 10
SYS_IO_URING_SETUP = 425


def prctl(*arguments):
    if LIBC.prctl(*map(ctypes.c_ulong, arguments)) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def forbid_low_ports():
    prctl(PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE, 0, 0, 0)


def forbid_io_uring():
    """A seccomp filter as of containers: io_uring_setup gives EPERM, all else is allowed."""
    load_number, jump_if_equal, give = 0x20, 0x15, 0x06
    allow, fail_with_eperm = 0x7fff0000, 0x00050001
    code = b"".join(struct.pack("HBBI", *step) for step in [
        (load_number, 0, 0, 0), (jump_if_equal, 0, 1, SYS_IO_URING_SETUP),
        (give, 0, 0, fail_with_eperm), (give, 0, 0, allow)])
    steps = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(steps)))
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(program), 0, 0)


class StartupTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def script(self, text):
        path = self.folder / "worker"
        path.write_text(text)
        path.chmod(stat.S_IRWXU)
        return f"--worker-program={path}"

    def assert_fails(self, words, *options, setup=None):
        """Exit code 1, and one line with these words."""
        server = Server(*options, setup=setup)
        self.assertEqual(server.wait(), 1)
        lines = [line for line in server.errors if line]
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("appserver: "), lines)
        for word in words:
            self.assertIn(word, lines[0])

    def test_the_port_is_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assert_fails([f"port {port}", "Address already in use", "choose another port"],
                              f"--port={port}")

    def test_the_port_is_not_permitted(self):
        first = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
        if first <= 81:
            self.skipTest("here everybody may use port 81")
        setup = forbid_low_ports if os.geteuid() == 0 else None
        self.assert_fails(["port 81", "Permission denied", "choose a higher one"], "--port=81",
                          setup=setup)

    def test_the_host_is_no_address_of_this_machine(self):
        self.assert_fails(["192.0.2.1", "no interface of this machine"], "--host=192.0.2.1")
        self.assert_fails(["example", "numeric"], "--host=example")

    def test_io_uring_is_refused(self):
        # Otherwise it would go on, on epoll.
        with unittest.mock.patch.dict(os.environ, {"WHARF_BACKEND": "uring"}):
            self.assert_fails(["io_uring", "Operation not permitted", "seccomp"], setup=forbid_io_uring)

    def test_the_worker_program_is_missing(self):
        self.assert_fails(["/nonexistent/worker", "No such file", "--worker-program"],
                          "--worker-program=/nonexistent/worker")

    def test_the_worker_program_may_not_be_executed(self):
        path = self.folder / "worker"
        path.write_text("text")
        self.assert_fails([str(path), "Permission denied", "--worker-program"],
                          f"--worker-program={path}")

    def test_the_worker_ends_at_once(self):
        log = self.folder / "starts"
        self.assert_fails(["exited with code 7", "--worker-program"], "--workers=3",
                          self.script(f"#!/bin/sh\necho x >>{log}\nexit 7\n"))
        self.assertLessEqual(len(log.read_text().split()), 3)

    def test_the_worker_is_another_program(self):
        self.assert_fails(["worker", "--worker-program"], self.script(
            "#!/usr/bin/env python3\nimport socket\n"
            "link = socket.socket(fileno=3)\nlink.send(b'x' * 200)\nlink.recv(1)\n"))

    def test_the_worker_is_of_another_version(self):
        # docs/formats.md, "Socket packets": a Hello that is right but for its version.
        self.assert_fails(["version 999", "--worker-program"], self.script(
            "#!/usr/bin/env python3\nimport socket, struct\n"
            "link = socket.socket(fileno=3)\n"
            "hello = struct.pack('<QIIQII32x', 0x314b4c4652485721, 999, 0, 1 << 28, 16384, 2048)\n"
            "header = struct.pack('<BBBBIIIQqQQ', 1, 0, 0, 0, 64, 0, 0, 0, 0, 64, 0)\n"
            "link.send(header + hello)\nlink.recv(65536)\nlink.recv(65536)\n"))

    def test_an_option_is_wrong(self):
        self.assert_fails(["--workers"], "--workers=0")
        self.assert_fails(["--root"], "--root=/nonexistent")
        self.assert_fails(["--nonsense"], "--nonsense")
        self.assert_fails(["--arena-bytes-max", "make it at least"], "--arena-bytes-max=1048576")

    def test_help_is_no_error(self):
        server = Server("--help")
        self.assertEqual(server.wait(), 0)
        self.assertEqual(server.errors, [])

    def start_that_takes_long(self):
        server = Server(self.script("#!/bin/sh\nexec sleep 1000\n"))
        self.addCleanup(server.__exit__)
        wait_until(lambda: len(server.children()) == 2, "two workers that do not answer")
        return server

    def test_a_signal_during_the_start_ends_it(self):
        server = self.start_that_takes_long()
        children = server.children()
        self.assertEqual(server.stop(signal.SIGTERM), 0)
        self.assertFalse(any(process_exists(pid) for pid in children))

    def test_what_the_start_waits_for_is_told(self):
        server = self.start_that_takes_long()
        server.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: any("Supervisor::start" in line for line in server.errors), "that it tells")
        self.assertEqual(server.stop(), 0)
