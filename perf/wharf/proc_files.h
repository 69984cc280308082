// What /proc says of another process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace wharf::perf {

// All threads of the process, since they began.
struct Activity {
  std::int64_t cpu_ns = 0;
  std::int64_t voluntary_switches = 0;
  std::int64_t involuntary_switches = 0;
};
Activity activity_of(pid_t process);

// A line of smaps_rollup, for instance "Rss".
std::int64_t memory_kib_of(pid_t process, const std::string& line);

// The shared memory that the process has mapped: bytes that each file takes, touched by this process or not. One file has
// the same key in every process.
using SharedFiles = std::map<std::pair<dev_t, ino_t>, std::int64_t>;
void add_shared_files_of(pid_t process, SharedFiles& files);

}  // namespace wharf::perf
