// Assemblies: messages that have arrived in part, on the socket route; bounded in number, in bytes and in idleness.
//
// The memory of one is reserved when it begins, and touched only as its bytes come: a peer that announces much and sends
// little makes us hold little.
//
// Threads: the port's reactor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "wharf/ipc/detail/packet.h"
#include "wharf/ipc/message.h"

namespace wharf::ipc::detail {

class Assemblies {
 public:
  // Units: `bytes_max` that the unfinished messages may have together once they are whole.
  explicit Assemblies(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  // The field that breaks the format; null: none.
  using Violation = const char*;
  // The first fragment of a message, whose other parts are in `message` already.
  Violation begin(const PacketHeader& header, std::span<const std::byte> fragment, Message message);
  // A further one. With the last, `whole` is the message and `payload` its bytes.
  Violation add(const PacketHeader& header, std::span<const std::byte> fragment, Message& whole, SmallBytes& payload,
                bool& done);

  bool empty() const noexcept { return count_ == 0; }
  // Counts a period that is over; a message that has seen `period_count` of them without a fragment, while all that came
  // was read, has stalled. Returns whether one has.
  bool tick(bool all_read, int period_count) noexcept;

 private:
  struct Assembly {
    std::uint32_t id = 0;  // 0: none
    int idle_count = 0;    // periods since the last fragment
    std::size_t done_bytes = 0;
    SmallBytes payload;
    Message message;
  };
  Assembly* find(std::uint32_t id) noexcept;

  const std::size_t bytes_max_;
  std::array<Assembly, kAssemblyCountMax> slots_;
  std::size_t count_ = 0;
  std::size_t expected_bytes_ = 0;  // of all
};

}  // namespace wharf::ipc::detail
