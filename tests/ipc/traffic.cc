#include "wharf/tests/ipc/traffic.h"

#include <array>
#include <cstddef>
#include <random>
#include <string>
#include <utility>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/peer.h"

namespace wharf::test {
namespace {

// What the message at one place looks like.
struct Shape {
  std::size_t size_bytes;
  std::size_t fd_count;
  bool loan;
};

Shape shape_of(std::uint64_t index, std::uint64_t seed) {
  std::mt19937_64 random(seed * 1'000'003 + index);
  constexpr std::array<std::size_t, 8> kSizes = {8, 16, 33, 900, 1025, 5000, 40'000, 200'000};
  const std::size_t size = kSizes[random() % (random() % 8 == 0 ? 8 : 6)];
  return {size, random() % 3 == 0 ? random() % 4 : 0, random() % 4 == 0};
}

std::string payload_of(std::uint64_t index, std::uint64_t seed, std::size_t bytes) {
  return std::string(bytes_of(index)) + pattern(bytes - sizeof(index), index * 31 + seed);
}

}  // namespace

coro::Task<Status> send_in_order(ipc::Port& port, std::uint64_t count, std::uint64_t seed) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const Shape shape = shape_of(i, seed);
    const std::string payload = payload_of(i, seed, shape.size_bytes);
    ipc::Message message(static_cast<std::uint32_t>(i));
    if (shape.loan && port.uses_shared_memory()) {
      auto loan = co_await port.loan(payload.size());
      WANT_OK(loan.status());
      std::memcpy(loan->data(), payload.data(), payload.size());
      message.append(*std::move(loan));
    } else {
      message.append(payload);
    }
    for (std::size_t fd = 0; fd < shape.fd_count; ++fd) message.attach(numbered_file(i * 16 + fd));
    Status sent = co_await port.send(std::move(message));
    WANT_OK(sent);
  }
  co_return absl::OkStatus();
}

coro::Task<Status> receive_in_order(ipc::Port& port, std::uint64_t count, std::uint64_t seed) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const Shape shape = shape_of(i, seed);
    auto message = co_await port.receive();
    WANT(message.has_value());
    WANT_EQ(message->type(), static_cast<std::uint32_t>(i));
    WANT_EQ(message->size_bytes(), shape.size_bytes);
    WANT(message->to_string() == payload_of(i, seed, shape.size_bytes));
    WANT_EQ(message->fd_count(), shape.fd_count);
    for (std::size_t fd = 0; fd < shape.fd_count; ++fd) {
      WANT_EQ(number_in(message->take_fd(fd)), i * 16 + fd);
    }
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
