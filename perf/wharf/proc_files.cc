#include "wharf/perf/wharf/proc_files.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "wharf/perf/contest/contest.h"

namespace wharf::perf {
namespace {

std::string folder_of(pid_t process) { return "/proc/" + std::to_string(process); }

// The number behind "NAME:" in a file of such lines.
std::int64_t number_in(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, name.size() + 1, name + ":") == 0) return std::stoll(line.substr(name.size() + 1));
  }
  fail((path + ": no line " + name).c_str());
}

}  // namespace

Activity activity_of(pid_t process) {
  Activity all;
  for (const auto& thread : std::filesystem::directory_iterator(folder_of(process) + "/task")) {
    const std::string folder = thread.path();
    std::int64_t cpu_ns = 0;
    std::ifstream(folder + "/schedstat") >> cpu_ns;
    all.cpu_ns += cpu_ns;
    all.voluntary_switches += number_in(folder + "/status", "voluntary_ctxt_switches");
    all.involuntary_switches += number_in(folder + "/status", "nonvoluntary_ctxt_switches");
  }
  return all;
}

std::int64_t memory_kib_of(pid_t process, const std::string& line) {
  return number_in(folder_of(process) + "/smaps_rollup", line);
}

void add_shared_files_of(pid_t process, SharedFiles& files) {
  for (const auto& mapped : std::filesystem::directory_iterator(folder_of(process) + "/map_files")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(mapped.path(), gone);
    if (target.find("memfd:") == std::string::npos) continue;
    struct stat known{};
    check(::stat(mapped.path().c_str(), &known), "stat in /proc/PID/map_files");
    files[{known.st_dev, known.st_ino}] = known.st_blocks * 512;
  }
}

}  // namespace wharf::perf
