// The floors: the least that each case can cost, each written in the plainest way that is fast.
#pragma once

#include <cstddef>
#include <vector>

#include "wharf/perf/contest/contest.h"

namespace wharf::perf {

inline constexpr std::size_t kPayloadBytesMax = 1 << 20;

std::vector<Entry> ring_entries();           // the ring polled
std::vector<Entry> ring_fan_entries();       // the same, one for each of many servers
std::vector<Entry> ring_bulk_entries();      // a small message beside large ones
std::vector<Entry> ring_eventfd_entries();   // the ring with bells
std::vector<Entry> socket_entries();         // a bare socket, blocking and in io_uring
std::vector<Entry> fd_entries();             // descriptors through a bare socket
std::vector<Entry> memory_entries();         // one cache line to and fro; copying
std::vector<Entry> record_entries();         // wharf's ring of records, without a port
std::vector<Entry> record_asleep_entries();  // the same with bells
std::vector<Entry> block_entries();          // wharf's ring and arena, without a port
std::vector<Entry> uring_echo_entries();     // a TCP server on io_uring

}  // namespace wharf::perf
