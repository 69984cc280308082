"""Runs the example of named ports as its users do. Usage: named_test.py NAMED"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
WATCHDOG_S = 60


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=WATCHDOG_S, check=False)


class NamedTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.name = folder.name + "/words.sock"

    def serve(self):
        server = subprocess.Popen([PROGRAM, "serve", self.name], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.assertEqual(server.stdout.readline(), self.name + "\n")
        return server

    def ask(self, word):
        asked = run("ask", self.name, word)
        self.assertEqual((asked.returncode, asked.stderr), (0, ""))
        return int(asked.stdout)

    def test_clients_that_know_the_name_are_served(self):
        self.serve()
        self.assertEqual([self.ask("quay"), self.ask("quay"), self.ask("wharf"), self.ask("quay")], [1, 2, 1, 3])

    def test_a_server_that_was_killed_is_missed_and_can_be_started_again(self):
        server = self.serve()
        self.assertEqual(self.ask("quay"), 1)
        server.kill()
        server.wait()
        missed = run("ask", self.name, "quay")
        self.assertEqual(missed.returncode, 1)
        self.assertIn("is the server running?", missed.stderr)
        self.serve()
        self.assertEqual(self.ask("quay"), 1)

    def test_a_second_server_is_told_of_the_first(self):
        self.serve()
        second = run("serve", self.name)
        self.assertEqual(second.returncode, 1)
        self.assertIn("a server is running there", second.stderr)
        self.assertEqual(self.ask("quay"), 1)

    def test_wrong_arguments_are_answered_with_the_right_ones(self):
        self.assertIn("usage:", run("serve").stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
