#include "wharf/runtime/stream_socket.h"

#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/detail/socket_address.h"

namespace wharf::runtime {

StatusOr<Address> StreamSocket::local_address() const { return detail::local_address(fd()); }

StatusOr<Address> StreamSocket::peer_address() const { return detail::peer_address(fd()); }

Status StreamSocket::set_option(int level, int name, int value, const char* operation) noexcept {
  const int set = sys::setsockopt(fd(), level, name, &value, sizeof(value));
  return errno_status(set < 0 ? -set : 0, operation);
}

Status StreamSocket::shut(int how) noexcept {
  const int result = sys::shutdown(fd(), how);
  return errno_status(result < 0 ? -result : 0, "shutdown");
}

}  // namespace wharf::runtime
