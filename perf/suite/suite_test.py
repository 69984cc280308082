"""Shows how pairs are kept, rows planned, results written and goals judged, with runs that are made up.

Run it as `PYTHONPATH=perf python3 -m unittest suite.suite_test`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import unittest
from typing import Any

from suite import (
    bench, command_line, goals, once, pairing, plan, probes, report, results, runtime, soak, table, units,
)
from suite.contenders import Contender
from suite.progress import Progress
from suite.run import Settings, Suite

MODES = ("awake", "asleep", "default")


def contender(name: str, case: str, role: str, *modes: str) -> Contender:
    return Contender(name, case, modes, 1 << 20, role, f"/{role}")


def built() -> list[Contender]:
    return [
        contender("ring", "round_trip", "floor", "awake"),
        contender("socketpair", "round_trip", "floor", "asleep"),
        contender("ring_eventfd", "round_trip", "floor", "asleep"),
        contender("wharf", "round_trip", "wharf", *MODES),
        contender("slow", "round_trip", "peer", "default"),
        contender("fast", "round_trip", "peer", "default"),
    ]


def row_named(name: str) -> plan.Row:
    return next(row for row in plan.make(built()) if row.name == name)


class FakeRuns:
    """Runs that take what the test says; a list is used up one by one."""

    def __init__(self, **times: Any) -> None:
        self.times = times
        self.order: list[str] = []

    def __call__(self, row: plan.Row, runner: plan.Runner, seconds: float) -> dict[str, Any] | once.Failure:
        self.order.append(runner.contender)
        time = self.times[runner.contender]
        if isinstance(time, list):
            time = time.pop(0) if len(time) > 1 else time[0]
        if time is None:
            return once.Failure("command", "it broke")
        return {"ns_per_operation": time, "operations": 1, "cpu_ns_per_operation": 2 * time}


def measure(name: str, runs: FakeRuns, **settings: Any) -> tuple[Suite, list[results.Result]]:
    chosen = Settings(**({"seconds": 0.1, "pairs": 3, "rounds_max": 6, "turns": 2} | settings))
    with contextlib.redirect_stderr(io.StringIO()):
        suite = Suite(chosen, Progress(1), runs)
        measured = suite.measure(row_named(name))
    return suite, results.results_of(measured)


class PairingTest(unittest.TestCase):
    def test_floors_that_agree_make_a_ratio_to_their_mean(self) -> None:
        self.assertAlmostEqual(pairing.pair_ratio(100, 210, 110), 2.0)

    def test_floors_that_moved_make_none(self) -> None:
        self.assertIsNone(pairing.pair_ratio(100, 200, 116))
        self.assertIsNone(pairing.pair_ratio(116, 200, 100))

    def test_the_spread_of_nothing_is_none(self) -> None:
        self.assertIsNone(pairing.spread([]))
        self.assertEqual(pairing.spread([3, 1, 2]), pairing.Spread(2, 1, 3, 3))


class PlanTest(unittest.TestCase):
    def test_a_row_is_paired_with_the_floor_of_its_mode(self) -> None:
        self.assertEqual(row_named("round_trip/64/split/awake").floor.contender, "ring")
        asleep = row_named("round_trip/64/same/asleep")
        self.assertEqual(asleep.floor.contender, "ring_eventfd")
        self.assertEqual([runner.contender for runner in asleep.others], ["socketpair"])

    def test_peers_take_part_where_wharf_runs_as_it_comes(self) -> None:
        row = row_named("round_trip/64/split/default")
        self.assertEqual([runner.contender for runner in row.others], ["slow", "fast"])

    def test_wharf_with_other_settings_may_be_the_floor(self) -> None:
        row = row_named("round_trip/64/same/default/against asleep")
        self.assertEqual((row.floor.contender, row.floor.mode, row.subject.mode), ("wharf", "asleep", "default"))

    def test_what_was_not_built_is_left_out(self) -> None:
        alone = [contender("wharf", "stream", "wharf", *MODES)]
        rows = plan.make(alone, quick=True)
        self.assertEqual({row.case for row in rows}, {"stream"})
        self.assertTrue(all(row.floor is None and not row.others for row in rows))
        self.assertIn("round_trip", plan.absent(alone))

    def test_every_goal_has_its_row_in_a_quick_plan(self) -> None:
        cases = dict.fromkeys(spec.case for spec in plan.specs())
        whole = [contender("wharf", case, "wharf", *MODES) for case in cases]
        names = {row.name for row in plan.make(whole, quick=True)}
        rest = {"voluntary_switches": 0, "involuntary_switches": 0, "cpu_ns": 0, "seconds": 1, "links": 100}
        names.add(probes.idle_result(rest)["row"])
        names |= {claim.row(name) for claim in runtime.CLAIMS for name in (claim.subject, claim.floor, claim.peer)}
        names.add(probes.memory_result({"links": 1000, "resident_kib_per_link": 40})["row"])

        class Recorder(dict):
            def get(self, key: str, default: Any = None) -> Any:
                asked.add(key)
                return default

        asked: set[str] = set()
        for goal in goals.all_goals():
            goal.measure(Recorder())
        self.assertGreater(len(asked), 10)
        self.assertEqual(asked - names, set())


class RunTest(unittest.TestCase):
    def test_floor_wharf_and_peers_take_turns(self) -> None:
        runs = FakeRuns(ring=100, wharf=200, slow=9000, fast=3000)
        _, found = measure("round_trip/64/split/default", runs)
        self.assertEqual(runs.order[:8], ["ring", "wharf", "ring", "slow", "fast", "ring", "wharf", "ring"])
        wharf = results.wharf_of(found)
        self.assertEqual((wharf["ratio"], wharf["ratio_to"], wharf["pairs"], wharf["pairs_dropped"]), (2, "ring", 3, 0))
        self.assertEqual(wharf["counts"], {"cpu_ns_per_operation": 400})
        self.assertEqual(wharf["count_ratios"], {"cpu_ns_per_operation": 2})
        best = results.best_peer_of(found)
        self.assertEqual((best["contender"], best["ratio"], best["repetitions"]), ("fast", 15, 2))

    def test_a_pair_whose_floors_disagree_is_dropped_and_made_again(self) -> None:
        runs = FakeRuns(ring=[100, 200, 100, 200, 200], wharf=300)
        _, found = measure("round_trip/64/split/awake", runs)
        wharf = results.wharf_of(found)
        self.assertEqual((wharf["pairs"], wharf["pairs_dropped"], wharf["ratio"]), (3, 3, 1.5))
        self.assertEqual(wharf["count_ratios"], {"cpu_ns_per_operation": 1.5})

    def test_a_row_of_more_weight_has_more_pairs_and_rounds(self) -> None:
        for floor, pairs, dropped in ((100, 6, 0), ([100, 200] * 20, 0, 12)):
            with contextlib.redirect_stderr(io.StringIO()):
                settings = Settings(seconds=0.1, pairs=3, rounds_max=6, turns=2)
                suite = Suite(settings, Progress(1), FakeRuns(ring=floor, wharf=300))
                measured = suite.measure(dataclasses.replace(row_named("round_trip/64/split/awake"), weight=2))
            self.assertEqual((len(measured.ratios), measured.dropped), (pairs, dropped))

    def test_rounds_are_bounded(self) -> None:
        runs = FakeRuns(ring=[100, 200] * 20, wharf=300)
        _, found = measure("round_trip/64/split/awake", runs)
        wharf = results.wharf_of(found)
        self.assertEqual((wharf["pairs"], wharf["pairs_dropped"]), (0, 6))
        self.assertNotIn("ratio", wharf)

    def test_a_row_whose_time_is_over_ends_when_everybody_has_run(self) -> None:
        runs = FakeRuns(ring=[100, 200] * 20, wharf=300, slow=9000, fast=3000)
        with contextlib.redirect_stderr(io.StringIO()):
            suite = Suite(Settings(seconds=0.1, pairs=3, rounds_max=50, turns=9, budget_s=0), Progress(1), runs)
            [measured] = suite.measure_all([row_named("round_trip/64/split/default")])
        found = results.results_of(measured)
        self.assertEqual({result["contender"] for result in found}, {"ring", "wharf", "slow", "fast"})
        self.assertLess(len(runs.order), 12)

    def test_a_contender_that_fails_is_left_out_and_remembered(self) -> None:
        runs = FakeRuns(ring=100, wharf=200, slow=None, fast=3000)
        suite, found = measure("round_trip/64/split/default", runs, turns=3)
        self.assertEqual([failure.text for _, failure in suite.failures], ["it broke"] * 2)
        self.assertEqual([result["contender"] for result in found], ["ring", "wharf", "fast"])

    def test_a_row_ends_when_wharf_fails(self) -> None:
        runs = FakeRuns(ring=100, wharf=None)
        suite, found = measure("round_trip/64/split/awake", runs)
        self.assertEqual(len(suite.failures), 2)
        self.assertIsNone(results.wharf_of(found))


class OnceTest(unittest.TestCase):
    def run_program(self, text: str) -> dict[str, Any] | once.Failure:
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "test_contest"
            program.write_text(f"#!/bin/sh\n{text}\n")
            program.chmod(0o755)
            row = row_named("round_trip/64/split/awake")
            return once.run_once(row, dataclasses.replace(row.subject, program=str(program)), 0.1)

    def test_the_last_line_is_the_result(self) -> None:
        self.assertEqual(self.run_program("echo hello; echo '{\"bad\": 0}'"), {"bad": 0})

    def test_a_run_that_fails_says_why(self) -> None:
        failure = self.run_program("echo '{}'; echo lost >&2; exit 1")
        self.assertEqual(failure.text, "lost")
        self.assertIn("--contender wharf --case round_trip --payload 64 --placement split --mode", failure.command)

    def test_a_run_that_fails_leaves_no_process(self) -> None:
        # The child holds the FIFO open, and nothing else of the run.
        with tempfile.TemporaryDirectory() as folder:
            fifo = pathlib.Path(folder) / "fifo"
            os.mkfifo(fifo)
            reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
            self.run_program(f"sleep 600 >{fifo} 2>&1 & exit 1")
            self.assertEqual(select.select([reader], [], [], 60)[0], [reader])
            self.assertEqual(os.read(reader, 1), b"")
            os.close(reader)

    def test_a_run_that_prints_nothing_failed(self) -> None:
        self.assertIn("no JSON", self.run_program("true").text)


class GoalsTest(unittest.TestCase):
    def judged(self, found: list[results.Result]) -> dict[str, dict[str, Any]]:
        return {goal["goal"]: goal for goal in goals.judge(found)}

    def test_a_goal_is_met_missed_or_not_measured(self) -> None:
        _, found = measure("round_trip/64/split/default", FakeRuns(ring=100, wharf=200, slow=9000, fast=3000))
        judged = self.judged(found)
        floor = judged["round trip 64 B, default, split: to the bare ring"]
        self.assertEqual((floor["ratio"], floor["limit"], floor["met"]), (2, 2, True))
        peer = judged["round trip 64 B, default, split: faster than the best peer"]
        self.assertEqual((peer["ratio"], peer["against"], peer["met"]), (15, "fast", False))
        self.assertIsNone(judged["64 calls in flight: to the bare ring"]["met"])

    def test_results_and_goals_are_json(self) -> None:
        _, found = measure("round_trip/64/same/asleep", FakeRuns(ring_eventfd=100, socketpair=130, wharf=120))
        again = json.loads(json.dumps({"results": found, "goals": goals.judge(found)}, allow_nan=False))
        needed = {"case", "payload_bytes", "placement", "mode", "contender", "role", "unit", "median", "min", "max",
                  "repetitions"}  # fmt: skip
        for result in again["results"]:
            self.assertLessEqual(needed, set(result))
        for goal in again["goals"]:
            self.assertLessEqual({"goal", "ratio", "limit", "met"}, set(goal))
        text = table.results_table(found) + table.goals_table(goals.judge(found))
        self.assertIn("ring_eventfd 100 ns", text)
        self.assertIn("not measured", text)


class ProbesTest(unittest.TestCase):
    def test_a_wake_up_at_rest_misses_the_goal(self) -> None:
        line = {"voluntary_switches": 1, "involuntary_switches": 0, "cpu_ns": 2e7, "seconds": 2, "links": 100}
        judged = {goal["goal"]: goal for goal in goals.judge([probes.idle_result(line)])}
        self.assertEqual((judged["idle: wake-ups"]["ratio"], judged["idle: wake-ups"]["met"]), (1, False))
        self.assertEqual((judged["idle: processor time"]["ratio"], judged["idle: processor time"]["met"]), (1, False))

    def test_memory_per_link_is_judged_in_kib(self) -> None:
        found = [probes.memory_result({"links": 1000, "resident_kib_per_link": 40.5})]
        judged = {goal["goal"]: goal for goal in goals.judge(found)}["memory per idle link"]
        self.assertEqual((judged["ratio"], judged["unit"], judged["met"]), (40.5, "KiB", True))
        self.assertIn("40.5 KiB", table.results_table(found))


class SoakTest(unittest.TestCase):
    def slices(self, memory: list[int], times: list[float]) -> list[soak.Slice]:
        return [
            {"slice": i, "messages": 10, "ns_per_message": time, "rss_kib": kib}
            for i, (kib, time) in enumerate(zip(memory, times, strict=True))
        ]

    def test_flat_is_flat_although_the_first_slice_is_slow(self) -> None:
        judged = soak.judge(self.slices([900, *[1000] * 9], [500.0, *[100.0] * 9]))
        self.assertEqual([goal["met"] for goal in judged], [True, True])

    def test_memory_and_times_that_grow_are_seen(self) -> None:
        judged = soak.judge(self.slices([1000 + 10 * i for i in range(10)], [100.0 + 10 * i for i in range(10)]))
        self.assertEqual([goal["met"] for goal in judged], [False, False])


class BenchTest(unittest.TestCase):
    def test_google_benchmarks_output_becomes_results(self) -> None:
        line = {"run_name": "RecordBareRing/bytes:16/repeats:3/real_time", "run_type": "iteration", "cpu_time": 9,
                "time_unit": "us"}  # fmt: skip
        lines = [line | {"real_time": time} for time in (3, 1, 2)] + [line | {"run_type": "aggregate", "real_time": 7}]
        [result] = bench.results_of("lane", json.dumps({"benchmarks": lines}))
        self.assertEqual((result["case"], result["role"]), ("lane/RecordBareRing/bytes:16", "floor"))
        self.assertEqual((result["min"], result["median"], result["max"]), (1000, 2000, 3000))
        self.assertEqual((result["payload_bytes"], result["repetitions"]), (16, 3))


class RuntimeTest(unittest.TestCase):
    def bench(self, **medians: float) -> list[results.Result]:
        return [bench.result_of("coro", name, [median]) for name, median in medians.items()]

    def echo(self, contender: str, role: str, cpu_ns: float, **further: Any) -> results.Result:
        counts = {"server_cpu_ns_per_operation": cpu_ns, "server_system_calls_per_operation": 2.0}
        return {"case": "echo", "row": runtime.echo_row(64), "contender": contender, "role": role, "median": 9000.0,
                "ratio_to": "uring_echo", "counts": counts} | further  # fmt: skip

    def judged(self, found: list[results.Result]) -> dict[str, dict[str, Any]]:
        return {goal["goal"]: goal for goal in goals.judge(found)}

    def test_a_claim_is_judged_by_its_floor_and_by_asio(self) -> None:
        judged = self.judged(self.bench(AwaitTask=12, AwaitBarePooled=10, AwaitAsio=15))
        floor = judged["await of a ready task: to a bare pooled frame"]
        self.assertEqual((floor["ratio"], floor["met"]), (1.2, True))
        peer = judged["await of a ready task: faster than Asio"]
        self.assertEqual((peer["ratio"], peer["met"], peer["against"]), (1.25, False, "asio"))

    def test_a_machine_that_changed_its_speed_does_not_change_a_ratio(self) -> None:
        task = [12.0] * 48 + [18.0] * 53  # a median of 18
        bare = [10.0] * 53 + [15.0] * 48  # a median of 10
        found = [bench.result_of("coro", "AwaitTask", task), bench.result_of("coro", "AwaitBarePooled", bare)]
        floor = self.judged(found)["await of a ready task: to a bare pooled frame"]
        self.assertAlmostEqual(floor["ratio"], 1.2)

    def test_without_asio_its_goals_are_not_measured(self) -> None:
        judged = self.judged(self.bench(AwaitTask=12, AwaitBarePooled=10))
        self.assertIsNone(judged["await of a ready task: faster than Asio"]["met"])

    def test_an_echo_is_judged_by_what_its_server_uses(self) -> None:
        paired = {"server_cpu_ns_per_operation": 1.2, "server_system_calls_per_operation": 1.0}
        judged = self.judged([self.echo("uring_echo", "floor", 1000),
                              self.echo("wharf", "wharf", 1500, count_ratios=paired)])  # fmt: skip
        cpu = judged["TCP echo, 64 connections, server's processor time: to bare liburing"]
        self.assertEqual((cpu["ratio"], cpu["met"], cpu["against"]), (1.2, False, "uring_echo"))
        calls = judged["TCP echo, 64 connections, server's system calls: to bare liburing"]
        self.assertEqual((calls["ratio"], calls["met"]), (1, True))

    def test_both_are_shown(self) -> None:
        found = [*self.bench(AwaitTask=12, AwaitBarePooled=10), self.echo("wharf", "wharf", 1200)]
        for text in (table.runtime_table(found), "\n".join(report.runtime_section(found))):
            self.assertIn("await of a ready task", text)
            self.assertIn("1.20 µs", text)
        self.assertEqual(table.runtime_table([]), "")


class CommandLineTest(unittest.TestCase):
    def printed_to_nobody(self, text: str) -> subprocess.CompletedProcess[str]:
        """A program that prints `text` to a pipe whose reader has gone."""
        program = f"import sys; from suite import command_line; sys.exit(command_line.exit_status(lambda: {text}))"
        reader, writer = os.pipe()
        os.close(reader)
        try:
            folder = pathlib.Path(command_line.__file__).parents[1]
            return subprocess.run([sys.executable, "-c", program], cwd=folder, stdout=writer, stderr=subprocess.PIPE,
                                  text=True)  # fmt: skip
        finally:
            os.close(writer)

    def test_a_reader_that_has_seen_enough_is_no_error_to_be_told(self) -> None:
        for count in (1, 1_000_000):  # found out at the end, or while it prints
            done = self.printed_to_nobody(f"print('x' * {count}) or 0")
            self.assertEqual((done.returncode, done.stderr), (command_line.PIPE_CLOSED, ""))

    def test_a_request_to_end_is_an_exit(self) -> None:
        done = self.printed_to_nobody("__import__('signal').raise_signal(15)")
        self.assertEqual((done.returncode, done.stderr), (128 + 15, ""))

    def test_an_exit_keeps_its_message_and_its_status(self) -> None:
        done = self.printed_to_nobody("sys.exit('why')")
        self.assertEqual((done.returncode, done.stderr), (1, "why\n"))

    def test_a_file_that_cannot_be_written_is_refused_before_the_run(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            self.assertEqual(command_line.file_to_write(f"{name}/new.json"), folder / "new.json")
            self.assertEqual(list(folder.iterdir()), [])
            (folder / "old.json").write_text("{}")
            command_line.file_to_write(f"{name}/old.json")
            self.assertEqual((folder / "old.json").read_text(), "{}")
            for path in (f"{name}/none/new.json", name):
                with self.assertRaises(argparse.ArgumentTypeError):
                    command_line.file_to_write(path)


class ReportTest(unittest.TestCase):
    def test_a_file_of_something_else_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            file = pathlib.Path(name) / "run.json"
            with self.assertRaisesRegex(SystemExit, "run.json cannot be read: No such file"):
                report.read(file)
            for text in ("{", "[]", "{}", '"text"'):
                file.write_text(text)
                with self.assertRaisesRegex(SystemExit, "is no file of ./dev perf --json"):
                    report.read(file)


class UnitsTest(unittest.TestCase):
    def test_numbers_have_three_digits(self) -> None:
        self.assertEqual(units.nanoseconds(130.9), "131 ns")
        self.assertEqual(units.nanoseconds(12345), "12.3 µs")
        self.assertEqual(units.nanoseconds(999.9), "1.00 µs")
        self.assertEqual(units.size(1 << 20), "1 MiB")
        self.assertEqual(units.per_second(2.5e6), "2.50 M/s")


if __name__ == "__main__":
    unittest.main()
