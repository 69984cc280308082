#include "wharf/tests/ipc/processes.h"

#include <dirent.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "wharf/runtime/close_elsewhere.h"
#include "wharf/runtime/timer.h"

namespace wharf::test {
namespace {

constexpr std::chrono::milliseconds kLookPeriod(1);
constexpr int kLooksAlike = 4;

struct ProcessState {
  char letter = '?';     // of proc(5): S asleep, T stopped ...
  std::string switches;  // how often it has given up its processor
};

ProcessState state_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  ProcessState state;
  for (std::string line; std::getline(file, line);) {
    const std::string_view text(line);
    if (text.starts_with("State:")) state.letter = line[text.find_first_not_of("\t ", 6)];
    if (text.starts_with("voluntary_ctxt_switches:")) state.switches = line;
  }
  return state;
}

// Sleeps by every look, and has not run in between.
class SleepWatch {
 public:
  explicit SleepWatch(pid_t pid) : pid_(pid) {}
  bool asleep() {
    const ProcessState state = state_of(pid_);
    const bool same = state.letter == 'S' && state.switches == switches_;
    switches_ = state.switches;
    alike_ = same ? alike_ + 1 : 0;
    return alike_ >= kLooksAlike;
  }

 private:
  const pid_t pid_;
  std::string switches_;
  int alike_ = 0;
};

}  // namespace

std::map<int, std::string> open_fds() {
  while (runtime::closing_count() != 0) ::usleep(100);
  std::map<int, std::string> fds;
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return fds;
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    const int fd = std::atoi(entry->d_name);
    if (fd == ::dirfd(folder)) continue;
    char target[256];
    const std::string link = std::string("/proc/self/fd/") + entry->d_name;
    const ssize_t length = ::readlink(link.c_str(), target, sizeof(target));
    fds[fd] = std::string(target, length > 0 ? static_cast<std::size_t>(length) : 0);
  }
  ::closedir(folder);
  return fds;
}

std::vector<int> allowed_cpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

PinnedTo::PinnedTo(int cpu) {
  ::sched_getaffinity(0, sizeof(old_), &old_);
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof(set), &set);
}

PinnedTo::~PinnedTo() { ::sched_setaffinity(0, sizeof(old_), &old_); }

coro::Task<void> until_asleep(pid_t pid) {
  SleepWatch watch(pid);
  bool asleep = watch.asleep();
  while (!asleep) {
    bool elapsed = co_await runtime::sleep_for(kLookPeriod);
    static_cast<void>(elapsed);
    asleep = watch.asleep();
  }
}

coro::Task<void> until_stopped(pid_t pid) {
  bool stopped = state_of(pid).letter == 'T';
  while (!stopped) {
    bool elapsed = co_await runtime::sleep_for(kLookPeriod);
    static_cast<void>(elapsed);
    stopped = state_of(pid).letter == 'T';
  }
}

void wait_until_asleep(pid_t pid) {
  SleepWatch watch(pid);
  while (!watch.asleep()) ::usleep(1000);
}

}  // namespace wharf::test
