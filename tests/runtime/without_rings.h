// A backend whose kernel takes no buffers by itself: on io_uring, where there is one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "wharf/runtime/backend.h"
#include "wharf/runtime/detail/epoll_backend.h"
#include "wharf/runtime/detail/uring_backend.h"

namespace wharf::test {

class WithoutRings final : public runtime::Backend {
 public:
  void submit(runtime::Operation& operation) noexcept override { inner_->submit(operation); }
  void cancel(runtime::Operation& operation) noexcept override { inner_->cancel(operation); }
  std::size_t poll() noexcept override { return inner_->poll(); }
  std::size_t wait(std::int64_t deadline_ns) noexcept override { return inner_->wait(deadline_ns); }
  void wake() noexcept override { inner_->wake(); }
  std::int64_t now_ns() const noexcept override { return inner_->now_ns(); }
  runtime::BackendCounters counters() const noexcept override { return inner_->counters(); }

 private:
  static std::unique_ptr<Backend> make_inner() {
    auto ring = runtime::detail::UringBackend::create(64, 64);
    return ring.ok() ? *std::move(ring) : *runtime::detail::EpollBackend::create(64);
  }

  std::unique_ptr<Backend> inner_ = make_inner();
};

}  // namespace wharf::test
