// CallState: what a Call and the tasks that use it share.
//
// Threads: the port's reactor.
#pragma once

#include <cstdint>

#include "wharf/coro/event.h"
#include "wharf/ipc/call.h"
#include "wharf/ipc/detail/caller.h"
#include "wharf/ipc/detail/link.h"
#include "wharf/ipc/detail/part_stream.h"
#include "wharf/runtime/timer.h"
#include "wharf/shm/ref.h"

namespace wharf::ipc::detail {

class CallState final : public shm::RefCounted, public Caller, private runtime::Timer {
 public:
  // `more`: the request has further parts.
  CallState(shm::Ref<Link> link, std::int64_t deadline_ns, bool more) noexcept;

  static coro::Task<StatusOr<Message>> next_reply(shm::Ref<CallState> state);
  static coro::Task<Status> send(shm::Ref<CallState> state, Message part, bool last);
  CancelOutcome cancel() noexcept;

 private:
  friend class shm::Ref<CallState>;
  ~CallState();

  // Caller
  bool on_reply(Message&& reply) override;
  void on_credit(std::uint32_t part_count) noexcept override;
  void on_failure(const Status& why) noexcept override;
  // runtime::Timer: the call's deadline.
  void on_expired() noexcept override;

  void changed() noexcept {
    change_.set();
    change_.reset();
  }

  const shm::Ref<Link> link_;
  PartReader replies_;
  PartWriter parts_;
  const std::int64_t deadline_ns_;  // 0: none
  bool parts_due_;                  // further parts of the request
  bool cancelled_ = false;          // the outcome is settled, or the peer knows
  bool retracted_ = false;
  bool answered_ = false;  // the last reply has arrived
  Status why_;             // not OK: there will be no further reply
  coro::Event change_;
};

}  // namespace wharf::ipc::detail
