#include "wharf/runtime/explain/probe_ring.h"

#include <cerrno>
#include <cstdint>

namespace wharf::runtime::explain {
namespace {

constexpr unsigned kEntries = 8;

}  // namespace

ProbeRing::ProbeRing(unsigned flags) noexcept {
  io_uring_params params{};
  params.flags = flags;
  error_ = -io_uring_queue_init_params(kEntries, &ring_, &params);
  if (error_ == 0) probe_ = io_uring_get_probe_ring(&ring_);
}

ProbeRing::~ProbeRing() {
  if (probe_ != nullptr) io_uring_free_probe(probe_);
  if (error_ == 0) io_uring_queue_exit(&ring_);
}

ProbeRing::Answer ProbeRing::ask(const std::function<void(io_uring_sqe&)>& prepare,
                                 const std::function<void()>& provoke) {
  static std::uint64_t question_count = 0;
  const std::uint64_t question = ++question_count;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) return {-EBUSY, 0};
  prepare(*sqe);
  io_uring_sqe_set_data64(sqe, question);
  const int submitted = io_uring_submit(&ring_);
  if (submitted < 0) return {submitted, 0};
  if (provoke) provoke();
  __kernel_timespec limit{};
  limit.tv_sec = 1;
  for (;;) {
    io_uring_cqe* cqe = nullptr;
    const int waited = io_uring_wait_cqe_timeout(&ring_, &cqe, &limit);
    if (waited < 0) return {waited, 0};
    const std::uint64_t answered = io_uring_cqe_get_data64(cqe);
    const Answer answer{cqe->res, cqe->flags};
    io_uring_cqe_seen(&ring_, cqe);
    if (answered == question) return answer;  // others are late answers to earlier questions
  }
}

bool ProbeRing::knows(unsigned opcode) noexcept {
  return probe_ != nullptr && opcode < probe_->ops_len && (probe_->ops[opcode].flags & IO_URING_OP_SUPPORTED) != 0;
}

}  // namespace wharf::runtime::explain
