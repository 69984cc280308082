// PortListener: a name under which unrelated processes find this one, to have a port to it.
//
//     auto listener = ipc::PortListener::listen("/run/app/control.sock");
//     if (!listener.ok()) co_return listener.status();        // says what is in the way, and the remedy
//     while (true) {
//       auto visitor = co_await (*listener)->accept();
//       if (!visitor.ok()) co_return visitor.status();
//       scope.spawn(serve, *std::move(visitor));              // opens the port: a silent stranger holds nobody up
//     }
//     // Task<void> serve(ipc::Visitor visitor) { auto port = co_await visitor.open(); ... }
//
// The other side: connect_port() in connector.h. Who may come in is the policy's decision, made on what the kernel says of
// the peer before anything is read from it. An abstract name ("@name") has no mode and no owner: there the policies of both
// sides are all there is.
//
// Threads: the reactor's; listen() any.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "wharf/coro/task.h"
#include "wharf/ipc/credentials.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/status.h"

namespace wharf::ipc {

struct PortListenOptions {
  mode_t mode = 0600;                   // of the path: who may write to it may connect
  int backlog = 128;                    // connections that wait in the kernel; further ones wait until their deadline
  std::size_t unopened_count_max = 64;  // visitors whose port is not open yet; beyond it accept() waits
};

struct PortListenerCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;  // by the policy
};

namespace detail {
class ListenerState;

// One of the unopened_count_max places.
class VisitorPlace {
 public:
  explicit VisitorPlace(std::shared_ptr<ListenerState> listener) noexcept;
  VisitorPlace(VisitorPlace&&) noexcept = default;
  VisitorPlace& operator=(VisitorPlace&& other) noexcept {
    std::swap(listener_, other.listener_);
    return *this;
  }
  ~VisitorPlace();

 private:
  std::shared_ptr<ListenerState> listener_;  // null: moved from
};
}  // namespace detail

// A process that has connected and was let in; its port is still to be opened. Dropped, it is turned away.
class [[nodiscard]] Visitor {
 public:
  const PeerCredentials& credentials() const noexcept { return credentials_; }

  // Opens the port; once. May outlive the listener.
  //
  // Errors: those of Port::open(); a stranger that says nothing is DeadlineExceeded after handshake_timeout_ms
  // Cancel: honoured; the socket is closed.
  coro::Task<StatusOr<std::unique_ptr<Port>>> open(PortOptions options = {});

 private:
  friend class detail::ListenerState;
  Visitor(PortEnd end, PeerCredentials credentials, detail::VisitorPlace place) noexcept
      : end_(std::move(end)), credentials_(std::move(credentials)), place_(std::move(place)) {}

  PortEnd end_;
  PeerCredentials credentials_;
  detail::VisitorPlace place_;
};

class PortListener {
 public:
  // Listens under a path, or "@name" in the abstract namespace of this network namespace. The path of a server that has
  // died is replaced.
  //
  // Units:  at most 107 bytes of name.
  // Errors: AlreadyExists      a server is running there, or what is there is no socket
  //         InvalidArgument    the name is empty or too long, or an option is 0
  //         NotFound           there is no such folder
  //         PermissionDenied   the folder is not this user's to write to
  //         ResourceExhausted  no descriptor, or no memory
  static StatusOr<std::unique_ptr<PortListener>> listen(const std::string& name,
                                                        CredentialPolicy policy = same_user_or_root,
                                                        PortListenOptions options = {});
  PortListener(const PortListener&) = delete;
  PortListener& operator=(const PortListener&) = delete;
  // As close() does.
  ~PortListener() { close(); }

  // The next process that the policy lets in. One that it refuses is closed with nothing said, and counted. Any number of
  // tasks may wait.
  //
  // Errors: Cancelled          the task was stopped, or the listener closed
  //         ResourceExhausted  EMFILE, ENFILE, ENOMEM: the connection waits in the backlog; the next call tries again
  // Cancel: honoured; takes no connection.
  coro::Task<StatusOr<Visitor>> accept();

  // Tasks that wait in accept() go on, as Cancelled; connections in the backlog are closed. The path goes, unless it is
  // another's by now.
  void close() noexcept;

  PortListenerCounters counters() const noexcept;
  // Why the policy refused somebody, the last time; OK if it never did.
  Status last_refusal() const;

 private:
  explicit PortListener(std::shared_ptr<detail::ListenerState> state) noexcept : state_(std::move(state)) {}

  const std::shared_ptr<detail::ListenerState> state_;  // shared with accept(), which may outlive this
};

}  // namespace wharf::ipc
