// How the wharf contenders write and read their messages. Payload of up to 1 KiB is lent from bytes of the task's own;
// larger payload is written into a loan.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/perf/contest/side.h"
#include "wharf/perf/wharf/wharf_duel.h"

namespace wharf::perf {

// A task's own bytes for one small message at a time: they are lent until its send is done.
class Spare {
 public:
  static constexpr bool holds(std::size_t bytes) noexcept { return bytes <= 1024; }
  ipc::Message write(Side& side, std::size_t bytes, std::uint64_t number) noexcept {
    side.write(bytes_.data(), bytes, number);
    return ipc::Message(0, std::span<const std::byte>(bytes_.data(), bytes));
  }

 private:
  std::array<std::byte, 1024> bytes_;
};

inline coro::Task<void> send_large(Side& side, ipc::Port& port, std::size_t bytes, std::uint64_t number) {
  auto loan = co_await port.loan(bytes);
  check(loan.status());
  side.write(loan->data(), bytes, number);
  check(co_await port.send(ipc::Message(*std::move(loan))));
}

inline std::span<const std::byte> payload_of(const ipc::Message& message) {
  return message.part_count() == 1 ? message.part(0) : std::span<const std::byte>();
}

// What has arrived, as Side::check() and Side::take() have it. A payload of any other size is bad too.
inline void check(Side& side, const ipc::Message& message, std::size_t bytes, std::uint64_t number) noexcept {
  const auto payload = payload_of(message);
  if (payload.size() != bytes) fail_with(absl::InternalError("a message of the wrong size"));
  side.check(payload.data(), bytes, number);
}
inline bool take(Side& side, const ipc::Message& message, std::size_t bytes, std::uint64_t number) noexcept {
  const auto payload = payload_of(message);
  if (payload.size() != bytes) fail_with(absl::InternalError("a message of the wrong size"));
  return side.take(payload.data(), bytes, number);
}

}  // namespace wharf::perf
