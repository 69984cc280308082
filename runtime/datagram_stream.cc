#include "wharf/runtime/datagram_stream.h"

#include <liburing.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace wharf::runtime {
namespace {

// A buffer holds this, then room for the source, then the datagram: see message_buffer.h.
using Head = io_uring_recvmsg_out;
constexpr std::size_t kSourceBytesMax = DatagramStream::kHeaderBytes - sizeof(Head);
static_assert(kSourceBytesMax >= sizeof(sockaddr_un) && kSourceBytesMax >= sizeof(sockaddr_in6));

constexpr detail::BufferStream::Kind kKind{
    .operation = "recvmsg",
    .wait = "DatagramStream::next",
    .opcode = Opcode::kRecvmsg,
    .head_bytes = DatagramStream::kHeaderBytes,
    .invalid_remedy = "give the group buffers of DatagramStream::kHeaderBytes and the datagram"};

Head head_of(std::span<const std::byte> filled) noexcept {
  Head head{};
  if (filled.size() >= sizeof(head)) std::memcpy(&head, filled.data(), sizeof(head));
  return head;
}

}  // namespace

std::span<std::byte> ReceivedDatagram::bytes() const noexcept {
  if (!filled_) return {};
  return filled_.bytes().subspan(DatagramStream::kHeaderBytes);
}

bool ReceivedDatagram::cut() const noexcept { return (head_of(filled_.bytes()).flags & MSG_TRUNC) != 0; }

Address ReceivedDatagram::source() const noexcept {
  const socklen_t bytes = head_of(filled_.bytes()).namelen;
  if (bytes == 0 || bytes > kSourceBytesMax) return {};
  sockaddr_storage source{};
  std::memcpy(&source, filled_.bytes().data() + sizeof(Head), bytes);
  return Address::from(reinterpret_cast<const sockaddr*>(&source), bytes);
}

DatagramStream::DatagramStream(int socket, BufferGroup& group, DatagramStreamOptions options)
    : BufferStream(kKind, group, options.queued_max) {
  if (group.pool().memory(0).size() <= kHeaderBytes) {
    end(EINVAL);
  } else {
    open(socket, true);
  }
}

void DatagramStream::on_end(std::int32_t result) noexcept {
  if (result < 0) tell(-result);
}

}  // namespace wharf::runtime
