#include "wharf/ipc/detail/port_wait.h"

#include <string>

namespace wharf::ipc::detail {

Status PortWait::interruption(const char* operation) const {
  if (expired_) return absl::DeadlineExceededError(std::string(operation) + ": the deadline has passed");
  if (stopped()) return absl::CancelledError(std::string(operation) + ": the task was stopped");
  return absl::OkStatus();
}

}  // namespace wharf::ipc::detail
