#include "wharf/ipc/detail/message_copy.h"

#include <cstddef>
#include <utility>

namespace wharf::ipc::detail {

MessageCopy::MessageCopy(Message original)
    : type_(original.type()), deadline_ns_(original.deadline_ns()), payload_(original.size_bytes()) {
  original.copy_out(payload_.writable());
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
