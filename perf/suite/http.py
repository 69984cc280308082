#!/usr/bin/env python3
"""Requests per second and latency of the example server, beside nginx and the same server on Boost.Asio.

Question: what does an HTTP server cost that is split into a router and workers, when wharf lies between them?
Method:   wrk sends GET / over 1, 32 and 256 connections; each server answers the same 13 bytes. wrk has the first core
          to itself, and all processes of a server share the last one: those that are one process and those that are
          two or three have the same processor to spend. One server works at a time; the others are asleep.
          The servers take turns, several times; the first turn of each only warms up. A ratio is the median of the
          ratios of one round, so that a machine that changes its pace changes both.
Peers:    nginx, one worker, `return 200` (one process, no split); perf/peers/beast_server.cc, a router and one
          worker on Boost.Asio and Beast, a unix socket between them.
Reading:  a run in which one request failed counts for nothing, and ends the program. wrk's own core limits what can be
          seen: above its limit, the processor time of a request says more than requests per second.
"""

import sys

# This file has the name of a module of Python's: its own folder is not to be looked in.
sys.path[:] = [folder for folder in sys.path if f"{folder}/http.py" != __file__]
sys.path.append(__file__.rpartition("/suite/")[0])

import argparse  # noqa: E402
import contextlib
import http.client
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

from suite import command_line

ROOT = pathlib.Path(__file__).resolve().parents[2]
WRK_SCRIPT = ROOT / "docs" / "examples" / "appserver" / "demo_load.lua"
BODY = b"hello, world\n"
CONNECTIONS = (1, 32, 256)
START_SECONDS_MAX = 10

# Everything in one folder of its own; a request is neither logged nor limited.
NGINX_CONF = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 127.0.0.1:%(port)d;
    default_type text/plain;
    location / { return 200 "%(body)s"; }
  }
}
"""

ROLES = {"wharf": "wharf", "wharf_2_workers": "wharf", "nginx": "peer", "beast": "peer"}


class HttpError(Exception):
    """Why there are no figures."""


# ---- Servers ----

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wharf_command(build, workers):
    program = build / "docs" / "examples" / "appserver" / "appserver"
    return lambda port, folder: [program, f"--port={port}", f"--workers={workers}"]


def nginx_command(program):
    def command(port, folder):
        (folder / "nginx.conf").write_text(NGINX_CONF % {"port": port, "body": BODY.decode().replace("\n", "\\n")})
        return [program, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]
    return command


def contenders(build, wanted):
    """Name and command of each server that is there; says which are not."""
    found = {"wharf": wharf_command(build, 1), "wharf_2_workers": wharf_command(build, 2)}
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if nginx:
        found["nginx"] = nginx_command(nginx)
    beast = build / "perf" / "peers" / "beast_server"
    if beast.exists():
        found["beast"] = lambda port, folder: [beast, str(port)]
    for name in sorted(set(wanted) - set(found)):
        print(f"http: {name} is left out: it is not there (nginx: apt-get install nginx-light; beast: needs Boost)",
              file=sys.stderr)
    return {name: command for name, command in found.items() if name in wanted}


def check_body(name, port):
    """One request whose whole answer is looked at; wrk looks at the status of the others."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", "/")
        response = connection.getresponse()
        body = response.read()
    if response.status != 200 or body != BODY:
        raise HttpError(f"{name} answered {response.status} {body!r}, not {BODY!r}")


def pinned(placement, client):
    """What goes before a command so that it runs where the placement says."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[0] if client else cores[-1])] if placement == "split" else []


class Server:
    """A server and all of its processes, in a session of their own."""

    def __init__(self, name, command, folder, placement):
        self.name = name
        self.placement = placement
        self.port = free_port()
        folder.mkdir()
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(pinned(placement, False) + command(self.port, folder), cwd=folder,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def wait_until_up(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                return check_body(self.name, self.port)
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise HttpError(f"{self.name} does not answer: {error}; {self.log.read_text().strip()}") from error
                time.sleep(0.02)

    def cpu_seconds(self):
        """What all processes of its session have used up so far."""
        ticks = 0
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()  # the third of proc(5) first
                ticks += int(fields[11]) + int(fields[12]) if int(fields[3]) == self.process.pid else 0
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def running(commands, placement):
    servers = []
    with tempfile.TemporaryDirectory(prefix="wharf-http-") as folder:
        os.chmod(folder, 0o755)  # nginx's worker is somebody else
        try:
            for name, command in commands.items():
                servers.append(Server(name, command, pathlib.Path(folder) / name, placement))
            for server in servers:
                server.wait_until_up()
            yield servers
        finally:
            for server in servers:
                server.stop()


# ---- Load ----

def parse_wrk(text):
    """The figures of one run from wrk's output: its script ends it with a line of JSON."""
    for line in text.splitlines():
        if line.startswith("RESULT "):
            result = json.loads(line.removeprefix("RESULT "))
            return {"requests": result["requests"],
                    "failed": result["bad_status"] + result["socket_errors"],
                    "requests/s": result["requests"] / result["duration_us"] * 1e6,
                    "p50": result["p50"], "p99": result["p99"]}
    raise HttpError(f"wrk failed: {text.strip()}")


def load(server, connections, seconds):
    command = pinned(server.placement, True) + ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", WRK_SCRIPT,
               f"http://127.0.0.1:{server.port}/"]
    before = server.cpu_seconds()
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        raise HttpError(f"{server.name}, {connections} connections: wrk did not end") from None
    figures = parse_wrk(run.stdout)
    if figures["failed"] or not figures["requests"]:
        raise HttpError(f"{server.name}, {connections} connections: {figures['failed']} of {figures['requests']} "
                        f"requests failed")
    figures["cpu_us"] = (server.cpu_seconds() - before) * 1e6 / figures["requests"]
    return figures


def measure(servers, connection_counts, repetitions, seconds, progress):
    """For each number of connections and server its runs, in the order of the rounds."""
    runs = {}
    for connections in connection_counts:
        for server in servers:
            load(server, connections, 1)
        for repetition in range(repetitions):
            # Every other round goes backwards, so that nobody always follows the same one.
            for server in servers if repetition % 2 == 0 else servers[::-1]:
                progress(f"{connections} connections, round {repetition + 1} of {repetitions}: {server.name}")
                runs.setdefault((connections, server.name), []).append(load(server, connections, seconds))
    return runs


# ---- Results ----

# What of a run becomes a result: case, unit.
FIGURES = {"requests/s": ("http", "requests/s"), "p50": ("http_latency_p50", "us"), "p99": ("http_latency_p99", "us"),
           "cpu_us": ("http_cpu_per_request", "us")}


def results_of(runs, placement="split"):
    results = []
    for (connections, name), figures in runs.items():
        for key, (case, unit) in FIGURES.items():
            values = [figure[key] for figure in figures]
            results.append({"case": case, "payload_bytes": len(BODY), "placement": placement, "mode": "default",
                            "count": connections, "contender": name, "role": ROLES[name], "unit": unit,
                            "median": statistics.median(values), "min": min(values), "max": max(values),
                            "repetitions": len(values)})
    return results


def ratios_of(runs, connections, name, other):
    """Requests per second of `name` for each one of `other`, round by round."""
    pairs = zip(runs.get((connections, name), []), runs.get((connections, other), []))
    return [mine["requests/s"] / theirs["requests/s"] for mine, theirs in pairs]


def goals_of(runs):
    goals = []
    for connections in (32, 256):
        beside_nginx = ratios_of(runs, connections, "nginx", "wharf")
        if beside_nginx:
            ratio = statistics.median(beside_nginx)
            goals.append({"goal": f"app server, {connections} connections, 1 worker: time of a request, beside nginx "
                                  f"`return`: at most 1.5x", "ratio": ratio, "limit": 1.5, "met": ratio <= 1.5})
        beside_beast = ratios_of(runs, connections, "wharf", "beast")
        if beside_beast:
            ratio = statistics.median(beside_beast)
            goals.append({"goal": f"app server, {connections} connections, 1 worker: requests/s, beside the Asio "
                                  f"example: at least 1.5x", "ratio": ratio, "limit": 1.5, "met": ratio >= 1.5})
    return goals


def version_of(command):
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return "none"
    return run.stdout.splitlines()[0].strip() if run.stdout else ""


def machine():
    cpu = platform.processor()
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(), "commit": commit,
            "wrk": version_of(["wrk", "-v"]).split(" [")[0],
            "nginx": version_of([shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx", "-v"])}


def table(runs):
    lines = [f"{'connections':>11}  {'server':<16} {'requests/s':>10} {'min':>9} {'max':>9} {'beside wharf':>12} "
             f"{'p50 us':>8} {'p99 us':>8} {'CPU us/request':>14}"]
    for (connections, name), figures in runs.items():
        rates = [figure["requests/s"] for figure in figures]
        ratios = ratios_of(runs, connections, name, "wharf")
        beside = f"{statistics.median(ratios):.2f}x" if ratios else ""
        p50, p99, cpu = (statistics.median(figure[key] for figure in figures) for key in ("p50", "p99", "cpu_us"))
        lines.append(f"{connections:>11}  {name:<16} {statistics.median(rates):>10.0f} {min(rates):>9.0f} "
                     f"{max(rates):>9.0f} {beside:>12} {p50:>8.0f} {p99:>8.0f} {cpu:>14.1f}")
    return "\n".join(lines)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="./dev perf http", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build" / "perf",
                        help="a release build with examples and benchmarks (build/perf)")
    parser.add_argument("--json", type=command_line.file_to_write, help="write the results to this file")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1 s in place of 7 of 2 s")
    parser.add_argument("--repetitions", type=int, help="rounds of each number of connections")
    parser.add_argument("--seconds", type=int, help="of each run, whole ones")
    parser.add_argument("--connections", type=int, nargs="+", default=list(CONNECTIONS), metavar="N",
                        help="how many at once (1 32 256)")
    parser.add_argument("--placement", choices=["free", "split"], default="split",
                        help="split: wrk on the first core, all of the server on the last; free: anywhere (split)")
    parser.add_argument("--contenders", nargs="+", default=list(ROLES), choices=list(ROLES), metavar="NAME",
                        help="of: " + " ".join(ROLES))
    options = parser.parse_args(arguments)
    options.repetitions = options.repetitions or (3 if options.quick else 7)
    options.seconds = options.seconds or (1 if options.quick else 2)
    return options


def main(arguments):
    options = parse_arguments(arguments)
    if shutil.which("wrk") is None:
        raise HttpError("wrk is missing: apt-get install wrk")
    if not (options.build_dir / "docs" / "examples" / "appserver" / "appserver").exists():
        raise HttpError(f"{options.build_dir} holds no appserver: build it with -Dexamples=enabled")
    show = sys.stderr.isatty()

    def progress(text):
        if show:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    with running(contenders(options.build_dir.resolve(), options.contenders),
                 options.placement) as servers:
        runs = measure(servers, options.connections, options.repetitions, options.seconds, progress)
    progress("")
    print(table(runs))
    goals = goals_of(runs)
    for goal in goals:
        print(f"{'met    ' if goal['met'] else 'NOT MET'}  {goal['ratio']:.2f}x  {goal['goal']}")
    if options.json:
        whole = {"machine": machine(), "results": results_of(runs, options.placement), "goals": goals}
        options.json.write_text(json.dumps(whole, indent=1) + "\n")
    return 0


def run():
    try:
        return main(sys.argv[1:])
    except HttpError as failure:
        print(f"http: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(command_line.exit_status(run))
