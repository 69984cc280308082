#include "wharf/perf/contest/side.h"

#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

namespace wharf::perf {
namespace {

constexpr std::int64_t kLookNs = 20'000;  // between two readings of the clock, about

std::int64_t nanoseconds(const timeval& time) { return time.tv_sec * 1'000'000'000LL + time.tv_usec * 1'000LL; }

Usage usage_now() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime), usage.ru_nvcsw, usage.ru_nivcsw};
}

Usage operator-(const Usage& a, const Usage& b) noexcept {
  return {a.cpu_ns - b.cpu_ns, a.voluntary_switches - b.voluntary_switches,
          a.involuntary_switches - b.involuntary_switches};
}

// Sides wait for each other asleep: hundreds that poll would take the core from those that are not there yet.
void add_one(std::atomic<unsigned>& count, unsigned all) noexcept {
  if (count.fetch_add(1) + 1 == all) ::syscall(SYS_futex, &count, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void wait_for(std::atomic<unsigned>& count, unsigned all) noexcept {
  for (unsigned seen = count.load(); seen < all; seen = count.load()) {
    ::syscall(SYS_futex, &count, FUTEX_WAIT, seen, nullptr, nullptr, 0);
  }
}

}  // namespace

std::int64_t now_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

void Side::init(Run& run, const Load& load) noexcept {
  run_ = &run;
  duration_ns_ = load.duration_ns;
}

bool Side::all_ready() noexcept {
  if (!announced_) {
    announced_ = true;
    add_one(run_->ready, run_->sides);
  }
  if (run_->ready.load() < run_->sides) return false;
  if (!began_) used_ = usage_now();  // what was used up while waiting is no part of the run
  began_ = true;
  return true;
}

void Side::ready() noexcept {
  all_ready();
  wait_for(run_->ready, run_->sides);
  all_ready();  // usage counts from here
}

bool Side::look() noexcept {
  const std::int64_t now = now_ns();
  if (begun_ns_ == 0) begun_ns_ = now;
  if (looked_ns_ != 0 && now - looked_ns_ < kLookNs / 2) step_ *= 2;
  if (looked_ns_ != 0 && now - looked_ns_ > kLookNs * 2 && step_ > 1) step_ /= 2;
  looked_ns_ = now;
  next_look_ = calls_ + step_;
  if (started_ns_ == 0 && now - begun_ns_ >= duration_ns_ / 5) {
    started_ns_ = now;
    measured_from_ = sent_ + received_;
  }
  if (started_ns_ == 0 || now - started_ns_ < duration_ns_) return true;
  run_->over.store(true);
  return false;
}

void Side::finish() noexcept {
  finished_ns_ = now_ns();
  used_ = usage_now() - used_;
  add_one(run_->finished, run_->sides);
}

void Side::finish_together() noexcept {
  finish();
  wait_for(run_->finished, run_->sides);
}

}  // namespace wharf::perf
