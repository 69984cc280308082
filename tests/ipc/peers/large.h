// What the peers of large.cc and their tests agree on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace wharf::test {

// Large payload is checked by a number at the start of each page: its index.
inline constexpr std::size_t kStampedBytes = 4096;

inline void stamp_pages(std::span<std::byte> bytes) {
  for (std::uint64_t i = 0; i * kStampedBytes + sizeof(i) <= bytes.size(); ++i) {
    std::memcpy(bytes.data() + i * kStampedBytes, &i, sizeof(i));
  }
}
// How many pages of `bytes`, whose first is number `first`, say something else. The start is at a page's.
inline std::uint64_t count_wrong_pages(std::span<const std::byte> bytes, std::uint64_t first = 0) {
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i * kStampedBytes + sizeof(i) <= bytes.size(); ++i) {
    std::uint64_t stamp = 0;
    std::memcpy(&stamp, bytes.data() + i * kStampedBytes, sizeof(stamp));
    wrong += stamp != first + i;
  }
  return wrong;
}

// The answer of `check_pages`.
struct PageReport {
  std::uint64_t size_bytes = 0;
  std::uint64_t wrong_count = 0;
  std::uint64_t part_count = 0;
  std::uint64_t fd_count = 0;
  std::uint64_t file_count = 0;  // parts that came as a file
};

// The answer of `record_order`: the types of what came, in order, the request not among them.
inline constexpr std::size_t kOrderCountMax = 120;
struct OrderReport {
  std::uint32_t count = 0;
  std::uint8_t types[kOrderCountMax] = {};
};

}  // namespace wharf::test
