#include "wharf/tests/runtime/faults/fault_backend.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace wharf::test {

using runtime::Opcode;
using runtime::Operation;

namespace {

bool keeps_boundaries(int file) noexcept {
  int type = 0;
  socklen_t bytes = sizeof(type);
  return ::getsockopt(file, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type != SOCK_STREAM;
}

bool first_byte_of(const iovec* parts, std::size_t count, iovec& byte) noexcept {
  std::size_t bytes = 0;
  for (std::size_t i = count; i-- != 0;) {
    if (parts[i].iov_len != 0) byte = {parts[i].iov_base, 1};
    bytes += parts[i].iov_len;
  }
  return bytes > 1;
}

void close_fds_of(msghdr& message) noexcept {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      ::close(fd);
    }
  }
}

}  // namespace

bool FaultBackend::strikes(Fault fault) noexcept {
  if (plan_.fault != fault) return false;
  ++count_;
  if (plan_.at != 0 && plan_.at != count_) return false;
  ++faults_met_;
  return true;
}

FaultBackend::StandIn& FaultBackend::stand_in_for(Operation& operation) {
  if (free_.empty()) {
    const auto index = static_cast<std::uint32_t>(stand_ins_.size());
    stand_ins_.emplace_back().index = index;
    free_.push_back(index);
  }
  StandIn& stand_in = stand_ins_[free_.back()];
  free_.pop_back();
  stand_in.opcode = operation.opcode;
  stand_in.multishot = operation.multishot;
  stand_in.fd = operation.fd;
  stand_in.flags = operation.flags;
  stand_in.memory_bytes = operation.memory_bytes;
  stand_in.memory = operation.memory;
  stand_in.offset = operation.offset;
  stand_in.buffer_group = operation.buffer_group;
  stand_in.buffer_taken = -1;
  stand_in.owner = this;
  stand_in.original = &operation;
  stand_in.error = 0;
  return stand_in;
}

void FaultBackend::submit(Operation& operation) noexcept {
  StandIn& stand_in = stand_in_for(operation);
  slot(operation) = stand_in.index;
  state(operation) = OperationState::kSubmitted;
  if (strikes(Fault::kSubmission)) {
    stand_in.error = plan_.error;
    if (operation.opcode != Opcode::kClose) return failed_.push_back(stand_in.index);
  }
  if (plan_.fault == Fault::kShortTransfer && stand_in.shorten() && !strikes(Fault::kShortTransfer)) {
    stand_in.memory_bytes = operation.memory_bytes;
    stand_in.memory = operation.memory;
  }
  kernel_->submit(stand_in);
}

void FaultBackend::cancel(Operation& operation) noexcept {
  if (!operation.in_flight()) return;
  kernel_->cancel(stand_ins_[slot(operation)]);  // nothing, if the kernel has not got it
}

std::size_t FaultBackend::poll() noexcept { return kernel_->poll() + deliver_failed(); }

std::size_t FaultBackend::wait(std::int64_t deadline_ns) noexcept {
  return failed_.empty() ? kernel_->wait(deadline_ns) : poll();
}

std::size_t FaultBackend::deliver_failed() noexcept {
  const std::vector<std::uint32_t> failed = std::exchange(failed_, {});
  for (const std::uint32_t index : failed) stand_ins_[index].on_complete(-stand_ins_[index].error, false);
  return failed.size();
}

// False: there is nothing to shorten.
bool FaultBackend::StandIn::shorten() noexcept {
  switch (opcode) {
    case Opcode::kRecv:
    case Opcode::kSend:
    case Opcode::kRead:
    case Opcode::kWrite:
      if (memory_bytes <= 1 || buffer_group >= 0 || keeps_boundaries(fd)) return false;
      memory_bytes = 1;
      return true;
    case Opcode::kReadv:
    case Opcode::kWritev:
      if (!first_byte_of(static_cast<const iovec*>(memory), memory_bytes, part)) return false;
      memory = &part;
      memory_bytes = 1;
      return true;
    case Opcode::kSendmsg:  // kRecvmsg writes to its msghdr
      message = *static_cast<const msghdr*>(memory);
      if (keeps_boundaries(fd) || !first_byte_of(message.msg_iov, message.msg_iovlen, part)) return false;
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      memory = &message;
      return true;
    case Opcode::kSplice:
      splice = *static_cast<const runtime::SpliceRequest*>(memory);
      if (splice.bytes <= 1) return false;
      splice.bytes = 1;
      memory = &splice;
      return true;
    default: return false;
  }
}

// What it did must not outlast the news that it has failed.
void FaultBackend::StandIn::undo(std::int32_t result) const noexcept {
  if (result < 0) return;
  if (opcode == Opcode::kAccept || opcode == Opcode::kOpenat) ::close(result);
  if (opcode == Opcode::kRecvmsg) close_fds_of(*static_cast<msghdr*>(memory));
}

void FaultBackend::StandIn::on_complete(std::int32_t result, bool more) noexcept {
  Operation& finished = *original;
  if (finished.buffer_group >= 0) finished.buffer_taken = buffer_taken;
  const bool may_end = opcode != Opcode::kPoll || owner->plan_.error != ENOBUFS;  // a poll takes none
  if (more && error == 0 && may_end && owner->strikes(Fault::kMultishot)) {
    error = owner->plan_.error;
    owner->kernel_->cancel(*this);
  }
  if (!more) {
    if (error == 0 && buffer_taken < 0 && owner->strikes(Fault::kCompletion)) error = owner->plan_.error;
    if (error != 0) {
      undo(result);
      result = -error;
    }
    owner->free_.push_back(index);
    state(finished) = OperationState::kIdle;
  }
  finished.on_complete(result, more);
}

}  // namespace wharf::test
