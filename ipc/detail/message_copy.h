// MessageCopy: a message on its way between threads: its bytes copied once, its descriptors moved.
//
// Threads: any, one at a time.
#pragma once

#include <cstdint>

#include "absl/container/inlined_vector.h"

#include "wharf/ipc/detail/small_bytes.h"
#include "wharf/ipc/message.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::ipc::detail {

class MessageCopy {
 public:
  MessageCopy() noexcept = default;
  // What `original` has borrowed or holds in shared memory is copied, and then let go by its own thread.
  explicit MessageCopy(Message original);

  // To be sent. It borrows the bytes of this copy, and takes the descriptors.
  Message to_message() noexcept;

 private:
  std::uint32_t type_ = 0;
  std::int64_t deadline_ns_ = 0;
  SmallBytes payload_;
  absl::InlinedVector<runtime::UniqueFd, 2> fds_;
};

}  // namespace wharf::ipc::detail
