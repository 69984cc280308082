#include <vector>

#include "wharf/perf/floors/floors.h"

int main(int argc, char** argv) {
  std::vector<wharf::perf::Entry> entries;
  for (auto* entries_of : {wharf::perf::ring_entries, wharf::perf::ring_fan_entries, wharf::perf::ring_bulk_entries,
                           wharf::perf::ring_eventfd_entries, wharf::perf::socket_entries, wharf::perf::fd_entries,
                           wharf::perf::memory_entries, wharf::perf::record_entries, wharf::perf::record_asleep_entries,
                           wharf::perf::block_entries, wharf::perf::uring_echo_entries}) {
    const auto group = entries_of();
    entries.insert(entries.end(), group.begin(), group.end());
  }
  return wharf::perf::run_contest(argc, argv, entries);
}
