// What a fuzz target makes of the bytes that the fuzzer gives it: numbers and runs of bytes, from the front. At the end
// of the bytes everything is 0, so that every input means something.
//
// Threads: one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

// What libFuzzer calls, and run_seeds.cc: one input. A finding aborts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace wharf::test {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) noexcept : bytes_(std::as_bytes(std::span(data, size))) {}

  bool empty() const noexcept { return bytes_.empty(); }

  // At most `count` bytes.
  std::span<const std::byte> bytes(std::size_t count) noexcept {
    const std::span<const std::byte> taken = bytes_.first(std::min(count, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }
  // Overwrites the first bytes of `target`, up to `count`, and what of it the input has.
  void fill(void* target, std::size_t count) noexcept {
    const std::span<const std::byte> source = bytes(count);
    if (!source.empty()) std::memcpy(target, source.data(), source.size());
  }
  template <class T>
    requires std::is_trivially_copyable_v<T>
  T take() noexcept {
    T value{};
    fill(&value, sizeof(value));
    return value;
  }
  std::uint8_t byte() noexcept { return take<std::uint8_t>(); }
  bool coin() noexcept { return (byte() & 1) != 0; }
  // 0..limit - 1.
  std::size_t below(std::size_t limit) noexcept {
    return limit <= 256 ? byte() % limit : take<std::uint32_t>() % limit;
  }
  // A number of 64 bits: near `origin` half of the time, anything otherwise.
  std::uint64_t near(std::uint64_t origin) noexcept {
    if (coin()) return origin + static_cast<std::uint64_t>(std::int64_t{take<std::int16_t>()});
    return take<std::uint64_t>();
  }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace wharf::test
