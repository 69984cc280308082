#include <vector>

#include "wharf/perf/floors/floors.h"

int main(int argc, char** argv) {
  std::vector<wharf::perf::Entry> entries;
  for (const auto& group : {wharf::perf::ring_entries(), wharf::perf::ring_eventfd_entries()}) {
    entries.insert(entries.end(), group.begin(), group.end());
  }
  return wharf::perf::run_contest(argc, argv, entries);
}
