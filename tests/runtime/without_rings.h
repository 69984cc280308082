// A backend on io_uring whose kernel takes no buffers by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "wharf/runtime/backend.h"
#include "wharf/runtime/detail/uring_backend.h"

namespace wharf::test {

class WithoutRings final : public runtime::Backend {
 public:
  WithoutRings() : inner_(*runtime::detail::UringBackend::create(64, 64)) {}
  void submit(runtime::Operation& operation) noexcept override { inner_->submit(operation); }
  void cancel(runtime::Operation& operation) noexcept override { inner_->cancel(operation); }
  std::size_t poll() noexcept override { return inner_->poll(); }
  std::size_t wait(std::int64_t deadline_ns) noexcept override { return inner_->wait(deadline_ns); }
  void wake() noexcept override { inner_->wake(); }
  std::int64_t now_ns() const noexcept override { return inner_->now_ns(); }
  runtime::BackendCounters counters() const noexcept override { return inner_->counters(); }

 private:
  std::unique_ptr<Backend> inner_;
};

}  // namespace wharf::test
