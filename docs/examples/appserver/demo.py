#!/usr/bin/env python3
"""Shows that the example server does what it says: starts it with two workers, tries every route
with curl, sends wrong input, loads it with wrk, kills a worker under load, and stops it.
Prints what it saw; the exit code is 0 only if all of it held.

Usage: demo.py --build-dir DIR [--json FILE] [--seconds N] [--hostile]
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True  # the source tree stays as it is
from demo_tools import (  # noqa: E402
    CONNECTIONS, Server, blocks_out, curl, payload_copied, per_message,
    reactor_work, sides_of, wrk)

MIB = 1 << 20


class Checks:
    """What was checked, printed as a table while it grows."""

    def __init__(self):
        self.failed = 0

    def section(self, title):
        print(f"\n{title}", flush=True)

    def add(self, what, held, seen=""):
        self.failed += not held
        print(f"  {'ok  ' if held else 'FAIL'}  {what:<46}  {seen}", flush=True)
        return held


def check_routes(server, checks, folder):
    """Every route, with the bodies compared byte for byte."""
    checks.section("Routes, with curl")
    large = os.urandom(64 * MIB)
    (folder / "large").write_bytes(large)
    pattern = bytes(range(251)) * (64 * MIB // 251 + 1)
    stored = (folder / "root" / "file.bin").read_bytes()
    put = ["--data-binary", f"@{folder}/large", "-H", "Content-Type:"]
    in_chunks = [*put, "-H", "Transfer-Encoding: chunked"]
    cases = [
        ("GET /", "/", [], 200, b"hello, world\n"),
        ("HEAD /bytes/1000", "/bytes/1000", ["-I"], 200, b""),
        ("GET /bytes/1000", "/bytes/1000", [], 200, pattern[:1000]),
        ("GET /bytes/67108864 (64 MiB)", "/bytes/67108864", [], 200, pattern[:64 * MIB]),
        ("POST /echo, 4 bytes", "/echo", ["-d", "quay"], 200, b"quay"),
        ("POST /echo, 64 MiB", "/echo", put, 200, large),
        ("POST /echo, 64 MiB in chunks", "/echo", in_chunks, 200, large),
        ("GET /sleep/200", "/sleep/200", [], 200, b"slept for 200 ms\n"),
        ("GET /file/file.bin (20 MB, as a descriptor)", "/file/file.bin", [], 200, stored),
        ("POST /crash (the worker dies)", "/crash", ["-X", "POST"], 502, b"502 Bad Gateway\n"),
        ("GET / after that", "/", [], 200, b"hello, world\n"),
    ]
    rows = []
    for name, path, arguments, wanted_status, wanted_body in cases:
        before = payload_copied(server.at_rest())
        status, seconds, body = curl(server, path, *arguments, output=str(folder / "body"))
        held = status == wanted_status and body == wanted_body
        if path == "/echo" and len(body) > MIB:
            copied = payload_copied(server.at_rest()) - before
            held = checks.add(f"  copied between router and worker: {copied} bytes", copied < 64 * 1024) and held
        checks.add(name, held, f"{status}, {len(body)} bytes, {seconds * 1000:.0f} ms")
        rows.append({"route": name, "status": status, "body_bytes": len(body),
                     "body_right": body == wanted_body, "ms": round(seconds * 1000, 1), "ok": held})
    stats = server.at_rest()
    held = stats["lost_requests"] == 1 and len(stats["workers"]) == 2
    checks.add("GET /stats", held, f"{stats['requests']} requests, 1 lost to /crash")
    rows.append({"route": "GET /stats", "status": 200, "ok": held})
    return rows


def check_bad_input(server, checks):
    checks.section("Wrong input, on raw sockets")
    head = b"HTTP/1.1\r\nHost: t\r\n"
    echo = b"POST /echo " + head
    cases = [
        (404, "unknown route", b"GET /nope " + head + b"\r\n"),
        (404, "../ in a file's name", b"GET /file/../../etc/passwd " + head + b"\r\n"),
        (404, "the same, encoded", b"GET /file/%2e%2e%2f%2e%2e%2fetc%2fpasswd " + head + b"\r\n"),
        (405, "wrong method", b"DELETE / " + head + b"\r\n"),
        (400, "no HTTP at all", b"\x16\x03\x01\x02\x00"),
        (400, "two lengths", echo + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (413, "a body of 100 MB announced", echo + b"Content-Length: 100000000\r\n\r\n"),
        (431, "a head of 20 kB", b"GET / " + head + b"A: " + b"x" * 20_000 + b"\r\n\r\n"),
        (501, "unknown method", b"BREW / " + head + b"\r\n"),
        (505, "HTTP/2.0", b"GET / HTTP/2.0\r\nHost: t\r\n\r\n"),
    ]
    for wanted, name, data in cases:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(data)
            answer = client.recv(4096).decode(errors="replace").split("\r\n")[0]
        checks.add(name, answer.startswith(f"HTTP/1.1 {wanted} "), answer.removeprefix("HTTP/1.1 "))


def check_load(server, checks, seconds, figures):
    checks.section(f"Load: wrk, {CONNECTIONS} connections, {seconds} s")
    before = server.at_rest()
    result = wrk(server, seconds)
    after = server.at_rest()
    checks.add("requests per second", result["requests"] > 0, f"{result['per_second']}")
    checks.add("latency p50, p99, max", True,
               f"{result['p50']}, {result['p99']}, {result['max']} us")
    checks.add("no request failed", result["failed"] == 0,
               f"{result['failed']} of {result['requests']}")
    sent = {way: sum(port[f"sent_{way}"] for ports in sides_of(after) for port in ports) -
            sum(port[f"sent_{way}"] for ports in sides_of(before) for port in ports)
            for way in ("shared_memory", "socket")}
    checks.add("messages by shared memory, by socket", sent["socket"] == 0,
               f"{sent['shared_memory']}, {sent['socket']}")
    calls = per_message(before, after)
    checks.add("system calls per message, router", True,
               f"{calls['router_port']} for its ports + "
               f"{calls['router_reactor']} io_uring_enter, TCP too")
    checks.add("system calls per message, workers", True,
               f"{calls['worker_port']} for their ports + {calls['worker_reactor']} io_uring_enter")
    reactors = reactor_work(before, after)
    for name, work in reactors.items():
        checks.add(f"reactor of the {name}", True,
                   f"{work['turns']} turns, {work['resumed']} coroutines, {work['enters']} enters, "
                   f"{work['completions']} completions,")
        checks.add("  its sleep", True,
                   f"{work['sleeps']} sleeps, {work['wakes']} wakes, longest turn {work['longest_turn_us']} us")
    figures.update(requests_per_second=result["per_second"],
                   latency_us={name: result[name] for name in ("p50", "p99", "max")},
                   messages_shm=sent["shared_memory"], messages_socket=sent["socket"],
                   syscalls_per_message=calls, reactors=reactors)


def check_kill(server, checks, seconds, figures):
    checks.section(f"A worker killed (SIGKILL) under the same load, {seconds} s")
    before = server.at_rest()
    victim = before["workers"][0]["pid"]
    killer = threading.Timer(seconds / 2, os.kill, (victim, signal.SIGKILL))
    killer.start()
    result = wrk(server, seconds)
    killer.join()
    after = server.at_rest()
    worker = after["workers"][0]
    lost = worker["lost_requests"] - before["workers"][0]["lost_requests"]
    checks.add("failed requests, of those in that worker", result["failed"] <= lost <= CONNECTIONS,
               f"{result['failed']} of {lost}; {result['requests']} in all")
    checks.add("the worker is another one", worker["pid"] != victim,
               f"pid {victim}, now {worker['pid']}")
    checks.add("the other one went on", after["workers"][1]["pid"] == before["workers"][1]["pid"])
    restart_ms = worker.get("last_restart_ms", 0.0)  # none, if it is the same one
    checks.add("from its death to the new one's start", restart_ms > 0, f"{restart_ms:.1f} ms")
    figures.update(failed_requests=result["failed"], restart_ms=round(restart_ms, 2))


def check_rest(server, checks, fds_before, figures):
    checks.section("Afterwards, at rest")
    # Descriptors are closed a moment after they are done with.
    stats = server.at_rest(lambda stats: stats["open_fds"] == fds_before)
    fds = stats["open_fds"]
    blocks = blocks_out(stats)
    checks.add("descriptors of the router, before and after", fds == fds_before,
               f"{fds_before}, {fds}")
    checks.add("blocks of shared memory not given back", blocks == 0, f"{blocks}")
    figures.update(leaked_fds=fds - fds_before, leaked_blocks=blocks)


def check_stop(server, checks, folder):
    checks.section("SIGTERM with a request in flight")
    answer = []
    request = threading.Thread(target=lambda: answer.append(
        curl(server, "/sleep/500", output=str(folder / "body"))))
    request.start()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if any(worker["in_flight"] for worker in server.stats()["workers"]):
            break
        time.sleep(0.01)
    server.process.terminate()
    try:
        code = server.process.wait(15)
    except subprocess.TimeoutExpired:
        code = "none: it did not stop"
    request.join()
    checks.add("the request was answered", answer[0][0] == 200, answer[0][2].decode().strip())
    checks.add("exit code 0", code == 0, f"{code}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("Usage:")[0],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, required=True,
                        help="where the server was built")
    parser.add_argument("--json", type=pathlib.Path, help="writes the figures to this file")
    parser.add_argument("--seconds", type=int, default=5, help="of each load (default: 5)")
    parser.add_argument("--hostile", action="store_true",
                        help="the router takes its workers for hostile")
    options = parser.parse_args()
    for tool in ("curl", "wrk"):
        if shutil.which(tool) is None:
            sys.exit(f"demo: {tool} is missing: apt-get install {tool}")

    checks, figures = Checks(), {}
    with tempfile.TemporaryDirectory(prefix="wharf-demo-") as name:
        folder = pathlib.Path(name)
        (folder / "root").mkdir()
        (folder / "root" / "file.bin").write_bytes(os.urandom(20_000_000))
        server = Server(options.build_dir.resolve(), folder / "root",
                        ["--hostile"] if options.hostile else [])
        try:
            print(f"appserver at {server.url}, two workers", flush=True)
            fds_before = server.at_rest()["open_fds"]
            figures["routes"] = check_routes(server, checks, folder)
            check_bad_input(server, checks)
            check_load(server, checks, options.seconds, figures)
            check_kill(server, checks, options.seconds, figures)
            check_rest(server, checks, fds_before, figures)
            check_stop(server, checks, folder)
        finally:
            server.kill_all()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"\n{'all of it held' if not checks.failed else f'{checks.failed} of it did not hold'}")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
