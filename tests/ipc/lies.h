// What a hostile peer says on an open link, and what the honest side makes of it.
#pragma once

#include <ostream>
#include <span>
#include <string_view>

#include "wharf/tests/ipc/raw_link.h"

namespace wharf::test {

struct Lie {
  const char* name;
  bool shared_memory;      // on which route
  std::string_view reason; // that the link ends for: a part of its status
  void (*tell)(RawLink& link);
};

inline void PrintTo(const Lie& lie, std::ostream* out) { *out << lie.name; }

std::span<const Lie> socket_lies();
// Before one of these the honest side has lent a block, and goes on sending.
std::span<const Lie> lane_lies();

}  // namespace wharf::test
