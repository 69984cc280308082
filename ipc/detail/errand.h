// Errand: something posted to a reactor that may take many turns there, because it waits: run() starts a coroutine.
//
// Ownership: its own: done() is its last word, and may destroy it; so may drop(), in place of everything else.
// Threads:   posted from any; everything else on the reactor's.
#pragma once

#include "wharf/coro/task.h"
#include "wharf/runtime/posted.h"
#include "wharf/runtime/reactor.h"

namespace wharf::ipc::detail {

class Errand : public runtime::Posted, private coro::Joiner {
 public:
  // Starts in the order of the posts: the coroutines get to their first wait in that order too.
  void run() noexcept override {
    context_ = {&runtime::Reactor::current(), stop_.token()};
    coro::Task<void> task = carry_out();
    task.start(*this, context_);
    task.release();  // child_done() retires the frame
  }

 protected:
  Errand() noexcept = default;
  ~Errand() override = default;

  virtual coro::Task<void> carry_out() = 0;
  virtual void done() noexcept = 0;
  // Ends what carry_out() waits for.
  void stop() noexcept { stop_.request_stop(); }
  bool stopped() const noexcept { return stop_.stop_requested(); }

 private:
  coro::Frame* child_done(coro::Frame& child) noexcept override {
    context_.executor->retire(child);
    done();
    return nullptr;
  }

  coro::StopSource stop_;
  coro::Context context_;
};

}  // namespace wharf::ipc::detail
