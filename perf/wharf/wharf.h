// The wharf contenders. Each uses the port as its documentation recommends, and no option but the load's mode.
#pragma once

#include <vector>

#include "wharf/perf/contest/contest.h"

namespace wharf::perf {

std::vector<Entry> link_entries();   // one link: round trips, streams
std::vector<Entry> calls_entries();  // many calls on one link
std::vector<Entry> bulk_entries();   // calls beside bulk transfer
std::vector<Entry> fd_entries();     // descriptors
std::vector<Entry> fan_entries();    // many processes on one
std::vector<Entry> links_entries();  // beside many links, beside many pairs of processes
std::vector<Entry> echo_entries();   // a TCP server: the runtime alone

}  // namespace wharf::perf
