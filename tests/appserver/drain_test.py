"""SIGTERM: what is in hand is finished, the rest is closed, the exit code is 0."""

import signal
import socket
import unittest

from server import Server, process_exists, stopped, wait_until


class DrainTest(unittest.TestCase):

    def start(self, drain_ms=60_000):
        server = Server(f"--drain-ms={drain_ms}").start()
        self.addCleanup(server.__exit__)
        return server

    def ask(self, client, server):
        """A request that is in the first worker, which is stopped."""
        client.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        wait_until(lambda: server.worker(0)["in_flight"] == 1, "it is in flight")

    def assert_stopping(self, server):
        wait_until(lambda: any("stopping" in line for line in server.errors), "that it stops")

    def test_a_request_in_flight_is_answered(self):
        for number in [signal.SIGTERM, signal.SIGINT]:
            server = self.start()
            workers = server.workers()
            with server.client() as busy, server.client() as idle:
                idle.request("GET /")
                with stopped(workers[0]):
                    self.ask(busy, server)
                    server.process.send_signal(number)
                    self.assertTrue(idle.is_closed())
                response = busy.response()
                self.assertEqual((response.status, response.body), (200, b"hello, world\n"))
                self.assertEqual(response.headers["connection"], "close")
                self.assertTrue(busy.is_closed())
            self.assertEqual(server.wait(), 0)
            self.assertFalse(any(process_exists(pid) for pid in workers))

    def test_a_body_on_its_way_is_answered(self):
        server = self.start()
        with server.client() as client:
            client.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3000000\r\n\r\n")
            client.send(bytes(1_000_000))
            wait_until(lambda: server.worker(0)["in_flight"] == 1, "it is in flight")
            server.process.terminate()
            self.assert_stopping(server)
            client.send(bytes(2_000_000))
            self.assertEqual(client.response().body, bytes(3_000_000))
        self.assertEqual(server.wait(), 0)

    def test_nobody_connects_any_more(self):
        server = self.start()

        def is_refused():
            try:
                socket.create_connection(("127.0.0.1", server.port)).close()
                return False
            except ConnectionError:
                return True

        with server.client() as busy:
            with stopped(server.workers()[0]):
                self.ask(busy, server)
                server.process.terminate()
                self.assert_stopping(server)
                wait_until(is_refused, "connections are refused")
            self.assertEqual(busy.response().status, 200)
        self.assertEqual(server.wait(), 0)

    def test_what_takes_too_long_is_cut_off(self):
        server = self.start(drain_ms=200)
        with server.client() as slow, server.client() as silent:
            slow.send(b"GET /sleep/3600000 HTTP/1.1\r\nHost: t\r\n\r\n")
            wait_until(lambda: sum(worker["in_flight"] for worker in server.stats()["workers"]) == 1,
                       "it is in flight, in whichever worker")
            silent.send(b"GET /bytes/60000000 HTTP/1.1\r\nHost: t\r\n\r\n")
            self.assertTrue(silent.socket.recv(1, socket.MSG_PEEK), "its response is on the way")
            server.process.terminate()
            self.assertTrue(slow.is_closed())
        self.assertEqual(server.wait(), 0)
        self.assertTrue(any("--drain-ms" in line for line in server.errors))
