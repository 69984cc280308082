#include "wharf/runtime/post_gate.h"

#include <mutex>
#include <thread>

#include "wharf/runtime/reactor.h"

namespace wharf::runtime {
namespace {

// One for all gates: what is dropped may post through another gate that is closed, or through the same.
std::recursive_mutex& late_mutex() noexcept {
  static std::recursive_mutex mutex;
  return mutex;
}

}  // namespace

void PostGate::post(Posted& work) noexcept {
  const bool open = (inside_.fetch_add(1, std::memory_order_acquire) & kClosed) == 0;  // G1 -> G3
  if (open) reactor_.post(work);
  inside_.fetch_sub(1, std::memory_order_release);  // G2 -> G4
  if (open) return;
  const std::lock_guard late(late_mutex());
  work.drop();
}

void PostGate::close(void (*drop_all)(Reactor&)) noexcept {
  const std::lock_guard late(late_mutex());
  inside_.fetch_or(kClosed, std::memory_order_release);                                  // G3 -> G1
  while (inside_.load(std::memory_order_acquire) != kClosed) std::this_thread::yield();  // G4 -> G2
  drop_all(reactor_);                                                                    // G5
}

}  // namespace wharf::runtime
