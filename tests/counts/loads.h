// The loads that are counted: a client and a server of one link. Each is run twice, first to warm up, and counted between
// two requests that both sides understand; every message carries its number, and is checked for it.
//
// Threads: the port's reactor.
#pragma once

#include <cstdint>
#include <string_view>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/tests/counts/tally.h"

namespace wharf::test {

enum class Load : std::uint32_t {
  kStream = 1,  // messages of 64 bytes, one way
  kRoundTrip,   // a message of 64 bytes, and one back
  kCall,        // a request of 64 bytes, and its reply
  kLoan,        // 16 KiB of shared memory, one way
};

// Load of that name; 0 if there is none.
Load load_of(std::string_view name) noexcept;
inline constexpr const char* kLoadNames = "stream_64|round_trip_64|call_64|loan_16k";

// One segment, and it stays: the arena neither grows nor goes while it is counted.
ipc::PortOptions counted_options();

// Called where the counted part begins and where it ends: by each side, with nothing of wharf's in between.
using Mark = void (*)();

// `count` messages, or round trips. Return what each did between its marks.
coro::Task<Tally> run_client(ipc::Port& port, Load load, std::uint64_t count, Mark mark);
coro::Task<Tally> run_server(ipc::Port& port, Mark mark);

// End the process with words on stderr.
[[noreturn]] void give_up(const char* why);
void check(const Status& status);

}  // namespace wharf::test
