"""Requests without a body: what is answered how, and in which order."""

import hashlib
import os
import pathlib
import tempfile
from random import Random

from server_case import ServerCase


def pattern(count):
    """What /bytes/N answers."""
    return (bytes(range(251)) * (count // 251 + 1))[:count]


class RequestTest(ServerCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.make_files(pathlib.Path(cls.folder.name))
        cls.OPTIONS = (*cls.OPTIONS, f"--root={cls.folder.name}/root")
        super().setUpClass()

    @classmethod
    def make_files(cls, folder):
        (folder / "secret").write_text("not yours")
        root = folder / "root"
        (root / "sub").mkdir(parents=True)
        (root / "empty").write_bytes(b"")
        (root / "sub" / "a b.txt").write_bytes(b"quay")
        (root / "large").write_bytes(os.urandom(3_000_000))
        (root / "unreadable").write_text("x")
        (root / "unreadable").chmod(0)
        (root / "out").symlink_to("../secret")
        (root / "absolute").symlink_to("/etc/hostname")
        (root / "within").symlink_to("sub/a b.txt")
        (root / "proc").symlink_to("/proc/self")
        os.mkfifo(root / "fifo")
        cls.large = (root / "large").read_bytes()

    def test_a_connection_serves_many_requests(self):
        with self.server.client() as client:
            for _ in range(20):
                response = client.request("GET /")
                self.assertEqual((response.status, response.body), (200, b"hello, world\n"))
                self.assertNotIn("connection", response.headers)

    def test_connection_close_is_honoured(self):
        with self.server.client() as client:
            response = client.request("GET /", ["Connection: close"])
            self.assertEqual(response.headers["connection"], "close")
            self.assertTrue(client.is_closed())

    def test_http_1_0_closes_unless_it_asks_otherwise(self):
        with self.server.client() as client:
            client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            self.assertEqual(client.response().headers["connection"], "keep-alive")
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            self.assertEqual(client.response().headers["connection"], "close")
            self.assertTrue(client.is_closed())

    def test_pipelined_requests_are_answered_in_order(self):
        sizes = [10, 2_000_000, 0, 70_000, 1]
        lines = [f"GET /bytes/{size}" for size in sizes] + ["GET /sleep/50", "GET /nope", "GET /"]
        with self.server.client() as client:
            client.send(b"".join(f"{line} HTTP/1.1\r\nHost: t\r\n\r\n".encode() for line in lines))
            for size in sizes:
                self.assertEqual(client.response().body, pattern(size))
            self.assertEqual(client.response().body, b"slept for 50 ms\n")
            self.assertEqual(client.response().status, 404)
            self.assertEqual(client.response().body, b"hello, world\n")

    def test_a_request_may_come_byte_by_byte(self):
        with self.server.client() as client:
            for byte in b"\r\nGET /bytes/5?x=y HTTP/1.1\r\nHost: t\r\n\r\n":
                client.send(bytes([byte]))
            self.assertEqual(client.response().body, pattern(5))

    def test_head_is_answered_without_a_body(self):
        sizes = {"/": 13, "/bytes/67108864": 67_108_864, "/file/large": 3_000_000, "/nope": 13,
                 "/echo": 19}
        with self.server.client() as client:
            for path, size in sizes.items():
                response = client.request(f"HEAD {path}")
                self.assertEqual(int(response.headers["content-length"]), size, path)
            self.assertEqual(client.request("GET /").body, b"hello, world\n")

    def test_stats_is_no_work_for_a_worker(self):
        with self.server.client() as client:
            self.assertEqual(client.request("GET /stats?now").status, 200)
            self.assertGreater(int(client.request("HEAD /stats").headers["content-length"]), 1000)
            self.assertEqual(client.request("DELETE /stats").status, 405)

    def test_bytes_have_their_pattern(self):
        with self.server.client() as client:
            for count in [0, 1, 251, 1000, 2048, 1 << 20, (1 << 20) + 1, 5_000_000]:
                self.assertEqual(client.request(f"GET /bytes/{count}").body, pattern(count))

    def test_wrong_numbers_are_refused(self):
        with self.server.client() as client:
            for path in ["/bytes/", "/bytes/x", "/bytes/-1", "/bytes/67108865", "/bytes/1/2",
                         "/bytes/99999999999999999999999", "/sleep/1s", "/sleep/99999999999"]:
                self.assertEqual(client.request(f"GET {path}").status, 400, path)

    def test_unknown_pages_are_not_found(self):
        with self.server.client() as client:
            for path in ["/nope", "/echo/", "/bytes", "/Stats", "/stats/", "//", "/%2f"]:
                self.assertEqual(client.request(f"GET {path}").status, 404, path)

    def test_wrong_methods_are_told_the_right_ones(self):
        with self.server.client() as client:
            for line, allowed in [("POST /", "GET, HEAD"), ("GET /echo", "POST"),
                                  ("DELETE /bytes/1", "GET, HEAD"), ("GET /crash", "POST"),
                                  ("OPTIONS /echo", "POST"), ("PUT /file/large", "GET, HEAD")]:
                response = client.request(line)
                self.assertEqual((response.status, response.headers["allow"]), (405, allowed), line)

    def test_a_whole_url_is_a_target_too(self):
        with self.server.client() as client:
            self.assertEqual(client.request("GET http://test/bytes/3").body, pattern(3))
            self.assertEqual(client.request("GET http://test").status, 200)
            self.assertEqual(client.request("OPTIONS *").status, 404)

    def test_files_are_sent_as_they_are(self):
        with self.server.client() as client:
            response = client.request("GET /file/large")
            self.assertEqual(hashlib.sha256(response.body).digest(),
                             hashlib.sha256(self.large).digest())
            self.assertEqual(client.request("GET /file/empty").body, b"")
            self.assertEqual(client.request("GET /file/sub/a%20b.txt").body, b"quay")
            self.assertEqual(client.request("GET /file/within").body, b"quay")
            self.assertEqual(client.request("GET /file/sub/../empty").status, 200)

    def test_no_name_leads_out_of_the_root(self):
        with self.server.client() as client:
            for name in ["../secret", "..%2fsecret", "%2e%2e/secret", "%2e%2e%2fsecret",
                         "sub/../../secret", "/etc/hostname", "%2fetc/hostname", "out", "absolute",
                         "proc/environ", "..", "....//secret", "..\\secret", "%252e%252e/secret"]:
                response = client.request(f"GET /file/{name}")
                self.assertEqual(response.status, 404, name)
                self.assertNotIn(b"not yours", response.body)

    def test_what_is_no_readable_file_is_not_sent(self):
        with self.server.client() as client:
            for name in ["", "nope", "sub", "sub/", "fifo", "empty/x", "x" * 300]:
                self.assertEqual(client.request(f"GET /file/{name}").status, 404, name)
            for name in ["%", "%2", "%zz", "a%00b"]:
                self.assertEqual(client.request(f"GET /file/{name}").status, 400, name)
            if os.geteuid() != 0:
                self.assertEqual(client.request("GET /file/unreadable").status, 403)


class MalformedRequestTest(ServerCase):

    def test_what_is_no_http_is_refused(self):
        for data in [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00", b"\xff\xfe\xfd",
                     b"GARBAGE\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n",
                     b" GET / HTTP/1.1\r\n\r\n",
                     b"GET  / HTTP/1.1\r\nHost: t\r\n\r\n", b"GET / HTTP/1.1 \r\nHost: t\r\n\r\n",
                     b"GET / http/1.1\r\nHost: t\r\n\r\n", b"GET / HTTP/x\r\nHost: t\r\n\r\n",
                     b"GET nope HTTP/1.1\r\nHost: t\r\n\r\n",
                     b"GET /\x01 HTTP/1.1\r\nHost: t\r\n\r\n",
                     b"G\x01T / HTTP/1.1\r\nHost: t\r\n\r\n", b"GET * HTTP/1.1\r\nHost: t\r\n\r\n"]:
            self.assert_refused(data, 400)

    def test_bare_line_feeds_are_refused(self):
        self.assert_refused(b"GET / HTTP/1.1\nHost: t\n\n", 400)
        self.assert_refused(b"GET / HTTP/1.1\r\nHost: t\n\r\n", 400)
        self.assert_refused(b"GET / HTTP/1.1\r\nHost: t\r\nA: b\n\n", 400)
        self.assert_refused(b"GET / HTTP/1.1\r\nHost: t\r\rA: b\r\n\r\n", 400)

    def test_malformed_fields_are_refused(self):
        for field in [b"no colon", b"Name : value", b": value", b"Na me: v", b"A: \x00",
                      b"A: a\x7fb", b"A: \x01b"]:
            self.assert_refused(b"GET / HTTP/1.1\r\nHost: t\r\n" + field + b"\r\n\r\n", 400)

    def test_exactly_one_host_is_wanted(self):
        self.assert_refused(b"GET / HTTP/1.1\r\n\r\n", 400)
        self.assert_refused(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400)

    def test_other_versions_are_refused(self):
        for version in [b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/3.0"]:
            self.assert_refused(b"GET / " + version + b"\r\nHost: t\r\n\r\n", 505)
        self.assert_refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)

    def test_unknown_methods_are_refused(self):
        for method in [b"BREW", b"get", b"CONNECT", b"TRACE", b"X" * 100]:
            self.assert_refused(method + b" / HTTP/1.1\r\nHost: t\r\n\r\n", 501)

    def test_two_lengths_are_refused(self):
        for fields in [b"Content-Length: 5\r\nTransfer-Encoding: chunked",
                       b"Transfer-Encoding: chunked\r\nContent-Length: 5",
                       b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5, 6",
                       b"Content-Length: -1", b"Content-Length: +5", b"Content-Length: 5x",
                       b"Content-Length: 0x5", b"Content-Length:", b"Content-Length: 5 5",
                       b"Content-Length: 99999999999999999999999",
                       b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"]:
            self.assert_refused(b"POST /echo HTTP/1.1\r\nHost: t\r\n" + fields + b"\r\n\r\n", 400)

    def test_unknown_codings_and_expectations_are_refused(self):
        head = b"POST /echo HTTP/1.1\r\nHost: t\r\n"
        for coding in [b"gzip", b"gzip, chunked", b"chunked, gzip", b"identity", b"xchunked", b""]:
            self.assert_refused(head + b"Transfer-Encoding: " + coding + b"\r\n\r\n", 501)
        self.assert_refused(head + b"Expect: the worst\r\nContent-Length: 1\r\n\r\n", 417)
        self.assert_refused(b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400)

    def test_a_request_that_ends_half_way_is_refused(self):
        with self.server.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHos")
            client.socket.shutdown(1)
            self.assertEqual(client.response().status, 400)
            self.assertTrue(client.is_closed())

    def test_mutated_requests_do_no_harm(self):
        random = Random(20260101)  # the same every time
        whole = [b"GET /bytes/3000 HTTP/1.1\r\nHost: t\r\n\r\n",
                 b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nquay",
                 b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"4\r\nquay\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"]
        strange = [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"chunked", b"Content-Length: ", b"0",
                   b"FFFFFFFF", b"-1", b"%", b"..", b";", b",", b"\xff", b"Host: x\r\n"]
        for _ in range(300):
            data = bytearray(b"".join(random.choices(whole, k=3)))
            for _ in range(random.randint(1, 6)):
                at = random.randrange(len(data))
                data[at:at + random.choice([0, 0, 1, 5])] = random.choice(strange)
            with self.server.client() as client:
                client.send(data)
                client.socket.shutdown(1)
                try:
                    answer = client.socket.recv(9)
                except ConnectionResetError:
                    continue
                self.assertEqual(answer, b"HTTP/1.1 "[:len(answer)], bytes(data))

    def test_clients_that_vanish_do_no_harm(self):
        for data in [b"", b"G", b"GET / HTTP/1.1\r\n",
                     b"GET /bytes/5000000 HTTP/1.1\r\nHost: t\r\n\r\n",
                     b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5000000\r\n\r\nabc"]:
            for _ in range(5):
                with self.server.client() as client:
                    client.send(data)
        self.assertEqual(self.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n").status, 200)


class SocketOnlyRequestTest(RequestTest):
    """The same without shared memory."""

    OPTIONS = ("--socket-only",)


class HostileRequestTest(RequestTest):
    """The same with workers that the router does not trust."""

    OPTIONS = ("--hostile",)
