// What tests and the peers of basic.cc tell each other.
#pragma once

#include <cstdint>
#include <string>

#include "wharf/runtime/base/status.h"
#include "wharf/tests/ipc/peer_setup.h"

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

// What many threads send to `count_by_thread`: who it is from, and the how manieth it is there.
struct Numbered {
  std::uint64_t thread = 0;
  std::uint64_t sequence = 0;
};
inline constexpr std::uint64_t kNumberedFilePeriod = 1000;  // one message in so many brings a numbered file
inline std::string numbered_payload(const Numbered& numbered) {
  return std::string(bytes_of(numbered)) + pattern(numbered.sequence % 97, numbered.thread);
}

// What a peer may find when the test closes its end.
bool ended_or_ok(const Status& status);

}  // namespace wharf::test
