// The part of a LaneTransport that tells of arena segments, and hears of them: announced, adopted, retired.
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "wharf/ipc/detail/lane_transport.h"

namespace wharf::ipc::detail {

Transport::Sent LaneTransport::announce_retired() {
  for (std::vector<std::uint32_t>& retired = lane_->arena().retired(); !retired.empty(); retired.pop_back()) {
    std::byte* cell = nullptr;
    if (Sent sent = reserve(shm::record_cells(0, 0), cell); sent != Sent::kSent) return sent;
    shm::RecordHeader header{};
    header.kind = shm::RecordKind::kRetire;
    header.type = retired.back();
    std::memcpy(cell, &header, sizeof(header));
    lane_->writer().commit();
  }
  return Sent::kSent;
}

Transport::Sent LaneTransport::announce_segments() {
  // First, so that the peer has room for what is new.
  if (Sent sent = announce_retired(); sent != Sent::kSent) return sent;
  while (shm::Segment* segment = lane_->unannounced()) {
    std::byte* cell = nullptr;
    if (Sent sent = reserve(shm::record_cells(0, 0), cell); sent != Sent::kSent) return sent;
    runtime::UniqueFd fd = segment->take_fd();
    const int borrowed = fd.get();
    const Sent sent = send_fds({&borrowed, 1});
    if (sent != Sent::kSent) {
      segment->restore_fd(std::move(fd));
      return sent;
    }
    shm::RecordHeader header{};
    header.kind = shm::RecordKind::kSegment;
    header.fd_count = 1;
    header.fds_sequence = last_packet_sequence();
    std::memcpy(cell, &header, sizeof(header));
    lane_->writer().commit();
    lane_->announced();
  }
  return Sent::kSent;
}

bool LaneTransport::adopt_segment(const shm::RecordView& record) {
  const shm::RecordHeader& header = record.header;
  if (header.fd_count != 1) return violation("segment.fd_count"), false;
  if (header.flags != 0 || header.block_count != 0 || header.inline_bytes != 0 || header.stream != 0) {
    return violation("segment: it carries something"), false;
  }
  Fds fds;
  if (!take_fds(header, fds)) return false;
  status_ = lane_->peer_arena().adopt(fds[0]);
  return status_.ok();
}

bool LaneTransport::retire_segment(const shm::RecordHeader& header) {
  if (header.flags != 0 || header.fd_count != 0 || header.block_count != 0 || header.inline_bytes != 0 ||
      header.stream != 0) {
    return violation("retire: it carries something"), false;
  }
  const shm::Violation wrong = lane_->peer_arena().retire(header.type);
  return wrong == nullptr || (violation(wrong), false);
}

void LaneTransport::retire_idle_memory() {
  lane_->arena().retire_idle();
  announce_retired();  // what finds no room goes with the next message
}

}  // namespace wharf::ipc::detail
