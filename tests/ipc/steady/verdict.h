// How a process of ipc_steady ends, as its exit code.
#pragma once

namespace wharf::test {

enum Verdict : int {
  kAllIsWell = 0,
  kNoPort = 10,
  kNoPage = 11,
  kNoSeccomp = 12,
  kAllocated = 13,        // something came from the heap while it was armed
  kCalledTheKernel = 14,  // a system call was counted while it was armed
  kWrongAnswer = 15,
  kLost = 16,
  kEnded = 17,  // the other process has gone
};

}  // namespace wharf::test
