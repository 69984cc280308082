// What a hostile peer does to a link, and what the honest side makes of it: one table for each place to lie in.
//
// Before a lie on a lane the honest side has lent a block, and goes on sending.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "wharf/tests/ipc/raw_link.h"

namespace wharf::test {

// How far the liar is honest.
enum class Stage : std::uint8_t {
  kHandshake,  // not at all
  kLane,       // it has opened the link, with shared memory
  kSocket,     // it has opened the link, without
};

// What is special about the honest side.
enum class Victim : std::uint8_t {
  kPlain,
  kImpatient,  // waits only for a moment in the handshake
  kAtFdLimit,  // has room for a few more descriptors
};

// An end that is none: what was done is legal, or hurts the liar alone, and the link goes on.
inline constexpr std::string_view kGoesOn = "";

struct Lie {
  const char* name;
  Stage stage;
  std::string_view reason;  // that the link ends for: a part of its status; or kGoesOn
  void (*tell)(RawLink& link);
  Victim victim = Victim::kPlain;
};

std::span<const Lie> handshake_lies();
std::span<const Lie> handshake_memory_lies();
std::span<const Lie> memory_lies();
std::span<const Lie> position_lies();
std::span<const Lie> socket_lies();
std::span<const Lie> fd_lies();

enum class Table : std::uint8_t { kHandshake, kHandshakeMemory, kMemory, kPositions, kSocket, kFds };
inline constexpr std::array kTables = {Table::kHandshake, Table::kHandshakeMemory, Table::kMemory,
                                       Table::kPositions, Table::kSocket,          Table::kFds};
inline std::span<const Lie> lies_of(Table table) {
  switch (table) {
    case Table::kHandshake: return handshake_lies();
    case Table::kHandshakeMemory: return handshake_memory_lies();
    case Table::kMemory: return memory_lies();
    case Table::kPositions: return position_lies();
    case Table::kSocket: return socket_lies();
    case Table::kFds: return fd_lies();
  }
  return {};
}

inline std::string full_name(const Lie& lie) {
  constexpr std::array kStages = {"Handshake.", "Lane.", "Socket."};
  return std::string(kStages[static_cast<std::size_t>(lie.stage)]) + lie.name;
}

// What the peer `evil` is told to do, beside its end of the link.
struct EvilOrder {
  Table table;
  std::uint32_t index;
};

// After a lie that the link survives, the liar sends a message of this type.
inline constexpr std::uint32_t kLieIsOver = 77;

}  // namespace wharf::test
