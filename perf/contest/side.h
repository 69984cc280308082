// Side: one process of a run. It says how long to go on, counts and checks what is sent and received, and notes when it
// began and ended. Sides lie in memory that all processes of the run share, so that the client can add them up.
//
// Threads: those of the side's own process, one at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "wharf/perf/contest/load.h"
#include "wharf/perf/contest/payload.h"

namespace wharf::perf {

std::int64_t now_ns() noexcept;  // CLOCK_MONOTONIC, the same in every process

// What a process has used up, from getrusage(2).
struct Usage {
  std::int64_t cpu_ns = 0;
  std::int64_t voluntary_switches = 0;
  std::int64_t involuntary_switches = 0;
};

class alignas(128) Side {
 public:
  // The state of the whole run, beside its sides.
  struct Run {
    std::atomic<unsigned> ready{0};     // sides that are linked and about to begin
    std::atomic<unsigned> finished{0};  // sides that have sent and received all
    unsigned sides = 0;                 // of the run, the client among them
    std::atomic<bool> over{false};      // the time is up: for sides that no message tells
  };

  void init(Run& run, const Load& load) noexcept;

  // Waits until every other side has called it too. The library's own preparation, handshakes and the like, belongs
  // before it.
  void ready() noexcept;
  // Like ready(), for a side whose own thread must go on turning meanwhile: announces it once, then says whether all are.
  bool all_ready() noexcept;

  // Whether another operation is to be made: `while (side.more()) { ... }`. Warms up first, then measures until the time
  // is over. Costs a clock reading now and then, not each time.
  bool more() noexcept {
    if (++calls_ < next_look_) return true;
    return look();
  }
  // Whether the client's time is up: for servers that send of themselves, and are told by no message.
  bool over() const noexcept { return run_->over.load(std::memory_order_relaxed); }

  // The next payload of this side: writes all of its bytes, and counts it as sent.
  void write(void* payload, std::size_t bytes, std::uint64_t number) noexcept {
    write_payload(payload, bytes, number);
    ++sent_;
  }
  // A payload that has arrived: reads all of its bytes, and counts it as received, and as bad if it is not `number`.
  void check(const void* payload, std::size_t bytes, std::uint64_t number) noexcept {
    ++received_;
    if (!check_payload(payload, bytes, number)) ++bad_;
  }
  // As check(); false if it is the client's last. For servers: `while (side.take(payload, bytes, ++number)) ...`.
  bool take(const void* payload, std::size_t bytes, std::uint64_t number) noexcept {
    if (number_of(payload) == kLastNumber) {
      check(payload, bytes, kLastNumber);
      return false;
    }
    check(payload, bytes, number);
    return true;
  }

  // So many messages went on as they came, unlooked at: for servers that give bytes back.
  void relay(std::uint64_t messages) noexcept {
    received_ += messages;
    sent_ += messages;
  }

  // This side has sent and received all: stamps the time. To be called by each side.
  void finish() noexcept;
  // As finish(), and returns when every side has: for libraries that may lose what is under way when either end closes.
  void finish_together() noexcept;

  // System calls of this side, for a library that counts its own. Not counted: those of the harness.
  void add_system_calls(std::uint64_t count) noexcept {
    system_calls_ += count;
    counts_system_calls_ = true;
  }

  // For add_up().
  std::uint64_t system_calls() const noexcept { return system_calls_; }
  bool counts_system_calls() const noexcept { return counts_system_calls_; }
  std::uint64_t sent() const noexcept { return sent_; }
  std::uint64_t received() const noexcept { return received_; }
  std::uint64_t bad() const noexcept { return bad_; }
  std::uint64_t measured_from() const noexcept { return measured_from_; }
  std::int64_t started_ns() const noexcept { return started_ns_; }
  std::int64_t finished_ns() const noexcept { return finished_ns_; }
  const Usage& used() const noexcept { return used_; }

 private:
  bool look() noexcept;

  std::uint64_t calls_ = 0;
  std::uint64_t next_look_ = 0;
  std::uint64_t step_ = 1;
  std::int64_t looked_ns_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t bad_ = 0;
  std::uint64_t system_calls_ = 0;
  bool counts_system_calls_ = false;
  std::uint64_t measured_from_ = 0;  // messages of this side before the measured part
  std::int64_t begun_ns_ = 0;        // of the warming up
  std::int64_t started_ns_ = 0;      // of the measured part
  std::int64_t finished_ns_ = 0;
  std::int64_t duration_ns_ = 0;
  bool announced_ = false;
  bool began_ = false;
  Usage used_;  // since all were ready
  Run* run_ = nullptr;
};

}  // namespace wharf::perf
