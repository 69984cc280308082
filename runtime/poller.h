// Poller: a source of work that bypasses the kernel, such as the shared-memory lane of a port. The
// reactor looks at it every turn while it is hot, and not at all while it is cold.
//
// A life: the owner calls Reactor::make_hot when there may be work, poll() is called each turn; when
// the reactor has nothing to do, it spins for a while, then calls prepare_sleep(), and the poller is
// cold until its doorbell (a Watch, whose on_ready calls make_hot) rings. So is one that has brought
// nothing for many turns, while others kept the reactor awake.
//
// Threads: the reactor's.
#pragma once

#include <cstdint>

#include "wharf/runtime/detail/list.h"

namespace wharf::runtime {

class Reactor;

namespace detail {
struct HotTag;
struct DirtyTag;
}  // namespace detail

// Every function may call make_hot, make_cold, flush_later and remove for itself and for others, and
// schedule frames; none may destroy the poller itself.
//
// Ownership: the owner's. It calls Reactor::remove before the poller dies (checked).
class Poller : private detail::ListNode<detail::HotTag>, private detail::ListNode<detail::DirtyTag> {
 public:
  // Looks for work, without a system call. True: it made something ready, or moved data.
  virtual bool poll() noexcept = 0;

  // Whether poll() may find something: a look at memory, and no more. While the reactor spins it glances many times
  // between two polls, so that what comes is seen at once; what a glance does not see waits for the next poll.
  virtual bool glance() const noexcept { return true; }

  // Announces the sleep to the peer, then checks again. True: the poller is cold from here on, and its
  // doorbell will ring. False: work came; it stays hot, and nobody will ring.
  virtual bool prepare_sleep() noexcept = 0;

  // At the end of a turn in which flush_later() was called: publishes, and rings owed doorbells. What
  // it could not do it puts off by calling flush_later() again; the reactor does not sleep meanwhile.
  virtual void flush() noexcept = 0;

  // What it is worth now to spin for this one.
  enum class Spinning : std::uint8_t {
    kUseful,   // its peer runs on another cpu, and may bring something at any moment
    kUseless,  // its peer rests, or would ring anyway
    kHarmful,  // its peer needs this cpu: the reactor does not spin, whatever the others say
  };
  virtual Spinning spinning() const noexcept = 0;

 protected:
  Poller() noexcept = default;
  virtual ~Poller() = default;

 private:
  friend class Reactor;
  template <class, class>
  friend class detail::List;
  std::uint64_t round_ = 0;            // in which it was last polled
  std::uint32_t idle_turn_count_ = 0;  // since it became hot, or brought something
};

}  // namespace wharf::runtime
