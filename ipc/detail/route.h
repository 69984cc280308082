// Route: how a part of a message's payload travels. One table, and one function that is the table.
//
// | part                                             | route      | its bytes are                                 |
// |--------------------------------------------------|------------|-----------------------------------------------|
// | any, on a link without shared memory             | kFragments | written to the socket, packet by packet       |
// | a block of this port's arena (a loan)            | kLend      | lent: no copy                                 |
// | a block that the peer lent us                    | kReturn    | back with their owner, as payload: no copy    |
// | a sealed file                                    | kFile      | where they were: no copy                      |
// | plain, at the front, in the room that is left    | kInline    | copied into the record                        |
// | plain, up to copy_bytes_max                      | kCopy      | copied into blocks of the arena               |
// | plain, larger, while a descriptor is to spare    | kNewFile   | copied into a file, sealed, and sent as such  |
// | plain, larger, up to the whole arena             | kCopy      |                                               |
// | anything else                                    | kNone      | the message is refused                        |
//
// Where kCopy finds no memory, and none is lent that could come home, a file takes its place (Settling::begin).
//
// Plain is what no other row names: borrowed bytes, and what lies in another link's memory. Plain parts that stand side
// by side, and are not inline, travel as one.
//
// Threads: any.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace wharf::ipc::detail {

enum class Route : std::uint8_t { kFragments, kLend, kReturn, kFile, kInline, kCopy, kNewFile, kNone };

// What the choice depends on. Units: bytes.
struct RoutePart {
  enum class Memory : std::uint8_t { kPlain, kOwnBlock, kPeerBlock, kFile };
  Memory memory = Memory::kPlain;
  std::size_t bytes = 0;
  bool at_front = false;        // only inline parts stand before it
  std::size_t inline_room = 0;  // in the record, behind them
  bool fd_to_spare = false;     // of the 16 that a message may have
};
struct RouteLimits {
  bool shared_memory = false;
  std::size_t arena_bytes_max = 0;
};

// Plain payload is copied into blocks of at most this size: small enough to be found in a used arena.
inline constexpr std::size_t kCopyBlockBytes = 256 * 1024;

// The most that is copied into the arena while a file can take it. Half of the arena: one message does not keep all the
// others waiting for memory. 32 MiB: that is 128 blocks, half of what a record can name.
inline constexpr std::size_t copy_bytes_max(std::size_t arena_bytes_max) noexcept {
  return std::min(arena_bytes_max / 2, 128 * kCopyBlockBytes);
}

Route choose_route(const RoutePart& part, const RouteLimits& limits) noexcept;

}  // namespace wharf::ipc::detail
