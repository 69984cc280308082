// A ring set up as UringBackend's, and what the benchmarks of its options do with it.
//
// Threads: one.
#pragma once

#include <liburing.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <benchmark/benchmark.h>

namespace wharf::perf {

inline void must(bool held, const char* what) {
  if (held) return;
  std::perror(what);
  std::abort();
}

// Differences of a few percent: very many short repetitions, which the main program mixes at random. The lower quartile is what
// to compare: it is steadier than the median where others use the machine, and than the least where a repetition is lucky.
inline void finely(benchmark::internal::Benchmark* benchmark) {
  benchmark->UseRealTime()->MinTime(0.01)->Repetitions(101)->DisplayAggregatesOnly();
  benchmark->ComputeStatistics("quartile", [](const std::vector<double>& times) {
    std::vector<double> sorted = times;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 4];
  });
}

class BareUring {
 public:
  BareUring() {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    must(io_uring_queue_init_params(256, &ring_, &params) == 0, "io_uring_queue_init");
    io_uring_register_ring_fd(&ring_);
  }
  BareUring(const BareUring&) = delete;
  BareUring& operator=(const BareUring&) = delete;
  ~BareUring() { io_uring_queue_exit(&ring_); }

  io_uring* get() noexcept { return &ring_; }

  io_uring_sqe& entry() {
    io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
    must(sqe != nullptr, "io_uring_get_sqe");
    sqe->flags = 0;
    return *sqe;
  }

  // Submits, and waits for so many completions; all of them shall give at least `result_min`.
  void finish(unsigned count, int result_min) {
    must(io_uring_submit_and_wait(&ring_, count) >= 0, "io_uring_enter");
    unsigned seen = 0;
    while (seen < count) {
      unsigned head = 0;
      unsigned found = 0;
      io_uring_cqe* cqe = nullptr;
      io_uring_for_each_cqe(&ring_, head, cqe) {
        must(cqe->res >= result_min, "an operation");
        ++found;
      }
      io_uring_cq_advance(&ring_, found);
      seen += found;
      if (seen < count) must(io_uring_submit_and_wait(&ring_, 1) >= 0, "io_uring_enter");
    }
  }

 private:
  io_uring ring_{};
};

}  // namespace wharf::perf
