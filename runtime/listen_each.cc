#include "wharf/runtime/listen_each.h"

#include <utility>

namespace wharf::runtime {

StatusOr<std::vector<std::unique_ptr<TcpListener>>> listen_each(const std::string& host, std::uint16_t port,
                                                                std::size_t count, TcpListenOptions options) {
  if (count == 0) {
    return make_status(StatusCode::kInvalidArgument, "listen_each: a listener for no reactor");
  }
  options.reuse_port = true;
  std::vector<std::unique_ptr<TcpListener>> listeners;
  while (listeners.size() < count) {
    StatusOr<std::unique_ptr<TcpListener>> listener = TcpListener::listen(host, port, options);
    if (!listener.ok()) return listener.status();
    port = (*listener)->port();
    listeners.push_back(*std::move(listener));
  }
  return listeners;
}

}  // namespace wharf::runtime
