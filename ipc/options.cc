#include "wharf/ipc/options.h"

namespace wharf::ipc {
namespace {

constexpr std::int64_t kTimeoutMsMax = 24 * 60 * 60 * 1000;
constexpr std::size_t kMessageBytesMax = std::size_t{4} << 30;

bool is_turn(std::size_t bytes) { return bytes >= 4 * 1024 && bytes <= 16 * 1024 * 1024; }

}  // namespace

Status check_options(const PortOptions& options) {
  if (Status status = shm::check_options(options.lane); !status.ok()) return status;
  if (options.packet_bytes_max < 1024 || options.packet_bytes_max > 128 * 1024) {
    return absl::InvalidArgumentError("packet_bytes_max must be 1 KiB..128 KiB");
  }
  if (options.message_bytes_max == 0 || options.message_bytes_max > kMessageBytesMax) {
    return absl::InvalidArgumentError("message_bytes_max must be 1 byte..4 GiB");
  }
  if (!is_turn(options.turn_bytes_max)) return absl::InvalidArgumentError("turn_bytes_max must be 4 KiB..16 MiB");
  if (!is_turn(options.socket_turn_bytes_max)) {
    return absl::InvalidArgumentError("socket_turn_bytes_max must be 4 KiB..16 MiB");
  }
  if (options.assembly_timeout_ms <= 0 || options.assembly_timeout_ms > kTimeoutMsMax) {
    return absl::InvalidArgumentError("assembly_timeout_ms must be 1 ms..1 day");
  }
  if (options.turn_message_count_max == 0) {
    return absl::InvalidArgumentError("turn_message_count_max must not be 0");
  }
  if (options.stream_window == 0) return absl::InvalidArgumentError("stream_window must not be 0");
  if (options.handle_queue_count_max == 0) {
    return absl::InvalidArgumentError("handle_queue_count_max must not be 0");
  }
  if (options.handshake_timeout_ms <= 0 || options.handshake_timeout_ms > kTimeoutMsMax) {
    return absl::InvalidArgumentError("handshake_timeout_ms must be 1 ms..1 day");
  }
  return absl::OkStatus();
}

PortOptions settled(PortOptions options) noexcept {
  const TrustRules rules = rules_of(options.trust);
  if (options.lane.peer_arena_bytes_max == PortOptions::kByTrust) {
    options.lane.peer_arena_bytes_max = rules.peer_arena_bytes_max;
  }
  if (options.parked_count_max == PortOptions::kByTrust) options.parked_count_max = rules.parked_count_max;
  return options;
}

}  // namespace wharf::ipc
