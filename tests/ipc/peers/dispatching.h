// What tests of the dispatcher and its peers tell each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "wharf/runtime/base/status.h"

namespace wharf::test {

enum DispatchType : std::uint32_t {
  kMultiply = 1,   // Factors; answered with their product
  kGreet = 2,      // Name; answered with a greeting
  kNote = 3,       // one-way: counted, some turns later
  kThrow = 4,      // the handler throws
  kBlock = 5,      // answered when the peer is cued
  kReport = 6,     // answered with a DispatchReport
  kNoHandler = 7,  // and every other
};

struct Factors {
  std::int32_t a;
  std::int32_t b;
};

// Decodes itself: a length, and as many letters.
struct Name {
  static StatusOr<Name> decode(std::span<const std::byte> bytes) {
    if (bytes.empty() || bytes.size() != 1 + std::to_integer<std::size_t>(bytes[0])) {
      return absl::OutOfRangeError("the name's length is wrong");
    }
    Name name{std::string(bytes.size() - 1, '\0')};
    std::memcpy(name.text.data(), bytes.data() + 1, name.text.size());
    return name;
  }
  std::string text;
};

struct DispatchReport {
  std::uint64_t handled = 0;
  std::uint64_t unknown = 0;
  std::uint64_t malformed = 0;
  std::uint64_t notes = 0;
  std::uint64_t thrown = 0;
  std::uint64_t running_max = 0;  // of kBlock at once
};

// Of the peer `dispatch`.
inline constexpr std::size_t kDispatchRunningMax = 4;

}  // namespace wharf::test
