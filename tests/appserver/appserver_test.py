"""Drives the example server from outside: real processes, raw sockets, wrong input, killed workers.

Usage: appserver_test.py APPSERVER
Cases are selected by GTEST_FILTER (RequestTest.*), and reported as JSON to GTEST_OUTPUT.
"""

import runner

if __name__ == "__main__":
    runner.main(["request_test", "body_test", "limit_test", "worker_test", "startup_test",
                 "drain_test"])
