// FilePayload: a memfd as payload. Sealed, it can no longer change, neither in size nor in a byte, whoever holds it: it
// may be believed once it was checked, from a hostile peer too.
//
// Threads: any, one at a time.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/shm/segment.h"

namespace wharf::ipc::detail {

class FilePayload {
 public:
  // A new file, empty and not sealed yet.
  //
  // Errors: ResourceExhausted  no memory or descriptor left
  //         Unavailable        memfd_create is refused here (seccomp)
  static StatusOr<runtime::UniqueFd> create();
  // Seals a file of ours. It stays unsealed if somebody has it mapped writable, as a child by fork can.
  static FilePayload seal(runtime::UniqueFd fd, std::size_t bytes) noexcept;
  // Takes a file of the peer's. Refused is all that could change, is not `bytes` bytes long, is no memfd, lies in huge
  // pages (whose reader can be killed for want of them), or is sparse (whose reader would allocate its memory).
  //
  // Errors: InvalidArgument names what is wrong; the file stays in `fd`.
  static StatusOr<FilePayload> adopt(runtime::UniqueFd& fd, std::size_t bytes);

  bool sealed() const noexcept { return sealed_; }
  std::size_t size_bytes() const noexcept { return bytes_; }
  int fd() const noexcept { return fd_.get(); }
  // The content, mapped at the first call. Null if the kernel refuses the mapping, or the file is empty.
  const std::byte* data() const noexcept;
  runtime::UniqueFd take_fd() && noexcept { return std::move(fd_); }

 private:
  FilePayload(runtime::UniqueFd fd, std::size_t bytes, bool sealed) noexcept
      : fd_(std::move(fd)), bytes_(bytes), sealed_(sealed) {}

  runtime::UniqueFd fd_;
  std::size_t bytes_;
  bool sealed_;
  mutable shm::Mapping mapping_;
};

}  // namespace wharf::ipc::detail
