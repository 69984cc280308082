#include "wharf/runtime/detail/abandonable.h"

#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {

void Abandonable::start(Reactor& reactor) noexcept {
  reactor_ = &reactor;
  reactor.backend_->submit(*this);
}

void Abandonable::cancel() noexcept {
  if (in_flight()) reactor_->backend_->cancel(*this);
}

void Abandonable::abandon() noexcept {
  if (!in_flight() && !delivering_) {
    delete this;
    return;
  }
  abandoned_ = true;
  ++reactor_->abandoned_count_;
  cancel();
}

void Abandonable::on_complete(std::int32_t result, bool more) noexcept {
  if (abandoned_) {
    discard(result);
  } else {
    delivering_ = true;
    on_result(result, more);
    delivering_ = false;
  }
  if (abandoned_ && !in_flight()) finish();
}

void Abandonable::finish() noexcept {
  --reactor_->abandoned_count_;
  delete this;
}

}  // namespace wharf::runtime::detail
