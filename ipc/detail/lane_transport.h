// Messages through a lane: records in the ring, payload in place or by block descriptor, fds on the socket beside it.
//
// Threads: the port's reactor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/inlined_vector.h"

#include "wharf/ipc/detail/packet_socket.h"
#include "wharf/ipc/detail/transport.h"
#include "wharf/ipc/trust.h"
#include "wharf/shm/lane.h"

namespace wharf::ipc::detail {

class LaneTransport final : public Transport {
 public:
  // Units: bytes; of a record that the peer accepts; of a message; of what is copied in one turn.
  struct Limits {
    std::size_t inline_bytes_max;
    std::size_t message_bytes_max;
    std::size_t turn_bytes_max;
  };
  LaneTransport(shm::Ref<shm::Lane> lane, PacketSocket& socket, const Limits& limits, Trust trust,
                PortCounters& counters) noexcept;

  bool takes_turns(const Outgoing& outgoing) const noexcept override;
  Sent send_at_once(Message& message, std::uint8_t flags, std::uint64_t stream, std::uint64_t& position) override;
  Sent try_send(Outgoing& outgoing) override;
  Got try_receive(Message& message) override;
  bool retract(std::uint64_t position, std::uint64_t stream) override;
  void settle_retraction(std::uint64_t stream, bool unseen) override;
  void retire_idle_memory() override;

 private:
  // A request that we want back and the peer has claimed: its blocks are ours if the peer's reply says so.
  struct Marked {
    std::uint64_t stream;
    absl::InlinedVector<shm::BlockDescriptor, 2> blocks;
  };
  // Of those at once; beyond it a request that is claimed is not marked.
  static constexpr std::size_t kMarkedCountMax = 1024;
  void take_back(std::span<const shm::BlockDescriptor> blocks) noexcept;

  // How the parts of a message travel.
  struct Plan {
    std::size_t inline_part_count = 0;  // from the first part on: copied into the ring
    std::size_t inline_bytes = 0;
  };
  Plan plan(const Message& message) const noexcept;
  // Copies what cannot travel as it is, so that behind the inline parts only blocks and files are left.
  Sent settle(Outgoing& outgoing, const Plan& plan);
  // The message's fds, and behind them its files.
  using BorrowedFds = absl::InlinedVector<int, 2>;
  BorrowedFds fds_of(const Message& message, std::size_t& file_bytes) const;
  Sent reserve_files(std::size_t bytes);
  shm::BlockDescriptor describe(Piece& piece, std::size_t& fd_count) noexcept;

  // Room in the ring for a record of `cells`.
  Sent reserve(std::size_t cells, std::byte*& at);
  Sent announce_segments();
  Sent announce_retired();
  Sent send_fds(std::span<const int> fds);

  Got take_retracted(const shm::RecordView& record, Message& message);
  Got take_note(const shm::RecordHeader& header, Message& message);
  Got take_fin(const shm::RecordHeader& header);
  Got take_message(const shm::RecordView& record, Message& message);
  std::uint32_t last_packet_sequence() const noexcept;
  bool take_fds(const shm::RecordHeader& record, Fds& fds);
  bool take_payload(const shm::RecordView& record, Message& message);
  bool take_block(const shm::BlockDescriptor& descriptor, Message& message);
  bool take_file(const shm::BlockDescriptor& descriptor, Fds& fds, Message& message);
  bool adopt_segment(const shm::RecordView& record);
  bool retire_segment(const shm::RecordHeader& header);
  Got violation(const char* what);

  const TrustRules rules_;
  const shm::Ref<shm::Lane> lane_;
  PacketSocket& socket_;
  const Limits limits_;
  const std::size_t inline_bytes_max_;  // of a message that is one record
  // Of files whose records the peer may not have read yet; the last of these records.
  std::size_t unread_file_bytes_ = 0;
  std::uint64_t last_file_position_ = 0;
  std::vector<Marked> marked_;
};

}  // namespace wharf::ipc::detail
