"""Drives the example server from outside: real processes, raw sockets, wrong input, killed workers.

Usage: appserver_test.py APPSERVER
Cases are selected by GTEST_FILTER (RequestTest.*), and reported as JSON to GTEST_OUTPUT.
"""

import sys

sys.dont_write_bytecode = True  # the source tree stays as it is
import runner  # noqa: E402

if __name__ == "__main__":
    runner.main(["request_test", "body_test", "limit_test", "worker_test", "startup_test",
                 "drain_test", "dump_test"])
