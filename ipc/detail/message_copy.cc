#include "wharf/ipc/detail/message_copy.h"

#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

namespace wharf::ipc::detail {

MessageCopy::MessageCopy(Message original)
    : type_(original.type()), deadline_ns_(original.deadline_ns()), payload_(original.size_bytes()) {
  const std::span<std::byte> copy = payload_.writable();
  const std::size_t done = original.copy_out(copy);
  std::memset(copy.data() + done, 0, copy.size() - done);
  for (std::size_t i = 0; i < original.fd_count(); ++i) fds_.push_back(original.take_fd(i));
}

Message MessageCopy::to_message() noexcept {
  Message message(type_, payload_.bytes());
  message.set_deadline_ns(deadline_ns_);
  for (runtime::UniqueFd& fd : fds_) message.attach(std::move(fd));
  fds_.clear();
  return message;
}

}  // namespace wharf::ipc::detail
