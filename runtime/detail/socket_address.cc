#include "wharf/runtime/detail/socket_address.h"

#include "wharf/runtime/base/sys.h"

namespace wharf::runtime::detail {
namespace {

using Name = int (*)(int, sockaddr*, socklen_t*) noexcept;

StatusOr<Address> named(int socket, Name name, const char* operation) {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof(storage);
  auto* const any = reinterpret_cast<sockaddr*>(&storage);
  const int result = name(socket, any, &bytes);
  if (result < 0) return errno_status(-result, operation);
  return Address::from(any, bytes);
}

}  // namespace

StatusOr<Address> local_address(int socket) { return named(socket, sys::getsockname, "local_address"); }

StatusOr<Address> peer_address(int socket) { return named(socket, sys::getpeername, "peer_address"); }

StatusOr<UniqueFd> open_socket(const Address& address, int type) {
  if (address.family() == AF_UNSPEC) {
    return make_status(StatusCode::kInvalidArgument, "socket: no address");
  }
  const int fd = sys::socket(address.family(), type | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno_status(-fd, "socket");
  return UniqueFd(fd);
}

Status bind_socket(int socket, const Address& address) {
  const int bound = sys::bind(socket, address.get(), address.bytes());
  if (bound == 0) return absl::OkStatus();
  return errno_status(-bound, "bind to " + address.text());
}

}  // namespace wharf::runtime::detail
