// What tests and the peers of basic.cc tell each other.
#pragma once

#include <cstdint>

#include "wharf/runtime/base/status.h"

namespace wharf::test {

// The answer of `describe`.
struct Description {
  std::uint64_t type = 0;
  std::int64_t deadline_ns = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t part_count = 0;
  std::uint64_t fd_count = 0;
};

// Types of requests to `answer_badly`; any other is answered with its own payload.
enum RequestType : std::uint32_t {
  kDropIt = 101,
  kFailIt = 102,           // with NotFound, and the payload as text
  kAnswerItWrongly = 103,  // more descriptors than may be
  kAnswerLater = 104,      // when the peer is cued
};

// What a peer may find when the test closes its end.
bool ended_or_ok(const Status& status);

}  // namespace wharf::test
