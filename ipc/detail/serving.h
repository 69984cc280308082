// Serving: a request that is received, or answered, in parts. Only such requests have one; a plain request needs none.
//
// Threads: the port's reactor.
#pragma once

#include <cstdint>

#include "wharf/coro/event.h"
#include "wharf/coro/task.h"
#include "wharf/ipc/detail/part_stream.h"
#include "wharf/runtime/base/status.h"
#include "wharf/shm/ref.h"

namespace wharf::ipc::detail {

class Link;

class Serving final : public shm::RefCounted {
 public:
  // Units: parts, as in part_stream.h.
  Serving(std::uint32_t read_window, std::uint32_t write_window) noexcept : parts(read_window), replies(write_window) {}

  // What Message::next_part() and Message::reply_part() do; without a Serving they fail.
  static coro::Task<StatusOr<Message>> next_part(shm::Ref<Link> link, shm::Ref<Serving> serving, std::uint64_t stream);
  static coro::Task<Status> reply_part(shm::Ref<Link> link, shm::Ref<Serving> serving, std::uint64_t stream,
                                       Message part);

  // Wakes the tasks that wait for a part, or for credit: they look again.
  void changed() noexcept {
    change.set();
    change.reset();
  }
  void fail(const Status& status) noexcept {
    if (why.ok()) why = status;
    changed();
  }

  PartReader parts;  // of the request, after the first
  PartWriter replies;
  bool parts_ended = true;  // the last part of the request has arrived
  Status why;               // not OK: the caller has given up, or the link has ended
  coro::Event change;
};

}  // namespace wharf::ipc::detail
