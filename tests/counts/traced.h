// Children whose system calls their parent counts, as the kernel sees them: ptrace(2) stops a child at each. What they make
// without being counted by the runtime's own counters comes to light here.
//
// Threads: one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>

namespace wharf::test {

// In a child: from here on the parent, which is in watch(), sees its calls. False: the kernel does not let it.
bool be_traced() noexcept;

// In a child, traced or not: calls are counted between the first mark and the second.
void mark() noexcept;

struct Watched {
  bool traced = false;
  std::int64_t system_calls = 0;  // between its marks
  int status = 0;                 // as waitpid(2) gives it
};

// In the parent: until `count` children have ended.
std::map<pid_t, Watched> watch(int count);

}  // namespace wharf::test
