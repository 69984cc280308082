// One link: round trips and streams. Payloads up to 1 KiB are lent bytes of the task's own; larger ones are written into
// a loan.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "wharf/perf/wharf/wharf.h"
#include "wharf/perf/wharf/wharf_duel.h"

namespace wharf::perf {
namespace {

constexpr std::size_t kInlineBytesMax = 1024;

// Writes and sends a message of `number`. `spare` holds small payload until the send is done.
coro::Task<void> send_large(Side& side, ipc::Port& port, std::size_t bytes, std::uint64_t number) {
  auto loan = co_await port.loan(bytes);
  check(loan.status());
  side.write(loan->data(), bytes, number);
  check(co_await port.send(ipc::Message(*std::move(loan))));
}

using Spare = std::array<std::byte, kInlineBytesMax>;

std::span<const std::byte> payload_of(const ipc::Message& message) {
  return message.part_count() == 1 ? message.part(0) : std::span<const std::byte>();
}

class RoundTrip final : public WharfDuel {
 public:
  using WharfDuel::WharfDuel;

 private:
  coro::Task<void> run_client(Side& side, ipc::Port& port) override {
    Spare spare;
    const std::size_t bytes = load_.payload_bytes;
    for (std::uint64_t number = 1;; ++number) {
      const bool last = !side.more();
      if (last) number = kLastNumber;
      if (bytes <= spare.size()) {
        side.write(spare.data(), bytes, number);
        check(co_await port.send(ipc::Message(0, std::span<const std::byte>(spare.data(), bytes))));
      } else {
        co_await send_large(side, port, bytes, number);
      }
      if (last) co_return;
      auto reply = co_await port.receive();
      if (!reply) fail_with(port.status());
      side.check(payload_of(*reply).data(), payload_of(*reply).size(), number);
    }
  }

  coro::Task<void> run_server(Side& side, ipc::Port& port) override {
    Spare spare;
    const std::size_t bytes = load_.payload_bytes;
    for (std::uint64_t number = 1;; ++number) {
      {
        auto request = co_await port.receive();
        if (!request) fail_with(port.status());
        if (!side.take(payload_of(*request).data(), payload_of(*request).size(), number)) co_return;
      }
      if (bytes <= spare.size()) {
        side.write(spare.data(), bytes, number);
        check(co_await port.send(ipc::Message(0, std::span<const std::byte>(spare.data(), bytes))));
      } else {
        co_await send_large(side, port, bytes, number);
      }
    }
  }
};

class Stream final : public WharfDuel {
 public:
  using WharfDuel::WharfDuel;

 private:
  coro::Task<void> run_client(Side& side, ipc::Port& port) override {
    Spare spare;
    const std::size_t bytes = load_.payload_bytes;
    for (std::uint64_t number = 1;; ++number) {
      const bool last = !side.more();
      if (last) number = kLastNumber;
      if (bytes <= spare.size()) {
        side.write(spare.data(), bytes, number);
        check(co_await port.send(ipc::Message(0, std::span<const std::byte>(spare.data(), bytes))));
      } else {
        co_await send_large(side, port, bytes, number);
      }
      if (last) co_return;
    }
  }

  coro::Task<void> run_server(Side& side, ipc::Port& port) override {
    for (std::uint64_t number = 1;; ++number) {
      auto message = co_await port.receive();
      if (!message) fail_with(port.status());
      if (!side.take(payload_of(*message).data(), payload_of(*message).size(), number)) co_return;
    }
  }
};

}  // namespace

std::vector<Entry> link_entries() {
  const std::vector<Mode> modes{Mode::kAwake, Mode::kAsleep, Mode::kDefault};
  return {
      {"wharf", "round_trip", modes, make<RoundTrip>, std::size_t{1} << 20, false, 2},
      {"wharf", "stream", modes, make<Stream>, std::size_t{1} << 20, false, 1},
  };
}

}  // namespace wharf::perf
