"""Workers that die, stop, or do not come back."""

import concurrent.futures
import os
import pathlib
import re
import resource
import shutil
import signal
import tempfile
import threading
import time
import unittest

from server import WORKER, Server, process_exists, stopped, wait_until
from server_case import ServerCase


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


class WorkerDeathTest(ServerCase):

    KILLS = True

    def setUp(self):
        self.server.at_rest()

    def in_flight(self):
        return [worker["in_flight"] for worker in self.server.stats()["workers"]]

    def kill_first(self):
        """Kills the first worker. Gives what is true when it has been found dead."""
        starts = self.server.worker(0)["starts"]
        os.kill(self.server.workers()[0], signal.SIGKILL)

        def is_found_dead():
            worker = self.server.worker(0)
            return not worker["up"] or worker["starts"] > starts

        return is_found_dead

    def test_only_the_requests_of_a_dead_worker_are_lost(self):
        lost_before = self.server.stats()["lost_requests"]
        pids = self.server.workers()
        clients = [self.server.client() for _ in range(8)]
        with stopped(*pids):
            for client in clients:
                client.send(get("/"))
            wait_until(lambda: self.in_flight() == [4, 4], "four requests in each")
            os.kill(pids[0], signal.SIGKILL)
        answers = [client.response().status for client in clients]
        self.assertEqual(sorted(answers), [200] * 4 + [502] * 4)
        for client in clients:  # every connection goes on
            self.assertEqual(client.request("GET /").status, 200)
            client.socket.close()
        self.assertEqual(self.server.stats()["lost_requests"] - lost_before, 4)
        self.server.at_rest()
        self.assertEqual(self.server.workers()[1], pids[1])

    def test_a_crash_is_survived_by_all_but_its_request(self):
        for _ in range(3):
            starts = sum(worker["starts"] for worker in self.server.stats()["workers"])
            with self.server.client() as client:
                self.assertEqual(client.request("POST /crash").status, 502)
                self.assertEqual(client.request("GET /").status, 200)
            self.server.at_rest()
            worker = self.server.worker(0)
            self.assertGreater(worker["last_restart_ms"], 0)
            self.assertEqual(sum(w["starts"] for w in self.server.stats()["workers"]), starts + 1)

    def test_a_body_on_its_way_to_a_dead_worker_is_lost(self):
        with self.server.client() as client:
            client.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5000000\r\n\r\n")
            client.send(bytes(2_500_000))
            wait_until(lambda: self.in_flight() == [1, 0], "one request in flight")
            wait_until(self.kill_first(), "its death")
            client.send(bytes(2_500_000))
            self.assertEqual(client.response().status, 502)

    def test_an_answer_outlives_its_worker(self):
        with self.server.client(receive_buffer_bytes=4096) as client:
            client.send(get("/bytes/30000000"))
            wait_until(lambda: self.server.worker(0)["port"]["bytes_received"] > 30_000_000,
                       "the answer in the router")
            wait_until(self.kill_first(), "its death")
            body = client.response().body
            self.assertEqual(len(body), 30_000_000)
            self.assertEqual(body[-1000:], bytes(i % 251 for i in range(29_999_000, 30_000_000)))


class HungWorkerTest(ServerCase):

    OPTIONS = ("--request-timeout-ms=4000",)

    def test_a_worker_that_hangs_costs_only_its_requests(self):
        with (self.server.client() as stuck, self.server.client() as other,
              stopped(self.server.workers()[0])):
            stuck.send(get("/"))
            wait_until(lambda: self.server.worker(0)["in_flight"] == 1, "it is in flight")
            for _ in range(20):
                self.assertEqual(other.request("GET /").status, 200)
            self.assertEqual(stuck.response().status, 504)


class DeathStormTest(ServerCase):

    KILLS = True

    def test_a_storm_of_deaths_leaks_nothing(self):
        stop = threading.Event()

        def load(path):
            statuses = set()
            with self.server.client() as client:
                while not stop.is_set():
                    client.send(get(path))
                    statuses.add(client.response().status)
            return statuses

        paths = ["/", "/bytes/300000", "/sleep/5", "/bytes/3000"]
        with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
            loads = [pool.submit(load, path) for path in paths]
            try:
                for round_number in range(6):
                    starts = self.server.worker(round_number % 2)["starts"]
                    os.kill(self.server.workers()[round_number % 2], signal.SIGKILL)
                    wait_until(lambda: self.is_up_again(round_number % 2, starts), "a new worker")
            finally:
                stop.set()
        for path, one in zip(paths, loads):
            self.assertLessEqual(one.result(), {200, 502, 503}, path)

    def is_up_again(self, index, starts_before):
        worker = self.server.worker(index)
        return worker["up"] and worker["starts"] > starts_before


class BrokenWorkerTest(unittest.TestCase):
    """The worker program is replaced while the server runs."""

    OPTIONS = ("--workers=1", "--worker-wait-ms=200")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.worker = self.folder / "worker"
        shutil.copy2(WORKER, self.worker)

    def replace_worker(self, script=None):
        new = self.folder / "new"
        if script is None:
            shutil.copy2(WORKER, new)
        else:
            new.write_text(script)
            new.chmod(0o755)
        new.rename(self.worker)

    def start_count(self):
        return len((self.folder / "starts").read_text().split())

    def test_a_worker_that_ends_at_once_is_not_started_in_a_storm(self):
        with Server(*self.OPTIONS, f"--worker-program={self.worker}") as server:
            before = server.at_rest()
            self.replace_worker(f"#!/bin/sh\necho x >>{self.folder}/starts\nexit 3\n")
            os.kill(server.workers()[0], signal.SIGKILL)
            time.sleep(2)  # back-off: 0.1, 0.2, 0.4, 0.8... seconds between them
            with server.client() as client:
                self.assertEqual(client.request("GET /").status, 503)
                self.assertEqual(client.request("GET /stats").status, 200)
            self.assertIn(self.start_count(), range(1, 8))
            self.assertTrue(any("exited with code 3" in line for line in server.errors))
            self.replace_worker()
            wait_until(lambda: server.worker(0)["up"], "the worker is up again")
            server.assert_left(before)
            with server.client() as client:
                self.assertEqual(client.request("GET /").status, 200)
            self.assertEqual(server.stop(), 0)

    def test_a_worker_that_is_missing_is_looked_for_again(self):
        with Server(*self.OPTIONS, f"--worker-program={self.worker}") as server:
            self.worker.unlink()
            os.kill(server.workers()[0], signal.SIGKILL)
            wait_until(lambda: any("No such file" in line for line in server.errors), "a line")
            with server.client() as client:
                self.assertEqual(client.request("GET /").status, 503)
                self.replace_worker()
                wait_until(lambda: server.worker(0)["up"], "the worker is up again")
                self.assertEqual(client.request("GET /").status, 200)

    def test_a_request_waits_for_a_worker_that_comes_back(self):
        with Server("--workers=1", "--worker-wait-ms=30000") as server, server.client() as client:
            os.kill(server.workers()[0], signal.SIGKILL)
            wait_until(lambda: server.worker(0)["starts"] > 1 or
                       not server.worker(0)["up"], "its death")
            self.assertEqual(client.request("GET /").status, 200)

    def test_workers_end_when_the_router_is_killed(self):
        with Server() as server:
            workers = server.workers()
            server.stop(signal.SIGKILL)
            wait_until(lambda: not any(process_exists(pid) for pid in workers), "no orphans")


def leave_memory_for(pid, more_bytes):
    """Limits what a process may map to what it has, and so much more."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    mapped_bytes = int(re.search(r"VmSize:\s+(\d+) kB", status)[1]) * 1024
    resource.prlimit(pid, resource.RLIMIT_AS, (mapped_bytes + more_bytes, resource.RLIM_INFINITY))


class MemoryShortageTest(unittest.TestCase):
    """A body that finds no memory on the heap, where it lies without shared memory, costs its own request alone."""

    BYTES = 48 << 20
    LEFT = 24 << 20

    def setUp(self):
        self.server = Server("--socket-only", "--workers=1").start()
        self.addCleanup(self.server.__exit__)

    def assert_serves(self, other):
        """A connection that was there before, and a new one."""
        self.assertEqual(other.request("GET /").status, 200)
        with self.server.client() as client:
            self.assertEqual(client.request("GET /bytes/100000").status, 200)

    def test_in_the_router(self):
        with self.server.client() as client, self.server.client() as other:
            other.request("GET /")
            leave_memory_for(self.server.process.pid, self.LEFT)
            head = f"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: {self.BYTES}\r\n\r\n"
            with self.assertRaises((ConnectionError, EOFError)):
                client.send(head.encode() + bytes(self.BYTES))
                client.response()
            self.assert_serves(other)
        self.assertEqual(self.server.stop(), 0)
        self.assertTrue(any("a connection was closed" in line for line in self.server.errors))

    def test_in_a_worker(self):
        with self.server.client() as client, self.server.client() as other:
            other.request("GET /")
            leave_memory_for(self.server.workers()[0], self.LEFT)
            self.assertEqual(client.request(f"GET /bytes/{self.BYTES}").status, 500)
            self.assert_serves(other)
            self.assertEqual(self.server.worker(0)["starts"], 1)
        self.assertEqual(self.server.stop(), 0)
