#include "wharf/tests/counts/loads.h"

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

namespace wharf::test {
namespace {

constexpr std::size_t kSmallBytes = 64;
constexpr std::size_t kLoanBytes = 16 * 1024;
constexpr std::uint64_t kWarmUpCount = 1000;

// Types of messages beside the loads' own.
enum Control : std::uint32_t { kSync = 100, kBegin, kEnd };

using Small = std::array<std::byte, kSmallBytes>;

std::uint32_t type_of(Load load) { return static_cast<std::uint32_t>(load); }

std::span<const std::byte> payload_of(const ipc::Message& message) {
  return message.part_count() == 1 ? message.part(0) : std::span<const std::byte>();
}

void check_payload(std::span<const std::byte> payload, std::size_t bytes, std::uint64_t number) {
  if (payload.size() != bytes) give_up("a message of another length arrived");
  std::uint64_t found = 0;
  std::memcpy(&found, payload.data(), sizeof(found));
  if (found != number) give_up("a message was lost, or another arrived");
}

coro::Task<void> ask(ipc::Port& port, Control control) {
  auto reply = co_await port.call(ipc::Message(control));
  check(reply.status());
}

coro::Task<void> stream(ipc::Port& port, std::uint64_t count) {
  Small payload{};
  for (std::uint64_t number = 1; number <= count; ++number) {
    std::memcpy(payload.data(), &number, sizeof(number));
    Status sent = co_await port.send(ipc::Message(type_of(Load::kStream), std::span<const std::byte>(payload)));
    check(sent);
  }
}

coro::Task<void> round_trips(ipc::Port& port, std::uint64_t count) {
  Small payload{};
  for (std::uint64_t number = 1; number <= count; ++number) {
    std::memcpy(payload.data(), &number, sizeof(number));
    Status sent = co_await port.send(ipc::Message(type_of(Load::kRoundTrip), std::span<const std::byte>(payload)));
    check(sent);
    auto back = co_await port.receive();
    if (!back.has_value()) give_up("the server has gone");
    check_payload(payload_of(*back), kSmallBytes, number);
  }
}

coro::Task<void> calls(ipc::Port& port, std::uint64_t count) {
  Small payload{};
  for (std::uint64_t number = 1; number <= count; ++number) {
    std::memcpy(payload.data(), &number, sizeof(number));
    auto reply = co_await port.call(ipc::Message(type_of(Load::kCall), std::span<const std::byte>(payload)));
    check(reply.status());
    check_payload(payload_of(*reply), kSmallBytes, number);
  }
}

coro::Task<void> loans(ipc::Port& port, std::uint64_t count) {
  for (std::uint64_t number = 1; number <= count; ++number) {
    auto loan = co_await port.loan(kLoanBytes);
    check(loan.status());
    std::memcpy(loan->data(), &number, sizeof(number));
    Status sent = co_await port.send(ipc::Message(type_of(Load::kLoan), *std::move(loan)));
    check(sent);
  }
}

coro::Task<void> run_load(ipc::Port& port, Load load, std::uint64_t count) {
  switch (load) {
    case Load::kStream: co_await stream(port, count); break;
    case Load::kRoundTrip: co_await round_trips(port, count); break;
    case Load::kCall: co_await calls(port, count); break;
    case Load::kLoan: co_await loans(port, count); break;
  }
}

// The server's answer to a message of a load that has one.
coro::Task<void> answer(ipc::Port& port, ipc::Message& message) {
  const std::span<const std::byte> payload = payload_of(message);
  if (message.type() == type_of(Load::kCall)) {
    Status sent = co_await message.reply(ipc::Message(message.type(), payload));
    check(sent);
  } else {
    Status sent = co_await port.send(ipc::Message(message.type(), payload));
    check(sent);
  }
}

}  // namespace

void give_up(const char* why) {
  std::fprintf(stderr, "counted: %s\n", why);
  std::_Exit(1);
}
void check(const Status& status) {
  if (!status.ok()) give_up(status.ToString().c_str());
}

Load load_of(std::string_view name) noexcept {
  if (name == "stream_64") return Load::kStream;
  if (name == "round_trip_64") return Load::kRoundTrip;
  if (name == "call_64") return Load::kCall;
  if (name == "loan_16k") return Load::kLoan;
  return Load{};
}

ipc::PortOptions counted_options() {
  ipc::PortOptions options;
  options.lane.arena_bytes_max = 256 * 1024;
  options.lane.arena_idle_ms = 24 * 60 * 60 * 1000;
  options.handshake_timeout_ms = 60'000;  // the machine may be busy with others
  return options;
}

coro::Task<Tally> run_client(ipc::Port& port, Load load, std::uint64_t count, Mark mark) {
  co_await run_load(port, load, kWarmUpCount);
  co_await ask(port, kSync);
  co_await run_load(port, load, kWarmUpCount);
  co_await ask(port, kBegin);
  mark();
  const Tally before = tally_now(port.counters());
  co_await run_load(port, load, count);
  co_await ask(port, kEnd);
  const Tally after = tally_now(port.counters());
  mark();
  co_return after - before;
}

coro::Task<Tally> run_server(ipc::Port& port, Mark mark) {
  Tally before;
  std::uint64_t number = 0;
  for (;;) {
    auto message = co_await port.receive();
    if (!message.has_value()) give_up("the client has gone");
    const std::uint32_t type = message->type();
    if (type < kSync) {
      const auto load = static_cast<Load>(type);
      check_payload(payload_of(*message), load == Load::kLoan ? kLoanBytes : kSmallBytes, ++number);
      if (load == Load::kRoundTrip || load == Load::kCall) co_await answer(port, *message);
      continue;
    }
    number = 0;
    Tally after;
    if (type == kBegin) {
      mark();
      before = tally_now(port.counters());
    } else if (type == kEnd) {
      after = tally_now(port.counters());
      mark();
    }
    Status sent = co_await message->reply(ipc::Message(type));
    check(sent);
    if (type == kEnd) co_return after - before;
  }
}

}  // namespace wharf::test
