// UntrustedBytes: payload that its sender may change at any moment, also between two reads of the same byte.
//
//     UntrustedBytes bytes = message.untrusted_part(0);
//     std::array<std::byte, 16> head;
//     if (bytes.copy_out(0, head) == head.size()) parse(head);           // of the copy
//     iovec part = {const_cast<std::byte*>(bytes.for_kernel().data()), bytes.size_bytes()};
//
// Ownership: a view, valid as long as the message that it came from.
// Threads:   the port's reactor.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

namespace wharf::ipc {

class UntrustedBytes {
 public:
  explicit UntrustedBytes(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  std::size_t size_bytes() const noexcept { return bytes_.size(); }

  // Copies from byte `offset` on as many bytes as there are and `target` takes. Returns how many. Only the copy may be
  // looked at twice.
  std::size_t copy_out(std::size_t offset, std::span<std::byte> target) const noexcept {
    if (offset >= bytes_.size()) return 0;
    const std::size_t count = std::min(bytes_.size() - offset, target.size());
    if (count != 0) std::memcpy(target.data(), bytes_.data() + offset, count);
    return count;
  }

  // The memory itself, to be handed to a system call that takes bytes as they are: send(2), write(2), pwrite(2).
  //
  // That is safe, because the kernel copies bytes and draws no conclusion from them; the size is not the peer's to
  // change; and the memory is there as long as the message, since the peer can neither shrink its file nor punch holes
  // in it (it is sealed). What goes out is what the peer wrote, at one moment or another: no more than it could have
  // sent in the first place. Not for system calls that take a structure, nor for code that parses or checks.
  std::span<const std::byte> for_kernel() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace wharf::ipc
