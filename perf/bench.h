// What every benchmark here has: interleaved repetitions, medians and spread, and a main().
//
// Threads: the main thread's.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace wharf::perf {

inline void repeat(benchmark::internal::Benchmark* benchmark, double seconds, int count) {
  benchmark->MinTime(seconds)->Repetitions(count)->DisplayAggregatesOnly()->ComputeStatistics(
      "min", [](const std::vector<double>& times) { return *std::min_element(times.begin(), times.end()); });
}

// BENCHMARK(...)->Apply(steady): seven short repetitions, of which the median counts; cv is their spread, and min what
// the machine can do undisturbed. Times are of the processor; with several threads, add UseRealTime().
inline void steady(benchmark::internal::Benchmark* benchmark) { repeat(benchmark, 0.1, 7); }

// About the same time in many very short repetitions, for what takes nanoseconds: the machine has slow moments, of a second
// each where a neighbour shares the core, and so they meet all alike.
inline void in_turns(benchmark::internal::Benchmark* benchmark) { repeat(benchmark, 0.01, 101); }

// Repetitions of all benchmarks are mixed at random, so that a slow moment of the machine meets floor and subject alike.
inline int run(int argc, char** argv) {
  std::vector<std::string> words(argv, argv + argc);
  words.insert(words.begin() + 1, "--benchmark_enable_random_interleaving=true");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace wharf::perf
