// BodyMemory: where a message body is put together: in the shared memory of a port, so that it
// travels without a copy; on the heap if the port has none.
//
// Ownership: heap memory is borrowed by the message that it was appended to: this object outlives
//            the send.
// Threads:   the port's reactor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"

namespace appserver {

class BodyMemory {
 public:
  // One block at most: a message carries 256 of them, and a power of two wastes nothing.
  static constexpr std::size_t kBlockBytesMax = std::size_t{1} << 20;

  // Adds a block of `bytes`, to be filled. Waits until there is memory. The block before must be
  // full.
  //
  // Errors: those of Port::loan, but for a port without shared memory
  wharf::coro::Task<wharf::StatusOr<std::span<std::byte>>> add(wharf::ipc::Port& port, std::size_t bytes,
                                                               std::int64_t deadline_ns);
  // Only the first `bytes` of the last block are part of the body.
  void shrink_last(std::size_t bytes);
  // Makes the body the end of `message`.
  void append_to(wharf::ipc::Message& message);

 private:
  struct HeapBlock {
    std::unique_ptr<std::byte[]> memory;
    std::size_t bytes;
  };
  // One of the two is used.
  std::vector<wharf::ipc::Loan> loans_;
  std::vector<HeapBlock> heap_;
};

}  // namespace appserver
