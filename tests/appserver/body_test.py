"""Requests with a body: whole ones, chunked ones, and those that go wrong."""

import os
import threading

from server import wait_until
from server_case import ServerCase

MIB = 1 << 20
HEAD = b"POST /echo HTTP/1.1\r\nHost: t\r\n"


def counted(body):
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(body, chunk_bytes):
    chunks = [body[at:at + chunk_bytes] for at in range(0, len(body), chunk_bytes)]
    framed = b"".join(b"%X\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


class BodyTest(ServerCase):

    def test_a_body_of_any_size_comes_back(self):
        with self.server.client() as client:
            for size in [0, 1, 1000, 2000, 2047, 2048, 5000, 16_384, 100_000, MIB - 1, MIB, MIB + 1,
                         3 * MIB, 9_999_999]:
                body = os.urandom(size)
                client.send(counted(body))
                self.assertEqual(client.response().body, body, size)

    def test_a_chunked_body_of_any_size_comes_back(self):
        with self.server.client() as client:
            for size, chunk in [(0, 1), (1, 1), (5000, 1), (5000, 4096), (16_384, 16_384),
                                (100_000, 99), (MIB, 7777), (2 * MIB + 1, 100_000),
                                (9_999_999, 1 << 20)]:
                body = os.urandom(size)
                client.send(chunked(body, chunk))
                self.assertEqual(client.response().body, body, (size, chunk))

    def test_the_largest_body_comes_back(self):
        body = os.urandom(64 * MIB)
        with self.server.client() as client:
            for data in [counted(body), chunked(body, 1_000_000)]:
                sender = threading.Thread(target=client.send, args=(data,))
                sender.start()
                response = client.response()
                sender.join()
                self.assertEqual(response.status, 200)
                self.assertTrue(response.body == body)

    def test_a_body_may_come_byte_by_byte(self):
        with self.server.client() as client:
            for data in [counted(b"quay"), chunked(b"quay", 2)]:
                for byte in data:
                    client.send(bytes([byte]))
                self.assertEqual(client.response().body, b"quay")

    def test_extensions_and_trailers_are_skipped(self):
        response = self.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
                             b"4;name=value\r\nquay\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n")
        self.assertEqual(response.body, b"quay")

    def test_pipelined_bodies_are_answered_in_order(self):
        bodies = [os.urandom(size) for size in [3, 20_000, 0, 300_000, 5, 2 * MIB]]
        data = b"".join(counted(b) if i % 2 else chunked(b, 1000) for i, b in enumerate(bodies))
        with self.server.client() as client:
            sender = threading.Thread(target=client.send, args=(data,))
            sender.start()
            for body in bodies:
                self.assertEqual(client.response().body, body)
            sender.join()

    def test_a_body_where_none_is_wanted_is_taken(self):
        with self.server.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nquay"
                        b"GET /bytes/1 HTTP/1.1\r\nHost: t\r\n\r\n")
            self.assertEqual(client.response().body, b"hello, world\n")
            self.assertEqual(client.response().body, b"\0")

    def test_a_body_that_is_too_large_is_refused_unread(self):
        self.assert_refused(HEAD + b"Content-Length: 67108865\r\n\r\n", 413)
        self.assert_refused(HEAD + b"Content-Length: 67108865\r\nExpect: 100-continue\r\n\r\n", 413)
        self.assert_refused(HEAD + b"Transfer-Encoding: chunked\r\n\r\n4000001\r\n", 413)
        self.assert_refused(HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n", 413)

    def test_the_refusal_arrives_though_the_client_still_sends(self):
        with self.server.client() as client:
            client.send(HEAD + b"Content-Length: 99999999\r\n\r\n" + bytes(3 * MIB))
            self.assertEqual(client.response().status, 413)

    def test_wrong_chunks_are_refused(self):
        for chunks in [b"x\r\n", b"-1\r\n", b"\r\n\r\n", b"4 4\r\nquay\r\n", b"4\r\nquaysides\r\n",
                       b"4\nquay\n0\n\n", b"11111111111111111\r\n", b"4;\x00\r\nquay\r\n0\r\n\r\n",
                       b"1;" + b"x" * 20_000]:
            self.assert_refused(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks, 400)

    def test_a_body_that_ends_half_way_is_refused(self):
        for data in [counted(bytes(MIB))[:-1], counted(b"quay")[:-1],
                     chunked(bytes(MIB), 5000)[:-3],
                     HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nqu"]:
            with self.server.client() as client:
                client.send(data)
                client.socket.shutdown(1)
                self.assertEqual(client.response().status, 400)
                self.assertTrue(client.is_closed())

    def test_expect_100_continue_is_answered_first(self):
        body = os.urandom(50_000)
        expecting = [b"Content-Length: 50000\r\n", b"Transfer-Encoding: chunked\r\n"]
        for field, data in zip(expecting, [body, chunked(body, 7000).partition(b"\r\n\r\n")[2]]):
            with self.server.client() as client:
                client.send(HEAD + field + b"Expect: 100-continue\r\n\r\n")
                self.assertEqual(client.response().status, 100)
                client.send(data)
                self.assertEqual(client.response().body, body)

    def test_a_body_that_comes_at_once_is_not_asked_for(self):
        response = self.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\nquay")
        self.assertEqual((response.status, response.body), (200, b"quay"))


class SocketOnlyBodyTest(BodyTest):
    """The same without shared memory."""

    OPTIONS = ("--socket-only",)


class HostileBodyTest(BodyTest):
    """The same with workers that the router does not trust."""

    OPTIONS = ("--hostile",)


class BodyMemoryTest(ServerCase):
    """Little memory for bodies: they wait for each other."""

    OPTIONS = (f"--arena-bytes-max={8 * MIB}", f"--body-bytes-max={3 * MIB}",
               "--worker-wait-ms=20000")

    def test_many_bodies_wait_for_memory_and_all_come_back(self):
        body = os.urandom(3 * MIB)
        answers = []

        def post(data):
            with self.server.client() as client:
                sender = threading.Thread(target=client.send, args=(data,))
                sender.start()
                answers.append(client.response().body == body)
                sender.join()

        posts = [threading.Thread(target=post, args=(data,))
                 for data in [counted(body), chunked(body, 60_000)] * 8]
        for thread in posts:
            thread.start()
        for thread in posts:
            thread.join()
        self.assertEqual(answers, [True] * 16)

    def test_many_answers_wait_for_memory_and_all_come(self):
        clients = [self.server.client() for _ in range(16)]
        for client in clients:
            client.send(f"GET /bytes/{3 * MIB} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
        for client in clients:
            self.assertEqual(len(client.response().body), 3 * MIB)
            client.socket.close()


class BodyShortageTest(ServerCase):
    """Little memory, and no patience."""

    OPTIONS = ("--workers=1", f"--arena-bytes-max={8 * MIB}", f"--body-bytes-max={4 * MIB}",
               "--worker-wait-ms=100")

    @classmethod
    def worker_starts(cls):
        return [1, 1] if super().worker_starts() == [1] else None

    def test_a_body_that_finds_no_memory_in_time_is_refused(self):
        with self.server.client() as slow:
            slow.send(counted(bytes(4 * MIB))[:-1])
            wait_until(lambda: self.server.worker(0)["upload_bytes_reserved"] != 0, "it has its share")
            self.assert_refused(counted(bytes(3 * MIB)), 503)
            self.assert_refused(chunked(bytes(2 * MIB), MIB), 503)
            self.assertEqual(self.send(counted(bytes(100_000))).status, 200)
            slow.send(b"\0")
            self.assertEqual(slow.response().body, bytes(4 * MIB))
        self.assertEqual(self.send(counted(bytes(3 * MIB))).status, 200)
