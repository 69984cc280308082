// ListeningSocket: a Unix SEQPACKET socket that listens under a name. A path that it made goes when it closes.
//
// Threads: one at a time.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "wharf/ipc/detail/socket_name.h"
#include "wharf/runtime/base/private_fd.h"
#include "wharf/runtime/base/status.h"

namespace wharf::ipc::detail {

class ListeningSocket {
 public:
  // Replaces a path that a dead server left. `mode` is that of the path, which is never more open than that.
  //
  // Errors: AlreadyExists      somebody listens there, or what is there is no socket
  //         NotFound           there is no such folder
  //         PermissionDenied   the folder is not this user's to write to
  //         ResourceExhausted  no descriptor, or no memory
  static StatusOr<std::unique_ptr<ListeningSocket>> open(const SocketName& name, mode_t mode, int backlog);
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;
  ~ListeningSocket() { close(); }

  int fd() const noexcept { return socket_.get(); }
  bool is_open() const noexcept { return open_; }
  // Nobody can connect any more; whoever waits in accept, or in the backlog, is told. The descriptor stays until the
  // object goes.
  void close() noexcept;

 private:
  explicit ListeningSocket(const SocketName& name) : name_(name) {}
  Status bind(mode_t mode);
  Status claim_path(mode_t mode);

  const SocketName name_;
  runtime::PrivateFd socket_;
  std::optional<struct stat> path_;  // what the path was when we had made it; none for an abstract name
  bool open_ = true;
};

}  // namespace wharf::ipc::detail
