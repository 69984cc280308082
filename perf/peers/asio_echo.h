// The server of the case `echo` on Boost.Asio.
#pragma once

#include <vector>

#include "wharf/perf/contest/contest.h"

namespace wharf::perf {

std::vector<Entry> asio_echo_entries(const char* contender);

}  // namespace wharf::perf
