// PacketSocket: whole packets with file descriptors over a Unix SEQPACKET socket, by plain non-blocking calls.
//
// The ring's sendmsg is slower than the plain call for small messages, and two of them in flight on a full socket come
// out of order; so io_uring only watches the socket, and the calls are made when it is ready.
//
// Threads: the port's reactor.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "wharf/ipc/detail/fd_list.h"
#include "wharf/ipc/detail/packet.h"
#include "wharf/runtime/base/private_fd.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::ipc::detail {

// What may come along with a packet, and how what came is closed.
struct FdRules {
  bool refuse_unix_sockets = false;
  bool close_elsewhere = false;
};

class PacketSocket {
 public:
  // Units: `packet_bytes_max` of payload. The receive buffer is that large. Both sides number their packets from
  // `first_sequence` on.
  PacketSocket(runtime::UniqueFd socket, std::size_t packet_bytes_max, FdRules rules = {},
               std::uint64_t first_sequence = 0);
  PacketSocket(PacketSocket&&) noexcept = default;
  ~PacketSocket();

  int fd() const noexcept { return socket_.get(); }
  bool open() const noexcept { return static_cast<bool>(socket_); }

  enum class Sent { kSent, kFull, kFailed };
  // Sends one packet: `header`, whose sequence, fd_count and fragment_bytes are filled in, and the payload. All or
  // nothing. The fds are borrowed.
  //
  // Errors: kFull    the socket has no room now
  //         kFailed  status() says why: Unavailable (peer gone), ResourceExhausted (too many fds in flight) ...
  Sent send(PacketHeader header, std::span<const iovec> payload, std::span<const int> fds);

  enum class Got { kPacket, kEmpty, kEnd, kFailed };
  // Receives one packet. Its payload is valid until the next call; its fds are owned and close-on-exec.
  //
  // Errors: kFailed  a violation of the format (InvalidArgument names the field), or what the kernel said; every fd
  //                  that came is closed
  Got receive();
  // From now on wakes may come between packets: receive() passes over them.
  void expect_wakes() noexcept { expects_wakes_ = true; }
  bool expects_wakes() const noexcept { return expects_wakes_; }
  // Takes the wakes that are next, and leaves everything else. kPacket: there was one, and there may be more.
  Got take_wakes();
  const PacketHeader& header() const noexcept { return header_; }
  std::span<const std::byte> payload() const noexcept { return payload_; }
  // Closed as the rules say, whoever drops them.
  Fds take_fds() noexcept { return std::move(fds_); }

  const Status& status() const noexcept { return status_; }
  // Ends the connection for both sides at once, whatever refers to the socket still.
  void close() noexcept;

  std::uint64_t sent_count() const noexcept { return sent_count_; }
  std::uint64_t received_count() const noexcept { return received_count_; }

 private:
  Got fail(Status status);
  Got violation(const char* what);
  void own_fds_of(msghdr& message);
  std::ptrdiff_t receive_raw(int flags, bool& truncated);
  Got check_packet(std::size_t bytes);

  Got receive_one();
  Got check_fds();

  runtime::PrivateFd socket_;
  const FdRules rules_;
  const std::size_t buffer_bytes_;
  std::unique_ptr<std::byte[]> buffer_;
  PacketHeader header_{};
  std::span<const std::byte> payload_;
  Fds fds_;
  Status status_;
  bool expects_wakes_ = false;
  std::uint64_t sent_count_;
  std::uint64_t received_count_;
};

}  // namespace wharf::ipc::detail
