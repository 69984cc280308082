// HeadReceiver: waits for the next request of a connection, until its whole head has come.
//
// Threads: the reactor's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wharf/coro/task.h"
#include "wharf/docs/examples/appserver/input_buffer.h"
#include "wharf/docs/examples/appserver/options.h"

namespace appserver {

class HeadReceiver {
 public:
  // What came: a head of so many bytes, at the front of the input; or a reason to refuse what began
  // as one; or, if both are 0, the end of the connection.
  struct Received {
    std::size_t head_bytes = 0;
    std::uint16_t refusal = 0;  // a status
  };

  // Both are borrowed. `draining` is looked at before each wait: no request is waited for while it
  // is set.
  HeadReceiver(int socket, const Options& options, const bool& draining) noexcept
      : socket_(socket), options_(options), draining_(draining) {}

  // Cancel: honoured; as the end of the connection.
  wharf::coro::Task<Received> receive(InputBuffer& input);

  // Whether it waits for the first byte of a request.
  bool is_idle() const noexcept { return idle_; }

 private:
  const int socket_;
  const Options& options_;
  const bool& draining_;
  bool idle_ = false;
};

}  // namespace appserver
