#include "wharf/ipc/listener.h"

#include "wharf/coro/event.h"
#include "wharf/ipc/detail/listening_socket.h"
#include "wharf/runtime/io.h"

namespace wharf::ipc {
namespace detail {

class ListenerState : public std::enable_shared_from_this<ListenerState> {
 public:
  ListenerState(std::unique_ptr<ListeningSocket> socket, CredentialPolicy policy, std::size_t place_count)
      : socket_(std::move(socket)), policy_(std::move(policy)), free_places_(place_count) {}

  // Keeps the state alive by itself: its owner may go while it waits.
  static coro::Task<StatusOr<Visitor>> accept(std::shared_ptr<ListenerState> self);
  void close() noexcept {
    socket_->close();
    place_free_.set();
  }

  void take_place() noexcept { --free_places_; }
  void give_place() noexcept {
    ++free_places_;
    place_free_.set();
  }
  const PortListenerCounters& counters() const noexcept { return counters_; }
  const Status& last_refusal() const noexcept { return last_refusal_; }

 private:
  bool is_open() const noexcept { return socket_->is_open(); }
  StatusOr<PeerCredentials> admit(int socket);

  const std::unique_ptr<ListeningSocket> socket_;
  const CredentialPolicy policy_;
  std::size_t free_places_;
  coro::Event place_free_;
  PortListenerCounters counters_;
  Status last_refusal_;
};

VisitorPlace::VisitorPlace(std::shared_ptr<ListenerState> listener) noexcept : listener_(std::move(listener)) {
  listener_->take_place();
}
VisitorPlace::~VisitorPlace() {
  if (listener_ != nullptr) listener_->give_place();
}

coro::Task<StatusOr<Visitor>> ListenerState::accept(std::shared_ptr<ListenerState> self) {
  while (self->free_places_ == 0 && self->is_open()) {
    self->place_free_.reset();
    const bool set = co_await self->place_free_.wait();
    if (!set) co_return absl::CancelledError("accept: the task was stopped");
  }
  VisitorPlace place(self);
  while (self->is_open()) {
    StatusOr<runtime::UniqueFd> socket = co_await runtime::accept(self->socket_->fd());
    if (!self->is_open()) break;
    if (!socket.ok()) co_return socket.status();
    StatusOr<PeerCredentials> credentials = self->admit(socket->get());
    if (credentials.ok()) co_return Visitor(*std::move(socket), *std::move(credentials), std::move(place));
  }
  co_return absl::CancelledError("accept: the listener was closed");
}

StatusOr<PeerCredentials> ListenerState::admit(int socket) {
  StatusOr<PeerCredentials> credentials = peer_credentials(socket);
  Status admitted = credentials.ok() ? policy_(*credentials) : credentials.status();
  if (admitted.ok()) {
    ++counters_.accepted;
    return credentials;
  }
  ++counters_.refused;
  last_refusal_ = admitted;
  return admitted;
}

}  // namespace detail

coro::Task<StatusOr<std::unique_ptr<Port>>> Visitor::open(PortOptions options) {
  const detail::VisitorPlace place = std::move(place_);  // free when the port is open, or never will be
  StatusOr<std::unique_ptr<Port>> port = co_await Port::open(std::move(end_), options);
  co_return port;
}

StatusOr<std::unique_ptr<PortListener>> PortListener::listen(const std::string& name, CredentialPolicy policy,
                                                             PortListenOptions options) {
  if (options.backlog <= 0 || options.unopened_count_max == 0 || !policy) {
    return absl::InvalidArgumentError("listen on " + name +
                                      ": backlog or unopened_count_max is 0, or there is no policy");
  }
  StatusOr<detail::SocketName> parsed = detail::SocketName::parse(name);
  if (!parsed.ok()) return parsed.status();
  auto socket = detail::ListeningSocket::open(*parsed, options.mode, options.backlog);
  if (!socket.ok()) return socket.status();
  auto state =
      std::make_shared<detail::ListenerState>(*std::move(socket), std::move(policy), options.unopened_count_max);
  return std::unique_ptr<PortListener>(new PortListener(std::move(state)));
}

coro::Task<StatusOr<Visitor>> PortListener::accept() { return detail::ListenerState::accept(state_); }
void PortListener::close() noexcept { state_->close(); }
PortListenerCounters PortListener::counters() const noexcept { return state_->counters(); }
Status PortListener::last_refusal() const { return state_->last_refusal(); }

}  // namespace wharf::ipc
