// PayloadFile: memory for a payload that is too large for the arena, written in place and sent without a copy.
//
//     auto file = ipc::PayloadFile::create(1 << 30);
//     render(file->bytes());
//     co_await port.send(ipc::Message(kFrame, *std::move(file)));
//
// It is a memfd. A message that takes it seals it: from then on nobody can change it, and the receiver maps it, or takes
// it as a file (Message::take_file). On a link without shared memory its bytes are sent instead.
//
// Threads: any, one at a time.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/shm/segment.h"

namespace wharf::ipc {

class Piece;

class PayloadFile {
 public:
  // Units:  1..4 GiB.
  // Errors: InvalidArgument    `bytes` is out of range
  //         ResourceExhausted  no memory, map or descriptor left
  //         Unavailable        memfd_create is refused here (seccomp)
  // Cost:   all of it is allocated and cleared now, about 0.2 ms a MiB, so that want of memory is an error here, and no
  //         signal later.
  static StatusOr<PayloadFile> create(std::size_t bytes);

  std::span<std::byte> bytes() noexcept { return {mapping_.data(), mapping_.size_bytes()}; }

  // Unmaps and seals it, for a message. If it cannot be sealed, because a forked child has it mapped, its bytes become
  // plain payload, which is copied.
  Piece take_piece() &&;

 private:
  PayloadFile(runtime::UniqueFd fd, shm::Mapping mapping) noexcept : fd_(std::move(fd)), mapping_(std::move(mapping)) {}

  runtime::UniqueFd fd_;
  shm::Mapping mapping_;
};

}  // namespace wharf::ipc
