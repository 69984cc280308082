#include "wharf/runtime/detail/uring_refusal.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::runtime::detail {
namespace {

constexpr std::string_view kSeccompRemedy =
    "a seccomp filter forbids it: allow io_uring_setup, io_uring_enter and io_uring_register in "
    "the "
    "container's seccomp profile";

// The start of a file of /proc; empty if there is none.
std::string read_proc(const char* path) {
  const UniqueFd file(sys::open(path, O_RDONLY | O_CLOEXEC));
  std::string text(4096, '\0');
  const ssize_t bytes = file ? sys::read(file.get(), text.data(), text.size()) : 0;
  text.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return text;
}

bool has_seccomp_filter() {
  return read_proc("/proc/self/status").find("\nSeccomp:\t2") != std::string::npos;
}

std::string kernel_release() {
  utsname names;
  return uname(&names) == 0 ? names.release : "?";
}

std::string remedy_for(int error) {
  switch (error) {
    case EPERM: {
      const std::string disabled = read_proc("/proc/sys/kernel/io_uring_disabled");
      if (disabled.starts_with('1') || disabled.starts_with('2')) {
        return "the sysctl kernel.io_uring_disabled is " + disabled.substr(0, 1) +
               ": set it to 0 (sysctl -w kernel.io_uring_disabled=0)";
      }
      return std::string(kSeccompRemedy);
    }
    case EACCES:
      return "a security module (SELinux, AppArmor) forbids it: allow io_uring for this program";
    case ENOSYS:
      if (has_seccomp_filter()) return std::string(kSeccompRemedy);
      return "kernel " + kernel_release() + " has no io_uring: use Linux 6.1 or newer";
    case EINVAL:
      return "kernel " + kernel_release() + " is too old: use Linux 6.1 or newer";
    case ENOMEM:
      return "no memory for the rings: raise the memory limit (cgroup memory.max; before Linux "
             "5.12 "
             "also ulimit -l), or lower ReactorOptions::operations_max";
    case EMFILE:
      return "no file descriptor is left: raise ulimit -n";
    default:
      return {};
  }
}

}  // namespace

Status uring_refusal(int error) {
  const bool want = error == ENOMEM || error == EMFILE || error == ENFILE;
  const StatusCode code = want ? StatusCode::kResourceExhausted : StatusCode::kUnavailable;
  const Status status = errno_status(error, "io_uring", remedy_for(error));
  return make_status(code, std::string(status.message()));
}

}  // namespace wharf::runtime::detail
