// The wharf contenders. Each uses the port as its documentation recommends, and no option but the load's mode.
#pragma once

#include <vector>

#include "wharf/perf/contest/contest.h"

namespace wharf::perf {

std::vector<Entry> link_entries();  // one link: round trips, streams

}  // namespace wharf::perf
