// What tests and the peers of streams.cc tell each other.
#pragma once

#include <cstdint>

namespace wharf::test {

// Types of requests to `stream`.
enum StreamRequest : std::uint32_t {
  kCountUp = 201,      // answers with the numbers from 0 up to the one in the payload, the last as the last reply
  kAddUp = 202,        // answers with the sum of the numbers in the parts of the request
  kTellSeen = 203,     // answers with what it has seen
  kAnswerFirst = 204,  // answers at the first of several parts
};

// What `break_streams` does wrong, by its argument.
enum StreamLie : std::uint64_t { kTooManyParts, kOpenTwice, kTooManyReplies, kLongError };

struct Seen {
  std::uint64_t requests = 0;  // but for kTellSeen
  std::uint64_t sum = 0;       // of the numbers that they began with
  std::uint64_t given_up = 0;  // callers that gave up in the middle of an answer
  std::uint64_t expired = 0;   // requests that came too late
  std::uint64_t blocks_lent_now = 0;
};

}  // namespace wharf::test
