// PostGate: the way to a reactor for those on other threads who may live longer than it does.
//
//     std::shared_ptr<PostGate> gate = reactor.gate();      // keep a copy
//     gate->post(*work);                                    // run() there, or drop() if the reactor has gone
//
// Invariant: whoever is inside the gate finds the reactor alive; the reactor dies only when nobody is.
//   Poster:  G1 counts itself in, and sees whether the gate is closed.   G2 counts itself out.
//   Reactor: G3 closes the gate.   G4 waits until nobody is inside.      G5 takes what they have posted.
//
// Threads: any.
// Cost:    two atomic operations more than Reactor::post.
#pragma once

#include <atomic>
#include <cstdint>

#include "wharf/runtime/posted.h"

namespace wharf::runtime {

class Reactor;

class PostGate {
 public:
  explicit PostGate(Reactor& reactor) noexcept : reactor_(reactor) {}
  PostGate(const PostGate&) = delete;
  PostGate& operator=(const PostGate&) = delete;

  // As Reactor::post. Once the reactor has gone, the work is dropped by the calling thread before this returns; only
  // one thread of the process does so at a time, so that works which share something without locks may both be late.
  void post(Posted& work) noexcept;

 private:
  friend class Reactor;
  static constexpr std::uint32_t kClosed = std::uint32_t{1} << 31;

  // `drop_all` takes what was posted; late posters wait for it.
  void close(void (*drop_all)(Reactor&)) noexcept;

  Reactor& reactor_;
  std::atomic<std::uint32_t> inside_{0};  // posters, and kClosed
};

}  // namespace wharf::runtime
