"""Shows what is a regression and what is noise, how trials take turns, and what is read from each kind of file.

Run it as `PYTHONPATH=perf python3 -m unittest suite.compare_test`.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import pathlib
import tempfile
import unittest
from unittest import mock

from suite import compare, goals, http, trials, verdict
from suite.revisions import Build, CompareError
from suite.trials import Trial
from suite.verdict import Limits, Row


def reported(name: str, p: float) -> dict:
    """An entry of the report of Google Benchmark's compare.py."""
    return {"name": name, "utest": {"time_pvalue": p, "cpu_pvalue": p}}


def samples(old: list[float], new: list[float]) -> trials.Samples:
    return {"row": ([(time, time) for time in old], [(time, time) for time in new])}


def result(median: float, least: float, most: float, **more: object) -> dict:
    return {"case": "round_trip", "payload_bytes": 64, "placement": "split", "mode": "awake", "contender": "wharf",
            "role": "wharf", "unit": "ns", "median": median, "min": least, "max": most, "repetitions": 5} | more  # fmt: skip


class RowTest(unittest.TestCase):
    def word(self, old: float, new: float, p: float) -> str:
        return Row("row", old, new, p).word(Limits())

    def test_only_what_is_beyond_both_limits_is_a_regression(self):
        self.assertEqual(self.word(100, 120, 0.001), "REGRESSION")
        self.assertEqual(self.word(100, 120, 0.02), "")
        self.assertEqual(self.word(100, 109, 0.001), "")

    def test_what_became_faster_is_no_regression(self):
        self.assertEqual(self.word(120, 100, 0.001), "faster")

    def test_medians_and_p_values_find_their_row(self):
        rows = verdict.rows_of([reported("row", 0.004)], samples([1, 2, 9], [4, 5, 6]))

        self.assertEqual(rows, [Row("row", 2, 5, 0.004)])

    def test_a_row_without_a_p_value_is_not_significant(self):
        self.assertEqual(verdict.rows_of([], samples([1], [9]))[0].p, 1.0)
        self.assertEqual(verdict.rows_of([reported("row", math.nan)], samples([1], [9]))[0].p, 1.0)


class BenchmarkJsonTest(unittest.TestCase):
    def test_each_repetition_is_an_entry_of_its_row(self):
        entries = verdict.benchmark_json({"a": [(1.0, 2.0), (3.0, 4.0)]})["benchmarks"]

        self.assertEqual([(e["name"], e["repetition_index"], e["real_time"], e["cpu_time"]) for e in entries],
                         [("a", 0, 1.0, 2.0), ("a", 1, 3.0, 4.0)])  # fmt: skip
        self.assertEqual({e["time_unit"] for e in entries}, {"ns"})

    @unittest.skipUnless(verdict.TOOL.exists(), "needs Debian's libbenchmark-tools")
    def test_the_tool_tells_slower_from_equal(self):
        times = [100.0 + i for i in range(9)]
        noisy = samples(times, times[::-1])
        slow = samples(times, [time * 1.3 for time in times])

        self.assertEqual(verdict.judge(noisy, Limits())[0].word(Limits()), "")
        self.assertEqual(verdict.judge(slow, Limits())[0].word(Limits()), "REGRESSION")


class TrialsTest(unittest.TestCase):
    def test_builds_take_turns_at_being_first(self):
        order = []

        def make(build: Build, trial: Trial) -> dict[str, trials.Times]:
            order.append(build.label)
            return {trial.name: (1.0, 1.0)}

        measured = trials.measure(Build("a", ""), Build("b", ""), [Trial("t", "p", ())], 2, lambda text: None, make)

        self.assertEqual(order, ["a", "b", "b", "a"])
        self.assertEqual(len(measured["t"][0]), 2)

    def test_a_row_of_one_build_is_compared_with_nothing(self):
        def make(build: Build, trial: Trial) -> dict[str, trials.Times]:
            return {"both": (1.0, 1.0)} | ({"new": (1.0, 1.0)} if build.label == "b" else {})

        measured = trials.measure(Build("a", ""), Build("b", ""), [Trial("t", "p", ())], 1, lambda text: None, make)

        self.assertEqual(list(measured), ["both"])

    def test_what_one_revision_lacks_is_left_out_and_named(self):
        programs = {"coro_perf": pathlib.Path("coro_perf")}
        old, new = Build("old", "", programs), Build("new", "", programs | {"wharf_contest": pathlib.Path("w")})
        listed = [{"contender": "wharf", "case": "stream", "modes": ["default"]}]

        with mock.patch.object(trials, "run", return_value=json.dumps(listed)):
            planned, left_out = trials.plan(old, new, 0.1)

        self.assertEqual([trial.name for trial in planned], ["coro_perf"])
        self.assertIn("stream/64/split/default: old has no such case", left_out)

    def test_a_program_of_which_no_benchmark_is_compared_is_not_run(self):
        programs = {"coro_perf": pathlib.Path("coro_perf"), "options_perf": pathlib.Path("options_perf")}
        build = Build("a", "", programs)

        def listed(command: list[str]) -> str:
            return "AwaitTask/min_time:0.100\n" if command[0] == "coro_perf" else ""

        with mock.patch.object(trials, "run", side_effect=listed):
            planned, left_out = trials.plan(build, build, 0.1)

        self.assertEqual(([trial.name for trial in planned], left_out), (["coro_perf"], []))

    def test_a_benchmark_counts_with_its_median_in_the_time_that_it_reports(self):
        def entry(run_name: str, aggregate: str) -> dict:
            return {"run_name": run_name, "run_type": "aggregate", "aggregate_name": aggregate, "real_time": 2.0,
                    "cpu_time": 1.0, "time_unit": "us"}  # fmt: skip

        text = json.dumps({"benchmarks": [entry("A/min_time:0.100/repeats:7", "median"), entry("A", "min"),
                                          entry("B/bytes:64/repeats:7/real_time", "median")]})  # fmt: skip

        self.assertEqual(trials.benchmark_times(text, "coro_perf"),
                         {"coro/A": (1000.0, 1000.0), "coro/B/bytes:64": (2000.0, 1000.0)})  # fmt: skip


class AgainTest(unittest.TestCase):
    def test_a_row_that_is_slower_once_is_no_regression(self):
        rows = [Row("a", 100, 200, 0.001), Row("b", 100, 100, 0.5)]

        confirmed = compare.confirm(rows, [Row("a", 100, 101, 0.4)], Limits())

        self.assertEqual(compare.slower(confirmed, Limits()), [])
        self.assertEqual(confirmed[1], rows[1])

    def test_what_was_not_suspected_is_not_judged_by_the_second_time(self):
        rows = [Row("a", 100, 200, 0.001), Row("b", 100, 100, 0.5)]

        confirmed = compare.confirm(rows, [Row("a", 100, 210, 0.001), Row("b", 100, 300, 0.001)], Limits())

        self.assertEqual(compare.slower(confirmed, Limits()), ["a"])

    def test_only_the_trials_of_suspects_run_again(self):
        planned = [Trial("wharf/stream/64", "wharf_contest", ()), Trial("wharf/fd/64", "wharf_contest", ()),
                   Trial("coro_perf", "coro_perf", ())]  # fmt: skip

        self.assertEqual(compare.trials_again(planned, ["wharf/fd/64"]), [planned[1]])
        self.assertEqual(compare.trials_again(planned, ["coro/AwaitTask"]), [planned[2]])


class FilesTest(unittest.TestCase):
    def compare(self, old: dict, new: dict) -> Row:
        return verdict.compare_files({"results": [old]}, {"results": [new]})[0][0]

    def test_spreads_that_touch_are_noise(self):
        row = self.compare(result(100, 90, 130), result(140, 125, 150))

        self.assertEqual(row.word(Limits()), "")

    def test_spreads_apart_are_a_regression(self):
        row = self.compare(result(100, 90, 110), result(140, 130, 150))

        self.assertEqual(row.word(Limits()), "REGRESSION")
        self.assertAlmostEqual(row.p, 2 / 252)

    def test_a_lower_rate_is_slower(self):
        rate = {"unit": "requests/s"}

        row = self.compare(result(1000, 900, 1100, **rate), result(500, 450, 550, **rate))

        self.assertEqual(row.word(Limits()), "REGRESSION")

    def test_a_row_of_one_file_is_named(self):
        _, left_out = verdict.compare_files({"results": [result(1, 1, 1)]}, {"results": []})

        self.assertEqual(left_out, ["round_trip/64/split/awake/wharf"])

    def test_exit_status_says_what_was_found(self):
        with tempfile.TemporaryDirectory() as folder:
            old, new, wrong = (pathlib.Path(folder) / name for name in ("old", "new", "wrong"))
            old.write_text(json.dumps({"machine": {}, "results": [result(100, 90, 110)]}))
            new.write_text(json.dumps({"machine": {}, "results": [result(140, 130, 150)]}))
            wrong.write_text("{}")
            with contextlib.redirect_stdout(io.StringIO()):
                self.assertEqual(compare.main([str(old), str(new)]), 1)
                self.assertEqual(compare.main([str(new), str(old)]), 0)
                self.assertEqual(compare.main([str(old), str(old)]), 0)
                with self.assertRaises(CompareError):
                    compare.main([str(old), str(wrong)])


class HttpTest(unittest.TestCase):
    def run_of(self, rate: float) -> dict:
        return {"requests": 10, "failed": 0, "requests/s": rate, "p50": 10, "p99": 20, "cpu_us": 5}

    def test_wrks_counts_are_read_and_what_failed_is_added_up(self):
        line = ('RESULT {"requests": 100, "duration_us": 2000000, "p50": 3, "p99": 9, "max": 10, "bad_status": 1, '
                '"socket_errors": 2}\n')  # fmt: skip

        figures = http.parse_wrk("Running\n" + line)

        self.assertEqual((figures["requests/s"], figures["failed"]), (50, 3))
        with self.assertRaises(http.HttpError):
            http.parse_wrk("unable to connect")

    def test_ratios_are_those_of_the_rounds(self):
        runs = {(32, "wharf"): [self.run_of(10), self.run_of(40)], (32, "nginx"): [self.run_of(20), self.run_of(40)],
                (32, "beast"): [self.run_of(5), self.run_of(5)]}  # fmt: skip

        judged = http.goals_of(runs)

        self.assertEqual([(goal["ratio"], goal["met"]) for goal in judged], [(1.5, True), (5.0, True)])
        self.assertEqual([goal["goal"] for goal in judged], [goal["goal"] for goal in goals.http_goals([])[:2]])

    def test_each_figure_is_a_result(self):
        results = http.results_of({(32, "nginx"): [self.run_of(10), self.run_of(30)]})

        self.assertEqual([(r["case"], r["unit"], r["median"]) for r in results],
                         [("http", "requests/s", 20), ("http_latency_p50", "us", 10), ("http_latency_p99", "us", 20),
                          ("http_cpu_per_request", "us", 5)])  # fmt: skip
        self.assertEqual({r["role"] for r in results}, {"peer"})


if __name__ == "__main__":
    unittest.main()
