// SocketName: where a Unix socket is found: a path, or "@name" in the abstract namespace.
//
// Threads: any.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "wharf/runtime/base/status.h"

namespace wharf::ipc::detail {

class SocketName {
 public:
  // Errors: InvalidArgument  empty, longer than 107 bytes, or with a zero byte in it
  static StatusOr<SocketName> parse(const std::string& text);

  const std::string& text() const noexcept { return text_; }
  const char* path() const noexcept { return text_.c_str(); }
  bool is_abstract() const noexcept { return text_[0] == '@'; }
  const sockaddr* address() const noexcept { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t address_bytes() const noexcept { return address_bytes_; }

 private:
  std::string text_;
  sockaddr_un address_{};
  socklen_t address_bytes_ = 0;
};

}  // namespace wharf::ipc::detail
