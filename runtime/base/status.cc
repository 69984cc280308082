#include "wharf/runtime/base/status.h"

#include <cerrno>
#include <cstring>

namespace wharf::runtime {

StatusCode errno_code(int error) noexcept {
  switch (error) {
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
    case ECONNABORTED:
    case ENOTCONN:
    case ESHUTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EAGAIN: return StatusCode::kUnavailable;
    case EMSGSIZE: return StatusCode::kInvalidArgument;
    case EADDRINUSE:
    case EADDRNOTAVAIL: return StatusCode::kFailedPrecondition;
    case ECANCELED: return StatusCode::kCancelled;
    default: return absl::ErrnoToStatusCode(error);
  }
}

std::string errno_text(int error) {
  const char* name = strerrorname_np(error);
  const char* description = strerrordesc_np(error);
  if (name == nullptr || description == nullptr) return "error " + std::to_string(error);
  return std::string(description) + " (" + name + ")";
}

Status errno_status(int error, std::string_view operation, std::string_view remedy) {
  if (error == 0) return absl::OkStatus();
  std::string message(operation);
  message.append(": ").append(errno_text(error));
  if (!remedy.empty()) message.append("; ").append(remedy);
  return make_status(errno_code(error), message);
}

Status make_status(StatusCode code, std::string_view message) {
  return Status(code, absl::string_view(message.data(), message.size()));
}

}  // namespace wharf::runtime
