// RawLink: one end of a link that is driven by hand, for peers that break its rules. It blocks, and needs no reactor.
//
//     RawLink link(peer.take_link(), Route::kSharedMemory);
//     WANT_OK(link.shake_hands());
//     link.send_packet({.kind = PacketKind::kMore}, "out of nowhere");
//
// Threads: one.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "wharf/ipc/detail/packet.h"
#include "wharf/ipc/detail/packet_socket.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/shm/release_ring.h"
#include "wharf/shm/ring.h"
#include "wharf/shm/segment.h"

namespace wharf::test {

using ipc::detail::Hello;
using ipc::detail::PacketHeader;
using ipc::detail::PacketKind;
using Fds = std::vector<runtime::UniqueFd>;

class RawLink {
 public:
  RawLink(runtime::UniqueFd socket, bool shared_memory);

  // Says and expects what an honest peer says and expects.
  Status shake_hands();
  // Its parts. A hello says what own_hello() gives, and takes `fds` along.
  Hello own_hello() const;
  void send_hello(const Hello& hello, const Fds& fds);
  Status receive_hello();

  int socket() const noexcept { return socket_.get(); }
  // The peer's control segment and doorbell, as they came.
  const runtime::UniqueFd& peer_control() const noexcept { return peer_control_; }
  const runtime::UniqueFd& peer_doorbell() const noexcept { return peer_doorbell_; }
  // What the peer is to ring.
  const runtime::UniqueFd& own_doorbell() const noexcept { return own_doorbell_; }

  // Sends a packet with a header as it is, but for sequence, fragment_bytes and fd_count, which are right.
  void send_packet(PacketHeader header, std::string_view payload = {}, const Fds& fds = {});
  // Sends exactly these bytes as one packet.
  void send_bytes(std::string_view bytes, const Fds& fds = {});
  std::uint64_t next_sequence() const noexcept { return sent_count_; }

  // Shared memory, after the handshake: everything that we may write, and some of what the peer does.
  shm::ControlLines& lines() noexcept { return *reinterpret_cast<shm::ControlLines*>(own_->data()); }
  const shm::ControlLines& peer_lines() const noexcept {
    return *reinterpret_cast<const shm::ControlLines*>(peer_->data());
  }
  shm::RingWriter& writer() noexcept { return *writer_; }
  shm::ReleaseWriter& releases() noexcept { return *releases_; }
  // Puts a record into the ring: the header as it is, and what follows it.
  void write_record(const shm::RecordHeader& header, std::string_view rest = {}, std::size_t cells = 1);
  // Lets the peer see it, and rings.
  void publish();
  void ring();
  // The next record of the peer's that carries a block; false when the link ends first.
  bool receive_block(shm::BlockDescriptor& block);

  // Sleeps for a moment; false if the peer has closed its end by then.
  bool wait_a_moment();
  // Blocks until the peer has closed its end.
  void wait_for_end();

 private:
  bool wait_readable();

  runtime::UniqueFd socket_;
  const bool shared_memory_;
  std::uint64_t sent_count_ = 0;
  std::optional<shm::Segment> own_;
  runtime::UniqueFd own_doorbell_;
  runtime::UniqueFd peer_control_;
  runtime::UniqueFd peer_doorbell_;
  std::optional<shm::PeerSegment> peer_;
  std::optional<shm::RingWriter> writer_;
  std::optional<shm::RingReader> reader_;
  std::optional<shm::ReleaseWriter> releases_;
};

inline constexpr std::size_t kRawRingBytes = 16 * 1024;
inline constexpr std::size_t kRawReleaseSlots = 256;

}  // namespace wharf::test
