// `uring_echo`: what a server on io_uring can do at best. One multishot receive for each connection, from one ring of buffers; a
// buffer goes back when its send has ended. One thread, SINGLE_ISSUER and DEFER_TASKRUN, one system call for all that has
// come; no task, no limit, no cancellation.
//
// `uring_echo_quiet`: the same, where a send that succeeds reports nothing, which spares it completions. It must know what no
// server can know of its clients: that each has read its reply before it sends again. The reply is a copy of its own.
#include <liburing.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "wharf/perf/contest/echo.h"
#include "wharf/perf/floors/floors.h"

namespace wharf::perf {
namespace {

constexpr unsigned kBufferCount = 256;
constexpr std::size_t kBufferBytes = 4096;
constexpr std::uint64_t kSend = std::uint64_t{1} << 63;

template <bool kQuiet>
class UringEcho final : public EchoDuel {
 public:
  using EchoDuel::EchoDuel;

 private:
  std::uint64_t serve(Side& side, std::vector<int> connections) override {
    connections_ = std::move(connections);
    replies_.resize(kQuiet ? connections_.size() * kBufferBytes : 0);
    set_up();
    for (std::size_t index = 0; index < connections_.size(); ++index) receive(index);
    side.ready();
    open_count_ = connections_.size();
    std::uint64_t calls = 0;
    while (open_count_ != 0) {
      errno = -io_uring_submit_and_wait(&ring_, 1);
      if (errno > 0) fail("io_uring_enter");
      ++calls;
      unsigned head = 0;
      unsigned count = 0;
      io_uring_cqe* cqe = nullptr;
      io_uring_for_each_cqe(&ring_, head, cqe) {
        take(*cqe);
        ++count;
      }
      io_uring_cq_advance(&ring_, count);
    }
    side.add_system_calls(calls);
    io_uring_queue_exit(&ring_);
    for (const int connection : connections_) ::close(connection);
    return received_;
  }

  void set_up() {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
    params.cq_entries = 4096;
    errno = -io_uring_queue_init_params(512, &ring_, &params);
    if (errno != 0) fail("io_uring_queue_init_params");
    io_uring_register_ring_fd(&ring_);
    constexpr std::size_t kRingBytes = kBufferCount * sizeof(io_uring_buf);
    void* memory = ::mmap(nullptr, kRingBytes + kBufferCount * kBufferBytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    buffer_ring_ = static_cast<io_uring_buf_ring*>(memory);
    buffers_ = static_cast<std::byte*>(memory) + kRingBytes;
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
    registration.ring_entries = kBufferCount;
    errno = -io_uring_register_buf_ring(&ring_, &registration, 0);
    if (errno != 0) fail("io_uring_register_buf_ring");
    io_uring_buf_ring_init(buffer_ring_);
    for (unsigned i = 0; i < kBufferCount; ++i) give_back(i);
  }

  void give_back(unsigned buffer) {
    io_uring_buf_ring_add(buffer_ring_, buffers_ + buffer * kBufferBytes, kBufferBytes,
                          static_cast<unsigned short>(buffer), io_uring_buf_ring_mask(kBufferCount), 0);
    io_uring_buf_ring_advance(buffer_ring_, 1);
  }

  io_uring_sqe* entry() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) fail("io_uring_get_sqe");
    return sqe;
  }

  void receive(std::size_t index) {
    io_uring_sqe* sqe = entry();
    io_uring_prep_recv_multishot(sqe, connections_[index], nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    io_uring_sqe_set_data64(sqe, index);
  }

  void take(const io_uring_cqe& cqe) {
    errno = -cqe.res;
    if ((cqe.user_data & kSend) != 0) {
      // MSG_WAITALL: less than all is an error.
      if (cqe.res < 0) fail("send");
      give_back(static_cast<unsigned>(cqe.user_data & 0xffff));
      return;
    }
    const std::size_t index = cqe.user_data;
    if (cqe.res == 0) {
      --open_count_;
      return;
    }
    if (cqe.res < 0 && cqe.res != -ENOBUFS) fail("recv");
    if (cqe.res > 0) reply(index, cqe.flags >> IORING_CQE_BUFFER_SHIFT, static_cast<std::size_t>(cqe.res));
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) receive(index);
  }

  void reply(std::size_t index, unsigned buffer, std::size_t bytes) {
    received_ += bytes;
    std::byte* from = buffers_ + buffer * kBufferBytes;
    if (kQuiet) {
      std::byte* copy = &replies_[index * kBufferBytes];
      std::memcpy(copy, from, bytes);
      give_back(buffer);
      from = copy;
    }
    io_uring_sqe* sqe = entry();
    io_uring_prep_send(sqe, connections_[index], from, bytes, MSG_WAITALL | MSG_NOSIGNAL);
    if (kQuiet) sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(sqe, kSend | (kQuiet ? 0 : buffer));
  }

  std::vector<int> connections_;
  std::vector<std::byte> replies_;
  io_uring ring_{};
  io_uring_buf_ring* buffer_ring_ = nullptr;
  std::byte* buffers_ = nullptr;
  std::size_t open_count_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace

std::vector<Entry> uring_echo_entries() {
  return {{"uring_echo", "echo", {Mode::kDefault}, make<UringEcho<false>>, kBufferBytes, false, 2},
          {"uring_echo_quiet", "echo", {Mode::kDefault}, make<UringEcho<true>>, kBufferBytes, false, 2}};
}

}  // namespace wharf::perf
