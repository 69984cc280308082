#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/explain/probe.h"
#include "wharf/runtime/explain/probe_ring.h"

namespace wharf::runtime::explain {
namespace {

constexpr unsigned kBestSetup = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
constexpr unsigned kPlainSetup = IORING_SETUP_COOP_TASKRUN;

// By number: liburing's names are newer than the oldest liburing that wharf is built with.
struct NamedOpcode {
  unsigned opcode;
  const char* name;
};
constexpr auto kNeeded = std::to_array<NamedOpcode>({
    {IORING_OP_ACCEPT, "accept"},
    {IORING_OP_ASYNC_CANCEL, "cancel"},
    {IORING_OP_CLOSE, "close"},
    {IORING_OP_CONNECT, "connect"},
    {IORING_OP_POLL_ADD, "poll"},
    {IORING_OP_READ, "read"},
    {IORING_OP_RECV, "recv"},
    {IORING_OP_RECVMSG, "recvmsg"},
    {IORING_OP_SEND, "send"},
    {IORING_OP_SENDMSG, "sendmsg"},
    {IORING_OP_WRITE, "write"},
});
constexpr auto kFurther = std::to_array<NamedOpcode>({
    {IORING_OP_READV, "readv"},
    {IORING_OP_WRITEV, "writev"},
    {IORING_OP_FSYNC, "fsync"},
    {IORING_OP_OPENAT, "openat"},
    {IORING_OP_STATX, "statx"},
    {IORING_OP_SPLICE, "splice"},
    {IORING_OP_SHUTDOWN, "shutdown"},
    {IORING_OP_RENAMEAT, "renameat"},
    {IORING_OP_UNLINKAT, "unlinkat"},
    {IORING_OP_MKDIRAT, "mkdirat"},
});
constexpr unsigned kMsgRing = 40;
constexpr unsigned kSendZc = 47;
constexpr unsigned kFutexWait = 51;

template <std::size_t kCount>
std::string missing_of(ProbeRing& ring, const std::array<NamedOpcode, kCount>& opcodes) {
  std::string missing;
  for (const NamedOpcode& opcode : opcodes) {
    if (ring.knows(opcode.opcode)) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(opcode.name);
  }
  return missing;
}

Finding operations(ProbeRing& ring) {
  const std::string needed = missing_of(ring, kNeeded);
  const std::string further = missing_of(ring, kFurther);
  Finding finding{"io_uring.operations",
                  State::kYes,
                  "all " + std::to_string(kNeeded.size() + kFurther.size()) + " that wharf asks for",
                  "sockets and files",
                  "",
                  ""};
  if (needed.empty() && further.empty()) return finding;
  finding.state = needed.empty() ? State::kLimited : State::kNo;
  finding.found = "without " + needed + (needed.empty() || further.empty() ? "" : ", ") + further;
  const detail::Refusal refusal = detail::explain_uring_refusal(EINVAL);
  finding.cause = refusal.cause;
  finding.remedy = refusal.remedy;
  return finding;
}

Finding operation(ProbeRing& ring, const char* name, unsigned opcode, const char* use, const char* since) {
  const int error = ring.knows(opcode) ? 0 : EOPNOTSUPP;
  return finding_of(std::string("io_uring.") + name, error, "", use,
                    detail::explain_call_refusal(error, "io_uring_register", since));
}

// What a probe of a multishot operation says: `answer` has F_MORE if it goes on.
Finding multishot(const char* name, ProbeRing::Answer answer, const char* use, const char* since) {
  int error = answer.result < 0 ? -answer.result : 0;
  if (error == 0 && (answer.flags & IORING_CQE_F_MORE) == 0) error = EOPNOTSUPP;
  return finding_of(std::string("io_uring.") + name, error, "", use,
                    detail::explain_call_refusal(error, "io_uring_enter", since));
}

ProbeRing::Answer poll_multishot(ProbeRing& ring) {
  const int made = sys::eventfd(1, EFD_CLOEXEC);
  if (made < 0) return {made, 0};
  const UniqueFd event(made);
  return ring.ask([&](io_uring_sqe& sqe) { io_uring_prep_poll_multishot(&sqe, event.get(), POLLIN); });
}

ProbeRing::Answer accept_multishot(ProbeRing& ring) {
  const int first = sys::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const UniqueFd listener(first);
  const int second = sys::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const UniqueFd client(second);
  if (first < 0 || second < 0) return {std::min(first, second), 0};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t address_bytes = sizeof(sa_family_t);  // the kernel chooses an abstract name
  int result = sys::bind(listener.get(), any, address_bytes);
  if (result == 0) result = sys::listen(listener.get(), 1);
  address_bytes = sizeof(address);
  if (result == 0) result = sys::getsockname(listener.get(), any, &address_bytes);
  if (result < 0) return {result, 0};
  const auto answer = ring.ask(
      [&](io_uring_sqe& sqe) { io_uring_prep_multishot_accept(&sqe, listener.get(), nullptr, nullptr, SOCK_CLOEXEC); },
      [&] { static_cast<void>(sys::connect(client.get(), any, address_bytes)); });
  const UniqueFd accepted(answer.result);
  return answer;
}

// Buffers that the kernel takes from as data comes, and a receive that goes on with them.
class BufferRing {
 public:
  static constexpr unsigned kEntries = 2;
  static constexpr std::size_t kBytes = 4096;

  explicit BufferRing(io_uring& ring) noexcept
      : ring_(ring), memory_(std::aligned_alloc(kBytes, 2 * kBytes), &std::free) {
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory_.get());
    registration.ring_entries = kEntries;
    error_ = -io_uring_register_buf_ring(&ring, &registration, 0);
    if (error_ != 0) return;
    auto* buffers = static_cast<io_uring_buf_ring*>(memory_.get());
    io_uring_buf_ring_init(buffers);
    io_uring_buf_ring_add(buffers, static_cast<char*>(memory_.get()) + kBytes, kBytes, 0,
                          io_uring_buf_ring_mask(kEntries), 0);
    io_uring_buf_ring_advance(buffers, 1);
  }
  ~BufferRing() {
    if (error_ == 0) io_uring_unregister_buf_ring(&ring_, 0);
  }
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;
  int error() const noexcept { return error_; }

 private:
  io_uring& ring_;
  std::unique_ptr<void, decltype(&std::free)> memory_;
  int error_ = 0;
};

ProbeRing::Answer receive_multishot(ProbeRing& ring) {
  int fds[2] = {-1, -1};
  const int paired = sys::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
  if (paired < 0) return {paired, 0};
  const UniqueFd reader(fds[0]);
  const UniqueFd writer(fds[1]);
  return ring.ask(
      [&](io_uring_sqe& sqe) {
        io_uring_prep_recv_multishot(&sqe, reader.get(), nullptr, 0, 0);
        sqe.flags |= IOSQE_BUFFER_SELECT;
        sqe.buf_group = 0;
      },
      [&] { static_cast<void>(sys::write(writer.get(), "x", 1)); });
}

void buffers(ProbeRing& ring, std::vector<Finding>& findings) {
  const char* use = "receives into buffers that the kernel chooses";
  const BufferRing provided(ring.ring());
  findings.push_back(finding_of("io_uring.buffer_rings", provided.error(), "", use,
                                detail::explain_call_refusal(provided.error(), "io_uring_register", "5.19")));
  if (provided.error() != 0) {
    findings.push_back({"io_uring.multishot_recv", State::kNotTried, "", use, "", ""});
    return;
  }
  findings.push_back(multishot("multishot_recv", receive_multishot(ring), use, "6.0"));
}

// The kernel counts these, and no rings, against RLIMIT_MEMLOCK.
Finding registered_buffers(ProbeRing& ring) {
  const std::size_t bytes = 4096;
  const std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(bytes, bytes), &std::free);
  const iovec buffer{memory.get(), bytes};
  const int error = -io_uring_register_buffers(&ring.ring(), &buffer, 1);
  if (error == 0) io_uring_unregister_buffers(&ring.ring());
  return finding_of("io_uring.registered_buffers", error, "", "not used: what was measured gains nothing",
                    detail::explain_call_refusal(error, "io_uring_register", "5.1"));
}

}  // namespace

std::vector<Finding> probe_uring() {
  ProbeRing best(kBestSetup);
  auto plain = best.error() != 0 ? std::make_unique<ProbeRing>(kPlainSetup) : nullptr;
  ProbeRing& ring = plain != nullptr ? *plain : best;
  std::vector<Finding> findings;
  findings.push_back(finding_of("io_uring", ring.error(), "a ring was set up", "the reactor's way to the kernel",
                                detail::explain_uring_refusal(ring.error())));
  if (ring.error() != 0) {
    for (const char* name : {"defer_taskrun", "operations", "multishot_poll", "multishot_accept", "buffer_rings",
                             "multishot_recv", "send_zc", "futex", "msg_ring", "registered_buffers"}) {
      findings.push_back({std::string("io_uring.") + name, State::kNotTried, "", "", "", ""});
    }
    return findings;
  }
  findings.push_back(finding_of("io_uring.defer_taskrun", best.error(), "with SINGLE_ISSUER",
                                "fewer interruptions: about a tenth of a request's time",
                                detail::explain_call_refusal(best.error(), "io_uring_setup", "6.1")));
  findings.push_back(operations(ring));
  findings.push_back(
      multishot("multishot_poll", poll_multishot(ring), "watches descriptors without re-arming", "5.13"));
  findings.push_back(multishot("multishot_accept", accept_multishot(ring), "TcpListener needs it", "5.19"));
  buffers(ring, findings);
  findings.push_back(operation(ring, "send_zc", kSendZc, "not used: over loopback a copy is faster", "6.0"));
  findings.push_back(operation(ring, "futex", kFutexWait, "awaits words of shared memory", "6.7"));
  findings.push_back(operation(ring, "msg_ring", kMsgRing, "not used: an eventfd wakes reactors", "5.18"));
  findings.push_back(registered_buffers(ring));
  return findings;
}

}  // namespace wharf::runtime::explain
