// What a side that polls does when it finds nothing: it gives the core up if its peer may need that very core.
#pragma once

#include <sched.h>

#include "wharf/perf/contest/load.h"
#include "wharf/runtime/base/cpu.h"

namespace wharf::perf {

class Pause {
 public:
  // `crowded`: others of the same side share its core.
  explicit Pause(const Load& load, bool crowded = false) : yields_(crowded || load.placement != Placement::kSplit) {}
  void operator()() const noexcept {
    if (yields_) {
      ::sched_yield();
    } else {
      runtime::cpu_relax();
    }
  }

 private:
  bool yields_;
};

}  // namespace wharf::perf
