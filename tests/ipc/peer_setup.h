// What a test tells the process that it starts, as one argument of its command line; and what both sides use.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "wharf/coro/compiler.h"
#include "wharf/ipc/options.h"

namespace wharf::test {

// Sanitizers slow a test down, and take a part of the machine that some tests measure.
inline constexpr bool kSanitized = WHARF_SANITIZED != 0;

struct PeerSetup {
  char name[48] = {};              // of the peer: see peer.h
  char program[24] = "ipc_peers";  // that holds it
  ipc::PortOptions port;
  std::int64_t spin_ns = 50'000;
  int cpu = -1;                // to run on; -1: any
  std::uint64_t argument = 0;  // what the peer makes of it
  bool orphan = false;         // when its parent dies, it is left to notice by itself
};
static_assert(std::is_trivially_copyable_v<PeerSetup>);

inline PeerSetup peer_setup(std::string_view name, ipc::PortOptions port = {}) {
  PeerSetup setup;
  setup.port = port;
  name.copy(setup.name, sizeof(setup.name) - 1);
  return setup;
}

inline std::string encode(const PeerSetup& setup) {
  unsigned char bytes[sizeof(setup)];
  std::memcpy(bytes, &setup, sizeof(setup));
  std::string text;
  for (const unsigned char byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", byte);
    text += digits;
  }
  return text;
}

inline PeerSetup decode(std::string_view text) {
  unsigned char bytes[sizeof(PeerSetup)] = {};
  for (std::size_t i = 0; i < sizeof(bytes) && 2 * i + 1 < text.size(); ++i) {
    bytes[i] = static_cast<unsigned char>(std::stoi(std::string(text.substr(2 * i, 2)), nullptr, 16));
  }
  PeerSetup setup;
  std::memcpy(&setup, bytes, sizeof(setup));
  return setup;
}

// Payload that differs at every place and for every seed, so that nothing can be mistaken for another.
inline std::string pattern(std::size_t bytes, std::uint64_t seed = 1) {
  std::string text(bytes, '\0');
  std::uint64_t state = seed * 0x9e37'79b9'7f4a'7c15 + 1;
  for (char& byte : text) {
    state = state * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
    byte = static_cast<char>(state >> 56);
  }
  return text;
}

// A plain struct as payload, and back.
template <class T>
std::string_view bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}
template <class T>
T value_of(std::string_view bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), bytes.size() < sizeof(T) ? bytes.size() : sizeof(T));
  return value;
}

}  // namespace wharf::test
