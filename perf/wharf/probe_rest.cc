// `wharf_probe idle` and `wharf_probe memory`: links at rest.
#include <unistd.h>

#include <cstdint>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "wharf/perf/wharf/probe.h"
#include "wharf/perf/wharf/proc_files.h"
#include "wharf/perf/wharf/resting_pair.h"

namespace wharf::perf {
namespace {

struct Memory {
  std::int64_t private_kib = 0;  // and what is shared with others than the two, in proportion
  std::int64_t shared_kib = 0;   // all that the links' files take
  std::int64_t pss_kib = 0;
};

Memory memory_of(const RestingPair& pair) {
  Memory memory;
  SharedFiles files;
  for (const pid_t process : pair.processes()) {
    const std::int64_t pss_kib = memory_kib_of(process, "Pss");
    memory.pss_kib += pss_kib;
    memory.private_kib += pss_kib - memory_kib_of(process, "Pss_Shmem");
    add_shared_files_of(process, files);
  }
  for (const auto& [file, bytes] : files) memory.shared_kib += bytes / 1024;
  return memory;
}

}  // namespace

int probe_idle(unsigned links, double seconds) {
  const RestingPair pair(links);
  Activity sum;
  for (const pid_t process : pair.processes()) {
    const Activity before = activity_of(process);
    sum.cpu_ns -= before.cpu_ns;
    sum.voluntary_switches -= before.voluntary_switches;
    sum.involuntary_switches -= before.involuntary_switches;
  }
  ::usleep(static_cast<useconds_t>(seconds * 1e6));
  for (const pid_t process : pair.processes()) {
    const Activity after = activity_of(process);
    sum.cpu_ns += after.cpu_ns;
    sum.voluntary_switches += after.voluntary_switches;
    sum.involuntary_switches += after.involuntary_switches;
  }
  const nlohmann::json result = {{"probe", "idle"},
                                 {"links", links},
                                 {"seconds", seconds},
                                 {"cpu_ns", sum.cpu_ns},
                                 {"voluntary_switches", sum.voluntary_switches},
                                 {"involuntary_switches", sum.involuntary_switches}};
  std::printf("%s\n", result.dump().c_str());
  return sum.cpu_ns == 0 && sum.voluntary_switches == 0 && sum.involuntary_switches == 0 ? 0 : 1;
}

int probe_memory(unsigned links) {
  const Memory one = memory_of(RestingPair(1));
  const Memory many = memory_of(RestingPair(links));
  const auto each = [&](std::int64_t Memory::* kib) { return static_cast<double>(many.*kib - one.*kib) / (links - 1); };
  const double private_kib = each(&Memory::private_kib);
  const double shared_kib = each(&Memory::shared_kib);
  const nlohmann::json result = {{"probe", "memory"},
                                 {"links", links},
                                 {"resident_kib_per_link", private_kib + shared_kib},
                                 {"private_kib_per_link", private_kib},
                                 {"shared_kib_per_link", shared_kib},
                                 {"pss_kib_per_link", each(&Memory::pss_kib)}};
  std::printf("%s\n", result.dump().c_str());
  return 0;
}

}  // namespace wharf::perf
