#include "wharf/tests/kill/fault_points.h"

#include <signal.h>
#include <unistd.h>

#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/kill/fault_atomic.h"

namespace wharf::test {
namespace {

FaultPlan g_plan;

void pass(FaultSteps step) noexcept {
  if (g_plan.action == FaultAction::kNone || !g_plan.steps.contain(step)) return;
  if (g_plan.nth-- != 0) return;
  const FaultAction action = g_plan.action;
  g_plan.action = FaultAction::kNone;
  if (action == FaultAction::kKill) ::kill(::getpid(), SIGKILL);
  if (::write(kCueNumber, &kStoppedCue, 1) == 1) ::kill(::getpid(), SIGSTOP);
}

}  // namespace

void arm(const FaultPlan& plan) noexcept { g_plan = plan; }

void fault_point_of_store() noexcept { pass(FaultSteps::stores()); }

}  // namespace wharf::test

namespace wharf::runtime::sys {

void fault_point(Call call) noexcept;  // sys.cc calls it

void fault_point(Call call) noexcept { test::pass(test::FaultSteps::calls(call)); }

}  // namespace wharf::runtime::sys
