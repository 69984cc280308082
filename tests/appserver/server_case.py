"""A group of tests that share one server, which has lost nothing when they are done."""

import unittest

from server import Server


class ServerCase(unittest.TestCase):
    """OPTIONS: of the server. KILLS: a worker may be another one in the end, with other numbers."""

    OPTIONS = ()
    KILLS = False

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.OPTIONS).start()
        cls.addClassCleanup(cls.server.__exit__)
        cls.before = cls.server.at_rest()

    @classmethod
    def tearDownClass(cls):
        if cls.server.process.poll() is not None:
            raise AssertionError(f"the server has died: {cls.server.errors}")
        if not cls.KILLS:
            workers_before = cls.worker_starts()
        cls.server.assert_left(cls.before)
        if not cls.KILLS:
            assert workers_before == cls.worker_starts() == [1, 1], "a worker has died"
        code = cls.server.stop()
        assert code == 0, f"exit code {code}: {cls.server.errors}"

    @classmethod
    def worker_starts(cls):
        return [worker["starts"] for worker in cls.server.stats()["workers"]]

    def send(self, data):
        """The response to these very bytes, on a connection of their own."""
        with self.server.client() as client:
            client.send(data)
            return client.response()

    def assert_refused(self, data, status):
        """These bytes are answered with `status`, and the connection is closed."""
        with self.subTest(data=data[:60]), self.server.client() as client:
            client.send(data)
            response = client.response()
            self.assertEqual(response.status, status)
            self.assertEqual(response.headers.get("connection"), "close")
            self.assertTrue(client.is_closed())
