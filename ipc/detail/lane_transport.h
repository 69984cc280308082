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
  // Units: `inline_bytes_max` of a record that the peer accepts.
  LaneTransport(shm::Ref<shm::Lane> lane, PacketSocket& socket, std::size_t inline_bytes_max,
                PortCounters& counters, Trust trust) noexcept;

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
  // Copies what cannot travel as it is into blocks of our arena, so that behind the inline parts only blocks are left.
  Sent settle_blocks(Outgoing& outgoing, const Plan& plan);
  Sent copy_to_arena(Outgoing& outgoing, std::size_t part_index, std::size_t part_count);
  bool travels(const Piece& piece) const noexcept;
  shm::BlockDescriptor describe(Piece& piece) noexcept;

  // Room in the ring for a record of `cells`.
  Sent reserve(std::size_t cells, std::byte*& at);
  Sent announce_segments();
  Sent announce_retired();
  Sent send_fds(std::span<const runtime::UniqueFd> fds);

  Got take_retracted(const shm::RecordView& record, Message& message);
  Got take_note(const shm::RecordHeader& header, Message& message);
  Got take_fin(const shm::RecordHeader& header);
  Got take_message(const shm::RecordView& record, Message& message);
  std::uint32_t last_packet_sequence() const noexcept;
  bool take_fds(const shm::RecordHeader& record, Fds& fds);
  bool take_block(const std::byte* descriptor, Message& message);
  bool adopt_segment(const shm::RecordView& record);
  bool retire_segment(const shm::RecordHeader& header);
  Got violation(const char* what);

  const TrustRules rules_;
  const shm::Ref<shm::Lane> lane_;
  PacketSocket& socket_;
  const std::size_t inline_bytes_max_;
  std::vector<Marked> marked_;
};

}  // namespace wharf::ipc::detail
