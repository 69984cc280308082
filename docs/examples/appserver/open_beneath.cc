#include "wharf/docs/examples/appserver/open_beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "wharf/runtime/base/sys.h"

namespace appserver {

using wharf::StatusCode;
using wharf::runtime::errno_status;
using wharf::runtime::make_status;
using wharf::runtime::UniqueFd;

wharf::StatusOr<UniqueFd> open_beneath(int root, const std::string& name) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;  // a fifo must not hold us up
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  UniqueFd file(static_cast<int>(::syscall(SYS_openat2, root, name.c_str(), &how, sizeof(how))));
  if (!file) {
    switch (const int error = errno) {
      case ENOENT:
      case ENOTDIR:
      case ENAMETOOLONG:
      case ELOOP:
      case EXDEV:  // it would have led out of `root`
      case ENXIO:  // a fifo or socket
        return make_status(StatusCode::kNotFound, "no such file");
      default: return errno_status(error, "openat2");
    }
  }
  struct stat status;
  const int looked = wharf::runtime::sys::fstat(file.get(), &status);
  if (looked < 0) return errno_status(-looked, "fstat");
  if (!S_ISREG(status.st_mode)) return make_status(StatusCode::kNotFound, "no regular file");
  return file;
}

}  // namespace appserver
