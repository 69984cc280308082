"""Clients that send too much, too slowly, or read nothing."""

import pathlib
import select
import tempfile
import time

from server import wait_until
from server_case import ServerCase


class HeadLimitTest(ServerCase):

    OPTIONS = ("--header-bytes-max=2048",)

    def test_a_head_that_is_too_large_is_refused(self):
        head = b"GET / HTTP/1.1\r\nHost: t\r\n"
        self.assert_refused(head + b"A: " + b"x" * 3000 + b"\r\n\r\n", 431)
        self.assert_refused(head + b"A: b\r\n" * 500, 431)

    def test_many_small_fields_in_packets_of_their_own_are_too_large_too(self):
        with self.server.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: t\r\n")
            try:
                for _ in range(200):
                    client.send(b"Field: value\r\n")
                    time.sleep(0.0002)
            except OSError:
                pass  # refused already
            self.assertEqual(client.response().status, 431)

    def test_a_target_that_is_too_long_is_refused(self):
        self.assert_refused(b"GET /" + b"x" * 3000, 414)

    def test_a_head_of_just_the_limit_is_taken(self):
        head = b"GET / HTTP/1.1\r\nHost: t\r\nA: "
        fits = head + b"x" * (2048 - len(head) - 4) + b"\r\n\r\n"
        self.assertEqual(self.send(fits).status, 200)
        self.assert_refused(head + b"x" * (2048 - len(head)), 431)


class TargetLimitTest(ServerCase):

    def test_a_target_has_to_fit_a_message(self):
        longest = b"GET /" + b"x" * 2043 + b" HTTP/1.1\r\nHost: t\r\n\r\n"
        self.assertEqual(self.send(longest).status, 404)
        self.assert_refused(longest.replace(b"/x", b"/xx"), 414)


class StallTest(ServerCase):
    """Clients that stop. The times are short, but no honest client here needs longer."""

    OPTIONS = ("--header-timeout-ms=400", "--idle-timeout-ms=2000", "--body-stall-ms=1000",
               "--write-stall-ms=700")

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        (pathlib.Path(folder.name) / "large").write_bytes(bytes(30_000_000))
        cls.OPTIONS = (*cls.OPTIONS, f"--root={folder.name}")
        super().setUpClass()

    def test_a_head_that_stops_is_refused(self):
        self.assert_refused(b"GET / HTTP/1.1\r\nHost:", 408)

    def test_a_head_that_drips_is_refused(self):
        with self.server.client() as client:
            for byte in b"GET / HTTP/1.1\r\nHost: t\r\nField: " + b"x" * 1000:
                client.send(bytes([byte]))
                if select.select([client.socket], [], [], 0.03)[0]:
                    break
            self.assertEqual(client.response().status, 408)

    def test_a_body_that_stops_is_refused(self):
        head = b"POST /echo HTTP/1.1\r\nHost: t\r\n"
        self.assert_refused(head + b"Content-Length: 5\r\n\r\nabc", 408)
        self.assert_refused(head + b"Content-Length: 5000000\r\n\r\n" + bytes(3_000_000), 408)
        self.assert_refused(head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", 408)

    def test_a_connection_without_a_request_is_closed(self):
        with self.server.client() as fresh, self.server.client() as used:
            used.request("GET /")
            self.assertTrue(fresh.is_closed())
            self.assertTrue(used.is_closed())

    def test_a_client_that_never_reads_is_cut_off(self):
        clients = [self.server.client(receive_buffer_bytes=4096) for _ in range(4)]
        clients[0].send(b"GET /bytes/50000000 HTTP/1.1\r\nHost: t\r\n\r\n")
        clients[1].send(b"GET /bytes/100000 HTTP/1.1\r\nHost: t\r\n\r\n" * 150)
        clients[2].send(b"GET /file/large HTTP/1.1\r\nHost: t\r\n\r\n")
        clients[3].send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 20000000\r\n\r\n")
        clients[3].send(bytes(20_000_000))
        wait_until(lambda: self.server.stats()["connections"]["open"] == 1, "all cut off")
        for client in [clients[0], clients[2], clients[3]]:
            with self.assertRaises((EOFError, ConnectionResetError)):
                client.response()
        for client in clients:
            client.socket.close()


class ConnectionLimitTest(ServerCase):

    OPTIONS = ("--connections-max=3",)

    def test_further_connections_wait(self):
        first, second = self.server.client(), self.server.client()
        first.request("GET /")
        second.request("GET /")
        with self.server.client() as third:
            third.request("GET /")
            with self.server.client() as fourth:
                fourth.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
                fourth.socket.settimeout(0.3)
                with self.assertRaises(TimeoutError):
                    fourth.response()
                first.socket.close()
                fourth.socket.settimeout(60)
                self.assertEqual(fourth.response().status, 200)
        second.socket.close()
