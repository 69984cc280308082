#include <vector>

#include "wharf/perf/wharf/wharf.h"

int main(int argc, char** argv) {
  std::vector<wharf::perf::Entry> entries;
  for (auto* entries_of :
       {wharf::perf::link_entries, wharf::perf::calls_entries, wharf::perf::bulk_entries, wharf::perf::fd_entries,
        wharf::perf::fan_entries, wharf::perf::links_entries, wharf::perf::echo_entries}) {
    const auto group = entries_of();
    entries.insert(entries.end(), group.begin(), group.end());
  }
  return wharf::perf::run_contest(argc, argv, entries);
}
