// UnixStream, a connection between processes of one machine; UnixListener, which accepts them. The address is a path or an
// abstract name. Messages with shared memory and typed payloads are what ipc/port.h is for; this is the plain socket.
//
//     StatusOr<std::unique_ptr<UnixListener>> listener = UnixListener::listen(*Address::unix_path("/run/quay"));
//     StatusOr<UnixStream> peer = co_await (*listener)->accept();
//
// Threads: the reactor's; listen() and pair() any.
#pragma once

#include <sys/socket.h>
#include <sys/stat.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/runtime/stream_socket.h"

namespace wharf::runtime {

class UnixStream : public StreamSocket {
 public:
  static constexpr std::size_t kFdCountMax = 64;  // of one send_with_fds

  using StreamSocket::StreamSocket;

  // Errors: NotFound, Unavailable  nobody listens there
  //         InvalidArgument        no address of a Unix socket
  //         any other              errno_status(), with the address
  // Cancel: honoured; nothing is left open. A listener whose queue is full is asked again every 5 ms.
  static coro::Task<StatusOr<UnixStream>> connect(Address address, IoOptions options = {});

  // Two that are connected with each other.
  static StatusOr<std::pair<UnixStream, UnixStream>> pair();

  // Who made the other end, when it did so: pid, uid, gid.
  StatusOr<ucred> peer_credentials() const;

  // Sends descriptors along with at least one byte of `bytes`; gives how many bytes went.
  //
  // Ownership: `fds` are borrowed for the call; the peer gets its own.
  // Errors:    InvalidArgument  no byte, or more than kFdCountMax
  coro::Task<StatusOr<std::size_t>> send_with_fds(std::span<const std::byte> bytes, std::vector<int> fds,
                                                  IoOptions options = {});

  struct Received {
    std::size_t bytes = 0;  // 0: the end
    std::vector<UniqueFd> fds;
    // More of them came than kFdCountMax, or than this process may have open: the rest is closed.
    bool cut = false;
  };
  // What has come, with the descriptors that were sent along with it.
  coro::Task<StatusOr<Received>> recv_with_fds(std::span<std::byte> buffer, IoOptions options = {});
};

struct UnixListenOptions {
  int backlog = 1024;  // connections that wait in the kernel
  // A socket file that nobody listens to any more is removed first. One whose owner is about to listen looks the same: of
  // two processes that begin on one path at the same moment, one may be left without it.
  bool replace_dead = true;
};

class UnixListener {
 public:
  // Errors: FailedPrecondition  somebody listens there, or the file is no socket
  //         InvalidArgument     no address of a Unix socket
  //         NotFound, PermissionDenied, ...  errno_status() of bind, with the address
  static StatusOr<std::unique_ptr<UnixListener>> listen(const Address& address, UnixListenOptions options = {});
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;
  // Removes the socket's file, unless something else has taken its path. No task waits in accept().
  ~UnixListener();

  // The next connection; see io.h.
  coro::Task<StatusOr<UnixStream>> accept(IoOptions options = {});

  const Address& address() const noexcept { return address_; }
  int fd() const noexcept { return socket_.get(); }

 private:
  UnixListener(UniqueFd socket, Address address) noexcept : socket_(std::move(socket)), address_(std::move(address)) {}
  void claim(std::string path) noexcept;

  UniqueFd socket_;
  const Address address_;
  std::string path_;    // of the file that is removed at the end,
  struct stat file_{};  // and which one that is
};

}  // namespace wharf::runtime
