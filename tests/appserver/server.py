"""The server under test as a process, and a client that sends just the bytes that it is given."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

PROGRAM = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
WORKER = PROGRAM.with_name("appserver_worker") if PROGRAM else None
WATCHDOG_S = 60  # a test that waits for longer has failed


def wait_until(condition, what):
    """Waits for something that is bound to happen."""
    deadline = time.monotonic() + WATCHDOG_S
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(f"did not happen within {WATCHDOG_S} s: {what() if callable(what) else what}")


def state_of(pid):
    """The letter of a process's state, as proc(5) has it; none if there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def process_exists(pid):
    """Whether a process runs; one that nobody has waited for does not."""
    return state_of(pid) not in {None, "Z", "X"}


@contextlib.contextmanager
def stopped(*pids):
    """Meanwhile these processes do nothing: what they were asked stays unanswered for as long as a test wants."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: all(state_of(pid) == "T" for pid in pids), "that they stop")
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Response:
    """What came back: status, headers (names in lower case) and body."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body


class Client:
    """One connection."""

    def __init__(self, port, receive_buffer_bytes=None):
        self.socket = socket.socket()
        if receive_buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(WATCHDOG_S)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, line, headers=(), body=b""):
        """Sends a well-formed request, and waits for its response."""
        lines = [f"{line} HTTP/1.1", "Host: test", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        return self.response(no_body=line.startswith("HEAD "))

    def response(self, no_body=False):
        while b"\r\n\r\n" not in self.input:
            self._receive()
        head, _, rest = bytes(self.input).partition(b"\r\n\r\n")
        del self.input[:len(self.input) - len(rest)]
        lines = head.decode().split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, f"{name} is there twice"
            headers[name.lower()] = value
        status = int(lines[0].split(" ")[1])
        length = 0 if no_body or status == 100 else int(headers["content-length"])
        while len(self.input) < length:
            self._receive()
        body = bytes(self.input[:length])
        del self.input[:length]
        return Response(status, headers, body)

    def is_closed(self):
        """Waits for the end of the connection; nothing may come before it."""
        try:
            return not self.input and self.socket.recv(65536) == b""
        except ConnectionResetError:
            return True

    def _receive(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise EOFError(f"the connection ended after {bytes(self.input[:200])!r}")
        self.input += data


class Server:
    """The server, with two workers, on a free port. Leave it, and it is stopped, or killed."""

    def __init__(self, *options, program=None, env=None, setup=None):
        command = [str(program or PROGRAM), *options]
        if not any(option.startswith("--port") for option in options):
            command.append("--port=0")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=env, preexec_fn=setup)
        self.port = None
        self.errors = []  # lines of stderr
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()

    def start(self):
        """Waits until it listens."""
        watchdog = threading.Timer(WATCHDOG_S, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline().decode()
        watchdog.cancel()
        if not line:
            self.wait()
            raise AssertionError(f"the server did not start: {self.errors}")
        self.port = int(line.split("/")[2].split(":")[1])
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(WATCHDOG_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.wait()

    def wait(self):
        """Waits for its end. Returns the exit code."""
        try:
            code = self.process.wait(WATCHDOG_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(WATCHDOG_S)
        self.process.stdout.close()
        found = [line for line in self.errors if "Sanitizer" in line or "runtime error" in line]
        assert not found, f"a sanitizer has spoken: {self.errors}"
        return code

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def client(self, **options):
        return Client(self.port, **options)

    def stats(self):
        with self.client() as client:
            response = client.request("GET /stats", ["Connection: close"])
            assert response.status == 200
            return json.loads(response.body)

    def worker(self, index):
        """What it says about one of its workers."""
        return self.stats()["workers"][index]

    def workers(self):
        """The pids of its workers, by their number."""
        return [worker["pid"] for worker in self.stats()["workers"]]

    def children(self):
        """The pids of all its children."""
        children = []
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # a thread that has ended meanwhile
                children += map(int, (task / "children").read_text().split())
        return children

    def fd_count(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def at_rest(self):
        """Waits until nothing is in flight and no descriptor waits to be closed. Returns what must be as before then."""
        seen = []

        def is_at_rest():
            seen.append(self._left())
            return seen[-1] is not None and seen[-1] == (seen[-2:-1] or [None])[0]

        wait_until(is_at_rest, lambda: f"rest: {seen[-1:]}")
        return seen[-1]

    def assert_left(self, before):
        """Nothing is left but what was there `before`. Descriptors are closed a moment after they are done with."""
        seen = []

        def is_as_before():
            seen.append(self._left())
            return seen[-1] == before

        wait_until(is_as_before, lambda: f"leaked: {before} became {seen[-1:]}")

    def _left(self):
        """What is open and in use; None while something is in flight."""
        stats = self.stats()
        workers = stats["workers"]
        if not all(worker["up"] and "own" in worker for worker in workers):
            return None
        left = {
            "connections": stats["connections"]["open"],
            "in flight": sum(worker["in_flight"] for worker in workers),
            "reserved": sum(worker["upload_bytes_reserved"] for worker in workers),
            "lent": sum(worker["port"]["blocks_lent_now"] for worker in workers),
            "used": sum(worker["port"]["arena_used_bytes"] for worker in workers),
            "lent by workers": sum(w["own"]["port"]["blocks_lent_now"] for w in workers),
            "used by workers": sum(w["own"]["port"]["arena_used_bytes"] for w in workers),
            "fds": stats["open_fds"],
            "fds of workers": sum(worker["own"]["open_fds"] for worker in workers),
        }
        busy = {name: count for name, count in left.items() if "fds" not in name}
        return left if busy.pop("connections") == 1 and not any(busy.values()) else None

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.decode(errors="replace").rstrip("\n"))
        self.process.stderr.close()
