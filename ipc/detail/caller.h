// Caller: who waits for the replies to one request: a task in Port::call(), or a Call.
//
// Threads: the port's reactor.
#pragma once

#include <cstdint>

#include "wharf/ipc/message.h"
#include "wharf/runtime/base/status.h"

namespace wharf::ipc::detail {

class Caller {
 public:
  std::uint64_t stream = 0;    // 0: not registered yet
  std::uint64_t position = 0;  // of the request, once it is sent: for Transport::retract()
  bool asked = false;          // the request has been sent
  bool streams = false;        // the peer is told when nobody waits any more
  bool retractable = false;    // the request is all that was sent on the stream

  void request_sent(std::uint64_t request_position) noexcept {
    position = request_position;
    asked = retractable = true;
  }

  // Replies come in order; the last one is without kFlagMore, and the caller is then no longer registered.
  // False: the peer may not send this one now.
  [[nodiscard]] virtual bool on_reply(Message&& reply) = 0;
  // The peer takes `part_count` more parts of the request.
  virtual void on_credit(std::uint32_t part_count) noexcept = 0;
  // No reply can come any more.
  virtual void on_failure(const Status& why) noexcept = 0;

 protected:
  Caller() noexcept = default;
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  ~Caller() = default;
};

}  // namespace wharf::ipc::detail
