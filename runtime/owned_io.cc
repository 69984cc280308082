#include "wharf/runtime/owned_io.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "wharf/runtime/detail/abandonable.h"
#include "wharf/runtime/detail/control_fds.h"
#include "wharf/runtime/detail/time_left.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {

class OwnedWait::Owned : public Abandonable {
 public:
  Owned(Opcode what, int file) noexcept {
    opcode = what;
    fd = file;
  }
  OwnedWait* owner = nullptr;

 private:
  // It has succeeded, whether or not anybody still waits for it.
  virtual void on_success() noexcept {}
  void on_result(std::int32_t result, bool /*more*/) noexcept final {
    if (result == -EINTR) return start(Reactor::current());
    if (result >= 0) on_success();
    owner->finish(result);
  }
  void discard(std::int32_t result) noexcept final {
    if (result >= 0) on_success();
  }
};

OwnedWait::OwnedWait(const char* name, Owned* operation, IoOptions options) noexcept
    : name_(name), deadline_ns_(options.deadline_ns), operation_(operation) {
  operation_->owner = this;
}

OwnedWait::~OwnedWait() {
  if (operation_ != nullptr) operation_->abandon();
}

// False: the operation is not to be started.
bool OwnedWait::begin(coro::Frame& frame) noexcept {
  Reactor& reactor = Reactor::current();
  frame_ = &frame;
  if (deadline_ns_ != kNever && deadline_ns_ <= reactor.now_ns()) {
    given_up_ = StatusCode::kDeadlineExceeded;
    return false;
  }
  if (!frame.context->stop.attach(*this)) {
    given_up_ = StatusCode::kCancelled;
    return false;
  }
  Timer::set(deadline_ns_);
  operation_->start(reactor);
  return true;
}

void OwnedWait::describe_wait(std::string& text, std::int64_t now_ns) const {
  text += name_;
  if (operation_ != nullptr) text += " fd " + std::to_string(operation_->fd);
  append_time_left(text, deadline_ns_, now_ns);
}

void OwnedWait::finish(std::int32_t result) noexcept {
  result_ = result;
  StopCallback::detach();
  Timer::cancel();
  frame_->schedule();
}

void OwnedWait::give_up(StatusCode reason) noexcept {
  given_up_ = reason;
  StopCallback::detach();
  Timer::cancel();
  std::exchange(operation_, nullptr)->abandon();
  frame_->schedule();
}

StatusOr<std::size_t> OwnedWait::count() const {
  const std::string name(name_);
  if (given_up_ == StatusCode::kCancelled) {
    return make_status(given_up_, name + ": the task was stopped");
  }
  if (given_up_ == StatusCode::kDeadlineExceeded) {
    return make_status(given_up_, name + ": the deadline has passed");
  }
  if (result_ < 0) return errno_status(-result_, name);
  return static_cast<std::size_t>(result_);
}

class OwnedAwaiter::Bytes final : public Owned {
 public:
  Bytes(Opcode what, int file, Buffer taken) noexcept : Owned(what, file), buffer(std::move(taken)) {
    memory = buffer.data();
    memory_bytes = static_cast<std::uint32_t>(std::min(buffer.size(), kTransferBytesMax));
  }
  Buffer buffer;
};

OwnedAwaiter::OwnedAwaiter(const char* name, Opcode opcode, int file, Buffer buffer, std::uint32_t flags,
                           std::uint64_t offset, IoOptions options)
    : OwnedWait(name, new Bytes(opcode, file, std::move(buffer)), options) {
  operation()->flags = flags;
  operation()->offset = offset;
}

OwnedResult OwnedAwaiter::await_resume() {
  OwnedResult result{count(), Buffer()};
  if (operation() != nullptr) result.buffer = std::move(static_cast<Bytes&>(*operation()).buffer);
  return result;
}

class OwnedMessageAwaiter::Message final : public Owned {
 public:
  Message(Opcode what, int socket, OwnedMessage taken) : Owned(what, socket), message(std::move(taken)) {
    parts_.reserve(message.parts.size());
    for (Buffer& part : message.parts) parts_.push_back({part.data(), part.size()});
    header_.msg_iov = parts_.data();
    header_.msg_iovlen = parts_.size();
    if (what == Opcode::kSendmsg) {
      describe_sent();
    } else {
      describe_room();
    }
    memory = &header_;
    memory_bytes = sizeof(header_);
  }

  OwnedMessage message;

 private:
  void describe_sent() {
    if (message.address.bytes() != 0) {
      header_.msg_name = const_cast<sockaddr*>(message.address.get());
      header_.msg_namelen = message.address.bytes();
    }
    if (!message.fds.empty()) attach_fds();
    Buffer& control = message.fds.empty() ? message.control : with_fds_;
    header_.msg_control = control.data();
    header_.msg_controllen = control.size();
  }
  void describe_room() {
    header_.msg_name = &source_;
    header_.msg_namelen = sizeof(source_);
    header_.msg_control = message.control.data();
    header_.msg_controllen = message.control.size();
    message.fds.clear();
    message.fds.reserve(message.control.size() / sizeof(int));  // so that taking them does not fail
  }
  // The message's own control messages, then one with the descriptors.
  void attach_fds() {
    const std::size_t before = CMSG_ALIGN(message.control.size());
    const std::size_t bytes = message.fds.size() * sizeof(int);
    with_fds_ = Buffer(before + CMSG_SPACE(bytes));
    std::memset(with_fds_.data(), 0, with_fds_.size());
    if (message.control.size() != 0) {
      std::memcpy(with_fds_.data(), message.control.data(), message.control.size());
    }
    cmsghdr rights{};
    rights.cmsg_len = CMSG_LEN(bytes);
    rights.cmsg_level = SOL_SOCKET;
    rights.cmsg_type = SCM_RIGHTS;
    std::byte* at = with_fds_.data() + before;
    std::memcpy(at, &rights, sizeof(rights));
    at += CMSG_LEN(0);
    for (const UniqueFd& file : message.fds) {
      const int number = file.get();
      std::memcpy(at, &number, sizeof(number));
      at += sizeof(number);
    }
  }
  void take_fds() noexcept {
    const auto take = [this](int number) { message.fds.emplace_back(number); };
    take_control_fds(header_, SCM_RIGHTS, take);
    take_control_fds(header_, kScmPidfd, take);
  }
  // What has come belongs to the message, and is closed with it if nobody waits.
  void on_success() noexcept override {
    if (opcode != Opcode::kRecvmsg) return;
    message.flags = header_.msg_flags;
    message.address = Address::from(reinterpret_cast<const sockaddr*>(&source_), header_.msg_namelen);
    take_fds();
    message.control.resize(header_.msg_controllen);
  }

  std::vector<iovec> parts_;
  Buffer with_fds_;
  sockaddr_storage source_{};
  msghdr header_{};
};

OwnedMessageAwaiter::OwnedMessageAwaiter(const char* name, Opcode opcode, int socket, OwnedMessage message,
                                         std::uint32_t flags, IoOptions options)
    : OwnedWait(name, new Message(opcode, socket, std::move(message)), options) {
  operation()->flags = flags;
}

OwnedMessageResult OwnedMessageAwaiter::await_resume() {
  OwnedMessageResult result{count(), OwnedMessage()};
  if (operation() == nullptr) return result;
  result.message = std::move(static_cast<Message&>(*operation()).message);
  return result;
}

}  // namespace wharf::runtime::detail
