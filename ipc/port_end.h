// PortEnd: one end of a link that nobody has opened yet. Port::open() makes a port of it; until then it can be handed on:
// in a message to another process, or to a child.
//
//     auto ends = ipc::Port::end_pair();
//     ipc::Message introduction(kMeet);
//     introduction.attach(std::move(ends->first));         // the receiver: message.take_port(0)
//
// Threads: any; one at a time.
#pragma once

#include <utility>

#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::ipc {

class [[nodiscard]] PortEnd {
 public:
  PortEnd() noexcept = default;
  // Takes a descriptor from elsewhere, as it is: Port::open() tells when it is no end of a link.
  PortEnd(runtime::UniqueFd socket) noexcept : socket_(std::move(socket)) {}  // NOLINT(google-explicit-constructor)

  // Borrowed; -1 if there is none.
  int fd() const noexcept { return socket_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  void close() noexcept { socket_.reset(); }
  runtime::UniqueFd take_socket() noexcept { return std::move(socket_); }

  // Errors: InvalidArgument  it is no Unix socket of type SOCK_SEQPACKET
  Status check() const;

 private:
  runtime::UniqueFd socket_;
};

}  // namespace wharf::ipc
