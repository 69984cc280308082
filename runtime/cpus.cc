#include "wharf/runtime/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>

namespace wharf::runtime {
namespace {

constexpr int kCpuCountMax = 1 << 16;  // more than any Linux has

struct FreeSet {
  void operator()(cpu_set_t* set) const noexcept { CPU_FREE(set); }
};
using CpuSet = std::unique_ptr<cpu_set_t, FreeSet>;

// 0, or the errno.
int run_on(const std::vector<int>& cpus) {
  const int count = *std::max_element(cpus.begin(), cpus.end()) + 1;
  const std::size_t bytes = CPU_ALLOC_SIZE(count);
  const CpuSet set(CPU_ALLOC(count));
  if (set == nullptr) return ENOMEM;
  CPU_ZERO_S(bytes, set.get());
  for (const int cpu : cpus) CPU_SET_S(cpu, bytes, set.get());
  return ::sched_setaffinity(0, bytes, set.get()) == 0 ? 0 : errno;
}

}  // namespace

std::vector<int> allowed_cpus() {
  std::vector<int> cpus;
  // The kernel refuses a set that is smaller than its own.
  for (int count = 1024; count <= kCpuCountMax && cpus.empty(); count *= 2) {
    const std::size_t bytes = CPU_ALLOC_SIZE(count);
    const CpuSet set(CPU_ALLOC(count));
    if (set == nullptr || ::sched_getaffinity(0, bytes, set.get()) != 0) continue;
    for (int cpu = 0; cpu < count; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes, set.get())) cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

Status PinnedThread::pin_to(int cpu) {
  const std::vector<int> before = allowed_cpus();
  const std::string name = "pin a thread to cpu " + std::to_string(cpu);
  if (cpu < 0 || cpu >= kCpuCountMax) {
    return make_status(StatusCode::kInvalidArgument, name + ": there is no such cpu");
  }
  const int error = run_on({cpu});
  if (error == EINVAL) {
    return make_status(StatusCode::kInvalidArgument,
                       name + ": this process may not use it: allowed_cpus() lists those it may");
  }
  if (error != 0) return errno_status(error, name);
  if (before_.empty()) before_ = before;
  return absl::OkStatus();
}

PinnedThread::~PinnedThread() {
  // Where that is refused, because the cpus have gone meanwhile, the thread stays where it is.
  if (!before_.empty()) static_cast<void>(run_on(before_));
}

}  // namespace wharf::runtime
