// Abandonable: an operation on the heap whose owner may leave at any time: the reactor then cancels it,
// and frees it at its final completion. So no destructor has to wait for the kernel.
//
// Threads: the reactor's.
#pragma once

#include <cstdint>

#include "wharf/runtime/backend.h"

namespace wharf::runtime {

class Reactor;

namespace detail {

class Abandonable : public Operation {
 public:
  Abandonable() noexcept = default;

  // One that is not in flight; always on the same reactor.
  void start(Reactor& reactor) noexcept;
  // Asks for an early end; the owner stays, and is told.
  void cancel() noexcept;
  // The owner leaves: it hears no more of the operation, and must not touch it. From within
  // on_result(), too.
  void abandon() noexcept;

 protected:
  ~Abandonable() override = default;

  // A completion, while there is an owner. The operation may be started again if it was the final one.
  virtual void on_result(std::int32_t result, bool more) noexcept = 0;
  // A completion that nobody waits for: whatever it brought is to be given back.
  virtual void discard(std::int32_t /*result*/) noexcept {}

 private:
  void on_complete(std::int32_t result, bool more) noexcept final;
  void finish() noexcept;

  Reactor* reactor_ = nullptr;  // null until it is started
  bool delivering_ = false;
  bool abandoned_ = false;
};

}  // namespace detail
}  // namespace wharf::runtime
