// What tests ask about this process and about others, through /proc.
//
// Threads: any.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "wharf/coro/task.h"

namespace wharf::test {

// The descriptors of this process: number and what it is, once those that are being closed elsewhere are. Equal before and
// after means that nothing leaked.
std::map<int, std::string> open_fds();

// The processors that this process may run on.
std::vector<int> allowed_cpus();

// Keeps this thread on one processor for as long as it lives; -1: wherever it may run.
class PinnedTo {
 public:
  explicit PinnedTo(int cpu);
  ~PinnedTo();
  PinnedTo(const PinnedTo&) = delete;
  PinnedTo& operator=(const PinnedTo&) = delete;

 private:
  cpu_set_t old_;
};

// Until the process sleeps, and goes on sleeping: what it waits for is an event and nothing else.
coro::Task<void> until_asleep(pid_t pid);
// Until SIGSTOP has stopped it.
coro::Task<void> until_stopped(pid_t pid);
// The same, in a process whose own reactor is to do nothing meanwhile.
void wait_until_asleep(pid_t pid);

}  // namespace wharf::test
