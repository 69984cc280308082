#include "wharf/docs/examples/appserver/protocol.h"

#include <cstring>
#include <filesystem>
#include <iterator>
#include <system_error>

namespace appserver {
namespace {

using wharf::ipc::Message;

std::size_t text_bytes(const RequestHead& head) noexcept { return head.target_bytes; }
std::size_t text_bytes(const ReplyHead& head) noexcept { return head.fields_bytes; }

template <class Head>
std::optional<ReadHead<Head>> read_head(const Message& message) noexcept {
  // A head travels inside the record, where it is a copy. One that lies in shared memory could change after its check.
  if (message.part_count() == 0 || !message.part_is_stable(0)) return std::nullopt;
  const std::span<const std::byte> part = message.part(0);
  ReadHead<Head> read;
  if (part.size() < sizeof(Head)) return std::nullopt;
  std::memcpy(&read.head, part.data(), sizeof(Head));
  const std::span<const std::byte> rest = part.subspan(sizeof(Head));
  if (text_bytes(read.head) > rest.size()) return std::nullopt;
  read.text = {reinterpret_cast<const char*>(rest.data()), text_bytes(read.head)};
  read.bytes = sizeof(Head) + read.text.size();
  return read;
}

}  // namespace

std::optional<ReadHead<RequestHead>> read_request_head(const Message& message) noexcept {
  return read_head<RequestHead>(message);
}

std::optional<ReadHead<ReplyHead>> read_reply_head(const Message& message) noexcept {
  return read_head<ReplyHead>(message);
}

wharf::ipc::PortOptions link_options(bool socket_only, std::uint64_t arena_bytes_max) {
  wharf::ipc::PortOptions options;
  options.shared_memory = !socket_only;
  options.lane.ring_bytes = std::size_t{128} << 10;  // some 600 requests in a row
  options.lane.release_slot_count = 4096;            // several bodies of 64 blocks, many small ones
  options.lane.arena_bytes_max = arena_bytes_max;
  options.lane.peer_arena_bytes_max = arena_bytes_max;
  options.lane.inline_bytes_max = kHeadBytesMax;
  options.message_bytes_max = arena_bytes_max;
  return options;
}

std::uint64_t count_open_fds() {
  std::error_code error;
  const std::filesystem::directory_iterator fds("/proc/self/fd", error);
  if (error) return 0;
  // One of them reads the folder.
  return static_cast<std::uint64_t>(std::distance(begin(fds), end(fds))) - 1;
}

}  // namespace appserver
