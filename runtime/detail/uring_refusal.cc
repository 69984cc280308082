#include "wharf/runtime/detail/uring_refusal.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include <cerrno>

#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::runtime::detail {
namespace {

// `calls`: what the filter is to allow.
Refusal by_seccomp(const std::string& calls) {
  return {"a seccomp filter forbids it", "allow " + calls + " in the container's seccomp profile"};
}

Refusal too_old(const std::string& what, const std::string& since) {
  return {"kernel " + kernel_release() + what, "use Linux " + since + " or newer"};
}

Refusal no_descriptor() { return {"no file descriptor is left", "raise ulimit -n"}; }

Refusal by_security_module(const std::string& what) {
  return {"a security module (SELinux, AppArmor) forbids it", "allow " + what + " for this program"};
}

}  // namespace

bool has_seccomp_filter() { return read_proc("/proc/self/status").find("\nSeccomp:\t2") != std::string::npos; }

std::string read_proc(const char* path) {
  const UniqueFd file(sys::open(path, O_RDONLY | O_CLOEXEC));
  std::string text(4096, '\0');
  const ssize_t bytes = file ? sys::read(file.get(), text.data(), text.size()) : 0;
  text.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return text;
}

std::string kernel_release() {
  utsname names;
  return uname(&names) == 0 ? names.release : "?";
}

Refusal explain_uring_refusal(int error) {
  const std::string calls = "io_uring_setup, io_uring_enter and io_uring_register";
  switch (error) {
    case EPERM: {
      const std::string disabled = read_proc("/proc/sys/kernel/io_uring_disabled");
      if (disabled.starts_with('1') || disabled.starts_with('2')) {
        return {"the sysctl kernel.io_uring_disabled is " + disabled.substr(0, 1),
                "set it to 0 (sysctl -w kernel.io_uring_disabled=0)"};
      }
      return by_seccomp(calls);
    }
    case EACCES: return by_security_module("io_uring");
    case ENOSYS:
      if (has_seccomp_filter()) return by_seccomp(calls);
      return too_old(" has no io_uring", "6.1");
    case EINVAL: return too_old(" is too old", "6.1");
    case ENOMEM:
      return {"no memory for the rings",
              "raise the memory limit (cgroup memory.max; before Linux 5.12 also ulimit -l), or "
              "lower ReactorOptions::operations_max"};
    case EMFILE: return no_descriptor();
    default: return {};
  }
}

Refusal explain_call_refusal(int error, const std::string& call, const std::string& since) {
  switch (error) {
    case EPERM:
    case ENOSYS:
      if (has_seccomp_filter()) return by_seccomp(call);
      if (error == ENOSYS) return too_old(" has no " + call, since);
      return by_security_module(call);
    case EACCES: return by_security_module(call);
    case EINVAL:
    case EOPNOTSUPP:
    case ENOPROTOOPT: return too_old(" is too old", since);
    case ENOMEM: return {"no memory, or no locked memory, is left", "raise cgroup memory.max, or ulimit -l"};
    case EMFILE: return no_descriptor();
    default: return {};
  }
}

Status uring_refusal(int error) {
  const bool want = error == ENOMEM || error == EMFILE || error == ENFILE;
  const StatusCode code = want ? StatusCode::kResourceExhausted : StatusCode::kUnavailable;
  const Refusal refusal = explain_uring_refusal(error);
  const Status status =
      errno_status(error, "io_uring", refusal.cause.empty() ? "" : refusal.cause + ": " + refusal.remedy);
  return make_status(code, std::string(status.message()));
}

}  // namespace wharf::runtime::detail
