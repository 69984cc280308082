// The side of the script that lives. It plays one round with a scripted peer, which may die or stop at any step, and
// expects all that a survivor is owed, wherever that was:
//   - every wait ends with the port's status, within one turn of the one that learns of the death;
//   - what the peer had published has come, once and in order; what came is still there;
//   - no block is lent, none is used, and every later operation says the same;
//   - no descriptor is left.
//
// Threads: the reactor's.
#pragma once

#include <string_view>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/tests/ipc/peer_setup.h"
#include "wharf/tests/kill/fault_points.h"

namespace wharf::test {

enum class Role { kPeerSends, kPeerServes };
enum class Ending { kByItself, kKilled, kByItselfOnceStopped };

// A peer of the program that has fault points.
PeerSetup fault_peer(std::string_view name, ipc::PortOptions port);
// A peer of this role on this route, with what is to happen to it.
PeerSetup scripted_peer(Role role, bool shared_memory, const FaultPlan& plan);

// Plays rounds, the fault at each of plan.steps in turn, until the script ends before there is such a step. `next_round`
// is called before each.
coro::Task<void> survive_every_step(Role role, bool shared_memory, FaultPlan plan, void (*next_round)());

// One round. `bystander` is a link to another process, which must not notice.
coro::Task<Ending> survive(PeerSetup setup, Role role, ipc::Port& bystander);

// A system call that is to fail.
struct FailedCall {
  runtime::sys::Call call;
  int error;
  std::uint64_t nth;  // from 1
};

// One round with an honest peer, in which a system call of this process fails. Whatever that does, it is said: the link
// goes on, or ends, with a status that names the operation, and leaks nothing. False: there was no such call.
coro::Task<bool> survive_failure(Role role, bool shared_memory, FailedCall failed);

}  // namespace wharf::test
