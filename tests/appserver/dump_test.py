"""SIGUSR1: the router tells what its tasks wait for, and goes on."""

import signal
import unittest

from server import Server, wait_until


class DumpTest(unittest.TestCase):

    def test_a_connection_that_waits_is_shown(self):
        server = Server().start()
        self.addCleanup(server.__exit__)
        with server.client() as client:
            client.request("GET /")
            server.process.send_signal(signal.SIGUSR1)
            wait_until(lambda: any("task" in line for line in server.errors), "that it tells")
            self.assertEqual(client.request("GET /").status, 200)
