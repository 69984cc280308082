#include "wharf/ipc/inherited_link.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wharf/runtime/base/sys.h"

namespace wharf::ipc {

StatusOr<runtime::UniqueFd> take_inherited_link() {
  const char* value = std::getenv(kInheritedLinkVariable);
  if (value == nullptr) {
    return absl::NotFoundError("WHARF_LINK is not set: this program is started by a wharf supervisor, not by hand");
  }
  const std::string text(value);
  ::unsetenv(kInheritedLinkVariable);
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  if (error != std::errc() || end != text.data() + text.size() || fd < 0) {
    return absl::InvalidArgumentError("WHARF_LINK=" + text + ": a descriptor's number is wanted");
  }
  int type = 0;
  socklen_t bytes = sizeof(type);
  if (runtime::sys::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) < 0) {
    return absl::InvalidArgumentError("WHARF_LINK=" + text + ": this descriptor is no socket");
  }
  runtime::UniqueFd link(fd);
  const int set = runtime::sys::fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (set < 0) return runtime::errno_status(-set, "take inherited link: fcntl");
  return link;
}

}  // namespace wharf::ipc
