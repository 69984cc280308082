// What every contender writes into each payload, and how each that arrives is checked: all of its bytes, each time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace wharf::perf {

// Fills a payload (`bytes` a multiple of 16, any alignment): every word of it is `number`.
inline void write_payload(void* payload, std::size_t bytes, std::uint64_t number) noexcept {
  auto* out = static_cast<unsigned char*>(payload);
  for (std::size_t at = 0; at < bytes; at += 16) {
    std::memcpy(out + at, &number, 8);
    std::memcpy(out + at + 8, &number, 8);
  }
}

// Whether every word of the payload is `number`.
inline bool check_payload(const void* payload, std::size_t bytes, std::uint64_t number) noexcept {
  const auto* in = static_cast<const unsigned char*>(payload);
  std::uint64_t differences = 0;
  for (std::size_t at = 0; at < bytes; at += 16) {
    std::uint64_t words[2];
    std::memcpy(words, in + at, 16);
    differences |= (words[0] ^ number) | (words[1] ^ number);
  }
  return differences == 0;
}

// The number in the payload's first word.
inline std::uint64_t number_of(const void* payload) noexcept {
  std::uint64_t number = 0;
  std::memcpy(&number, payload, sizeof(number));
  return number;
}

// In place of a number: the client's last message, after which the server ends.
inline constexpr std::uint64_t kLastNumber = ~std::uint64_t{0};

}  // namespace wharf::perf
