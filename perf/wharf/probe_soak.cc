// `wharf_probe soak`: one link, streamed through for long.
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "wharf/perf/wharf/messages.h"
#include "wharf/perf/wharf/probe.h"
#include "wharf/perf/wharf/proc_files.h"
#include "wharf/perf/wharf/wharf_duel.h"

namespace wharf::perf {
namespace {

constexpr std::size_t kPayloadBytes = 64;

void pin(long core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  check(::sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

coro::Task<void> send_all(ipc::PortEnd end, std::uint64_t messages) {
  auto opened = co_await ipc::Port::open(std::move(end));
  const auto port = value_or_fail(std::move(opened));
  std::array<std::byte, kPayloadBytes> payload;
  for (std::uint64_t number = 1; number <= messages; ++number) {
    write_payload(payload.data(), payload.size(), number);
    check(co_await port->send(ipc::Message(0, std::span<const std::byte>(payload))));
  }
  check(co_await port->close_send());
  const auto more = co_await port->receive();
  if (more) fail_with(absl::InternalError("a message too many"));
}

void print_slice(unsigned slice, std::uint64_t messages, std::int64_t nanoseconds, pid_t sender) {
  const nlohmann::json line = {{"slice", slice},
                               {"messages", messages},
                               {"ns_per_message", static_cast<double>(nanoseconds) / static_cast<double>(messages)},
                               {"rss_kib", memory_kib_of(::getpid(), "Rss") + memory_kib_of(sender, "Rss")}};
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

// The last slice has what the division leaves.
coro::Task<void> receive_all(ipc::PortEnd end, SoakOptions options, pid_t sender) {
  auto opened = co_await ipc::Port::open(std::move(end));
  const auto port = value_or_fail(std::move(opened));
  std::uint64_t number = 0;
  for (unsigned slice = 0; slice < options.slices; ++slice) {
    const std::uint64_t first = number;
    const bool is_last = slice + 1 == options.slices;
    const std::uint64_t last = is_last ? options.messages : first + options.messages / options.slices;
    const std::int64_t began_ns = now_ns();
    while (number < last) {
      const auto message = co_await port->receive();
      if (!message) fail_with(absl::DataLossError("the stream ended early"));
      const auto payload = payload_of(*message);
      if (payload.size() != kPayloadBytes || !check_payload(payload.data(), payload.size(), ++number)) {
        fail_with(absl::DataLossError("message " + std::to_string(number) + " is lost or damaged"));
      }
    }
    print_slice(slice, number - first, now_ns() - began_ns, sender);
  }
  const auto more = co_await port->receive();
  if (more) fail_with(absl::DataLossError("a message too many"));
}

}  // namespace

int probe_soak(const SoakOptions& options) {
  auto ends = value_or_fail(ipc::Port::end_pair());
  const pid_t sender = check(::fork(), "fork");
  const long last_core = ::sysconf(_SC_NPROCESSORS_ONLN) - 1;
  if (sender == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(0);
    auto reactor = value_or_fail(runtime::Reactor::create());
    reactor->run(send_all(std::move(ends.first), options.messages));
    ::_exit(0);
  }
  pin(options.same_core ? 0 : last_core);
  auto reactor = value_or_fail(runtime::Reactor::create());
  reactor->run(receive_all(std::move(ends.second), options, sender));
  int status = 0;
  check(::waitpid(sender, &status, 0), "waitpid");
  return status == 0 ? 0 : 1;
}

}  // namespace wharf::perf
