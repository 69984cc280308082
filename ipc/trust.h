// Trust: what a port takes its peer for, and all that depends on it. docs/trust.md explains each line and what it costs.
//
// Whatever the level, nothing that a peer writes is believed: each word is read once, copied, and the copy is checked.
// The levels differ in what a peer of the same program does not do, though no check of a word could tell.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wharf::ipc {

enum class Trust : std::uint8_t {
  kTrusted,  // a process of the same program, or one as good: it may crash, but does not attack
  kHostile,  // anything, also a program that an attacker runs
};

// What differs, in one place.
struct TrustRules {
  // Message::part() refuses payload that the peer may change while it is read.
  bool guards_views;
  // Sockets of AF_UNIX end the link that brings them, unless PortOptions::accept_unix_sockets: they carry descriptors in
  // descriptors.
  bool refuses_unix_sockets;
  // Descriptors that came from the peer are closed by a helper thread, where a close that blocks stops nobody.
  bool closes_elsewhere;
  // Blocks of one message may not overlap.
  bool refuses_overlap;
  // The peer is rung by a packet: it could make a write to its eventfd block.
  bool rings_by_packet;
  // What PortOptions::kByTrust stands for.
  std::size_t peer_arena_bytes_max;
  std::size_t parked_count_max;
};

constexpr TrustRules rules_of(Trust trust) noexcept {
  const bool hostile = trust == Trust::kHostile;
  return {
      .guards_views = hostile,
      .refuses_unix_sockets = hostile,
      .closes_elsewhere = hostile,
      .refuses_overlap = hostile,
      .rings_by_packet = hostile,
      .peer_arena_bytes_max = std::size_t{hostile ? 64u : 1024u} << 20,
      .parked_count_max = hostile ? 128u : 1024u,
  };
}

}  // namespace wharf::ipc
