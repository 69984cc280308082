"""What the demonstration works with: the server's processes, their counters, curl and wrk."""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
CONNECTIONS = 32


class Server:
    """The router, its workers, and what they say about themselves."""

    def __init__(self, build, root, options=()):
        program = build / "docs" / "examples" / "appserver" / "appserver"
        self.process = subprocess.Popen(
            [program, "--port=0", "--workers=2", f"--root={root}", *options],
            stdout=subprocess.PIPE, text=True, start_new_session=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"demo: {program} did not start; its own line says why")
        self.url = line.split(" on ")[1].split("/,")[0]
        self.port = int(self.url.rsplit(":", 1)[1])

    def stats(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/stats", headers={"Connection": "close"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def at_rest(self, is_right=lambda stats: True):
        """The stats once nothing is in flight, all workers are up, and `is_right`; as they are after 20 s."""
        deadline = time.monotonic() + 20
        while True:
            stats = self.stats()
            complete = all(w["up"] and "own" in w for w in stats["workers"])
            settled = complete and stats["connections"]["open"] == 1 and blocks_out(stats) == 0 and all(
                w["in_flight"] == 0 for w in stats["workers"])
            if settled and is_right(stats):
                return stats
            if time.monotonic() > deadline:
                if not complete:
                    sys.exit("demo: a worker is not up, or does not answer")
                return stats
            time.sleep(0.05)

    def kill_all(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def payload_copied(stats):
    """Bytes of payload that router and workers have copied on their way to each other: heads, but no bodies."""
    kinds = ("bytes_copied_inline", "bytes_copied_to_arena", "bytes_copied_to_files")
    ports = [port for w in stats["workers"] for port in (w.get("port"), w.get("own", {}).get("port")) if port]
    return sum(port[kind] for port in ports for kind in kinds)


def blocks_out(stats):
    """Blocks of shared memory that are with the other side, of every port, either way."""
    return sum(side["blocks_lent_now"] for w in stats["workers"] if w["up"]
               for side in [w["port"], w.get("own", {}).get("port", w["port"])])


def curl(server, path, *arguments, output=None):
    """Status, seconds and body of one request."""
    command = ["curl", "-sS", "--path-as-is", "--max-time", "20", "-o", output,
               "-w", "%{http_code} %{time_total}", *arguments, server.url + path]
    run = subprocess.run(command, capture_output=True, text=True)
    status, seconds = (run.stdout.split() + ["0", "0"])[:2]
    body = b"" if "-I" in arguments else pathlib.Path(output).read_bytes()
    return int(status), float(seconds), body


def wrk(server, seconds):
    """Loads `/`. Returns wrk's own counts."""
    run = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s",
                          HERE / "demo_load.lua", server.url + "/"],
                         capture_output=True, text=True, timeout=seconds + 20)
    for line in run.stdout.splitlines():
        if line.startswith("RESULT "):
            result = json.loads(line.removeprefix("RESULT "))
            result["failed"] = result["bad_status"] + result["socket_errors"]
            result["per_second"] = round(result["requests"] / result["duration_us"] * 1e6)
            return result
    sys.exit(f"demo: wrk failed: {run.stdout}{run.stderr}")


def messages(sides):
    return sum(side["messages_sent"] + side["messages_received"] for side in sides)


def sides_of(stats):
    """The ports' counters at the router's ends, and at the workers' ends."""
    return ([w["port"] for w in stats["workers"]], [w["own"]["port"] for w in stats["workers"]])


def reactors_of(stats):
    """The reactors' counters, by the name of their process."""
    workers = {f"worker {w['index']}": w["own"]["reactor"] for w in stats["workers"]}
    return {"router": stats["reactor"], **workers}


def reactor_work(before, after):
    """What each reactor has done in between; of its longest turn, since it started."""
    work = {}
    for name, now in reactors_of(after).items():
        then = reactors_of(before)[name]
        work[name] = {count: now[count] - then[count]
                      for count in ("turns", "resumed", "enters", "completions", "sleeps", "wakes")}
        work[name]["longest_turn_us"] = now["longest_turn_us"]
    return work


def per_message(before, after):
    """System calls of each side, for each message that it sent or received."""
    calls = {}
    for side, name in enumerate(["router", "worker"]):
        count = max(1, messages(sides_of(after)[side]) - messages(sides_of(before)[side]))
        port_calls = [sum(port["system_calls"] for port in sides_of(stats)[side])
                      for stats in (before, after)]
        reactors = [[s["reactor"]] if side == 0 else [w["own"]["reactor"] for w in s["workers"]]
                    for s in (before, after)]
        enters = [sum(reactor["enters"] for reactor in one) for one in reactors]
        calls[name + "_port"] = round((port_calls[1] - port_calls[0]) / count, 4)
        calls[name + "_reactor"] = round((enters[1] - enters[0]) / count, 4)
    return calls
