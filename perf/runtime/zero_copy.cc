// Question: from which size on is a send without a copy (IORING_OP_SEND_ZC) cheaper than one with?
// Method:   bare liburing, over TCP to 127.0.0.1. An iteration sends so many bytes; the other end drops what has come, unread
//           (MSG_TRUNC), so that no other copy is in the time. A send without a copy ends with its second completion, after
//           which the memory may be used again.
// Floor:    zc/plain, the same with IORING_OP_SEND.
// Reading:  the ratio of a case to its zc/plain; `copied` counts the sends of which the kernel said that it copied after
//           all. docs/uring-options.md has it, and the decision.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "wharf/perf/bench.h"
#include "wharf/perf/runtime/bare_uring.h"

namespace wharf::perf {
namespace {

// Newer than liburing 2.3. Source: include/uapi/linux/io_uring.h, Linux 6.2.
constexpr std::uint16_t kReportUsage = 1U << 3;   // IORING_SEND_ZC_REPORT_USAGE
constexpr std::uint32_t kUsageCopied = 1U << 31;  // IORING_NOTIF_USAGE_ZC_COPIED
constexpr int kSocketBytes = 4 << 20;

enum class Way { kPlain, kZeroCopy, kZeroCopyRegistered };

void grow(int socket, int option) {
  must(::setsockopt(socket, SOL_SOCKET, option, &kSocketBytes, sizeof(kSocketBytes)) == 0,
       "setsockopt: run it as root");
}

struct TcpPair {
  TcpPair() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    grow(listener, SO_RCVBUFFORCE);
    must(::bind(listener, any, bytes) == 0 && ::listen(listener, 1) == 0, "listen");
    must(::getsockname(listener, any, &bytes) == 0, "getsockname");
    left = ::socket(AF_INET, SOCK_STREAM, 0);
    grow(left, SO_SNDBUFFORCE);
    must(::connect(left, any, bytes) == 0, "connect");
    right = ::accept(listener, nullptr, nullptr);
    must(right >= 0, "accept");
    ::close(listener);
  }
  ~TcpPair() {
    ::close(left);
    ::close(right);
  }
  TcpPair(const TcpPair&) = delete;
  TcpPair& operator=(const TcpPair&) = delete;
  int left = -1;
  int right = -1;
};

// One send, with both its completions.
class Sender {
 public:
  Sender(BareUring& ring, int socket, Way way) : ring_(ring), socket_(socket), way_(way) {}

  std::size_t send(const std::byte* data, std::size_t bytes) {
    io_uring_sqe& sqe = ring_.entry();
    if (way_ == Way::kPlain) {
      io_uring_prep_send(&sqe, socket_, data, bytes, MSG_NOSIGNAL);
    } else {
      io_uring_prep_send_zc(&sqe, socket_, data, bytes, MSG_NOSIGNAL, kReportUsage);
      if (way_ == Way::kZeroCopyRegistered) sqe.ioprio |= IORING_RECVSEND_FIXED_BUF;
      sqe.buf_index = 0;
    }
    must(io_uring_submit_and_wait(ring_.get(), 1) >= 0, "io_uring_enter");
    const Completion sent = take();
    must(sent.result > 0, "send");
    notification_due_ = (sent.flags & IORING_CQE_F_MORE) != 0;
    return static_cast<std::size_t>(sent.result);
  }
  // Until the memory is the caller's again. The other end has to have taken the bytes.
  void settle() {
    if (!notification_due_) return;
    const Completion told = take();
    if ((static_cast<std::uint32_t>(told.result) & kUsageCopied) != 0) ++copied_;
  }
  std::uint64_t copied() const noexcept { return copied_; }

 private:
  struct Completion {
    int result;
    unsigned flags;
  };
  Completion take() {
    io_uring_cqe* cqe = nullptr;
    must(io_uring_wait_cqe(ring_.get(), &cqe) == 0, "io_uring_wait_cqe");
    const Completion taken{cqe->res, cqe->flags};
    io_uring_cqe_seen(ring_.get(), cqe);
    return taken;
  }

  BareUring& ring_;
  int socket_;
  Way way_;
  bool notification_due_ = false;
  std::uint64_t copied_ = 0;
};

void drop(int socket, std::size_t bytes) {
  while (bytes != 0) {
    const ssize_t dropped = ::recv(socket, nullptr, bytes, MSG_TRUNC);
    must(dropped > 0, "recv");
    bytes -= static_cast<std::size_t>(dropped);
  }
}

template <Way way>
void zero_copy(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const TcpPair pair;
  BareUring ring;
  std::vector<std::byte> memory(bytes);
  const iovec whole{memory.data(), memory.size()};
  must(io_uring_register_buffers(ring.get(), &whole, 1) == 0, "io_uring_register_buffers");
  Sender sender(ring, pair.left, way);
  for (auto _ : state) {
    std::size_t sent = 0;
    while (sent < bytes) {
      const std::size_t more = sender.send(memory.data() + sent, bytes - sent);
      drop(pair.right, more);
      sender.settle();
      sent += more;
    }
  }
  state.counters["copied"] =
      benchmark::Counter(static_cast<double>(sender.copied()), benchmark::Counter::kAvgIterations);
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("bytes")->Arg(4096)->Arg(65536)->Arg(1 << 20);
  finely(benchmark);
}

BENCHMARK(zero_copy<Way::kPlain>)->Name("zc/plain")->Apply(sizes);
BENCHMARK(zero_copy<Way::kZeroCopy>)->Name("zc/zero_copy")->Apply(sizes);
BENCHMARK(zero_copy<Way::kZeroCopyRegistered>)->Name("zc/registered")->Apply(sizes);

}  // namespace
}  // namespace wharf::perf
