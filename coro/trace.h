// What a suspended coroutine leaves behind for those who look at it later: where it awaits, what for, and since when. Read
// by dump_tasks() (dump.h).
//
// Who writes an awaiter takes a Site as the last parameter of await_suspend, and notes the wait once it is sure to
// suspend:
//
//     static constexpr const char* kWaitsFor = "Event::wait";
//     template <class Promise>
//     bool await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
//       ...
//       handle.promise().note_wait(site, *this);
//
// If a name does not say enough, the awaiter also has
//
//     void describe_wait(std::string& text, std::int64_t now_ns) const;   // appends: " fd 7, deadline in 3 s"
//
// An awaiter that notes nothing works as well; a dump then shows where its task last said where it was.
//
// Why await_suspend and not the promise's await_transform: with that, g++ 12 copies the awaiter (PR 105406), which ours do
// not allow; and what need not wait would pay too.
//
// Threads: the executor's.
// Cost:    about ten instructions for a wait, none for an await that does not suspend. The meson option task_trace=false
//          (WHARF_TASK_TRACE=0, which the library and its users must agree on) takes all of it away.
#pragma once

#include <bit>
#include <cstdint>
#include <source_location>
#include <string>

#ifndef WHARF_TASK_TRACE
#define WHARF_TASK_TRACE 1
#endif

namespace wharf::coro {

// A place in the source. As a default argument, Site::current() is the place of the call, or of the co_await.
#if WHARF_TASK_TRACE
using Site = std::source_location;
#else
struct Site {
  static constexpr Site current() noexcept { return {}; }
};
#endif

namespace detail {

// What an awaiter's type says about waiting for it.
struct WaitKind {
  const char* name;
  void (*describe)(const void* awaiter, std::string& text, std::int64_t now_ns);  // null: the name is all
};

template <class Awaiter>
constexpr WaitKind wait_kind() noexcept {
  if constexpr (requires(const Awaiter& awaiter, std::string& text) { awaiter.describe_wait(text, std::int64_t{}); }) {
    return {Awaiter::kWaitsFor, [](const void* awaiter, std::string& text, std::int64_t now_ns) {
              static_cast<const Awaiter*>(awaiter)->describe_wait(text, now_ns);
            }};
  } else {
    return {Awaiter::kWaitsFor, nullptr};
  }
}
template <class Awaiter>
inline constexpr WaitKind kWaitKind = wait_kind<Awaiter>();

// The tasks that an executor has started and that have not ended, the oldest first: a ring, with the executor's own link
// as its beginning and end.
struct TaskLink {
#if WHARF_TASK_TRACE
  TaskLink* older;
  TaskLink* newer;
#endif
};

#if WHARF_TASK_TRACE

// Where a coroutine is, in one word: a Site, and in the lowest bit whether it is that of the coroutine itself, which has
// awaited nothing so far.
class NotedSite {
 public:
  NotedSite() noexcept = default;
  static NotedSite beginning(const Site& site) noexcept {
    return NotedSite(std::bit_cast<std::uintptr_t>(site) + kBeginning);
  }
  static NotedSite of(const Site& site) noexcept { return NotedSite(std::bit_cast<std::uintptr_t>(site)); }

  bool is_beginning() const noexcept { return (word_ & kBeginning) != 0; }
  Site site() const noexcept { return std::bit_cast<Site>(word_ & ~kBeginning); }

 private:
  // A Site is a pointer to what the compiler keeps of it, and null where there is none.
  static_assert(sizeof(Site) == sizeof(std::uintptr_t));
  static constexpr std::uintptr_t kBeginning = 1;
  explicit NotedSite(std::uintptr_t word) noexcept : word_(word) {}

  std::uintptr_t word_ = 0;
};

// In every Frame. What it waits for is one word, since it is written at every await: 0 if it runs or noted nothing, the
// frame that it awaits, or a WaitKind with the lowest bit set. It is set from the first await on: a coroutine that begins
// writes where it is and no more.
class FrameTrace {
 public:
  void begin(const Site& site) noexcept { noted_ = NotedSite::beginning(site); }
  // Where it is, and not what it waits for: it is in the ready queue.
  void set_site(const Site& site) noexcept { noted_ = NotedSite::of(site); }
  void set_wait(const Site& site, const WaitKind& kind, const void* awaiter, std::int64_t since_ns) noexcept {
    noted_ = NotedSite::of(site);
    wait_ = reinterpret_cast<std::uintptr_t>(&kind) + kKindBit;
    awaiter_ = awaiter;
    since_ns_ = since_ns;
  }
  void set_child(const Site& site, const void* frame) noexcept {
    noted_ = NotedSite::of(site);
    wait_ = reinterpret_cast<std::uintptr_t>(frame);
  }
  void clear_wait() noexcept { wait_ = 0; }

  // That of the latest wait; until there is one, of the coroutine itself.
  NotedSite noted() const noexcept { return noted_; }
  // Null: it waits for no frame.
  const void* child() const noexcept {
    return waits() && !waits_by_kind() ? reinterpret_cast<const void*>(wait_) : nullptr;
  }
  // Null: it runs, or waits without having noted it, or for a frame.
  const WaitKind* wait() const noexcept {
    return waits() && waits_by_kind() ? reinterpret_cast<const WaitKind*>(wait_ - kKindBit) : nullptr;
  }
  // Only as long as there is a wait(); the time is on the executor's clock.
  const void* awaiter() const noexcept { return awaiter_; }
  std::int64_t since_ns() const noexcept { return since_ns_; }

 private:
  static constexpr std::uintptr_t kKindBit = 1;

  bool waits() const noexcept { return !noted_.is_beginning() && wait_ != 0; }
  bool waits_by_kind() const noexcept { return (wait_ & kKindBit) != 0; }

  NotedSite noted_;
  // Stands between the two words that an await writes: side by side, g++ goes through a vector register to write both.
  std::int64_t since_ns_;
  std::uintptr_t wait_;
  const void* awaiter_;
};

#endif

}  // namespace detail
}  // namespace wharf::coro
