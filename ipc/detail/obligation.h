// Obligation: the duty to answer one request. Whoever lets it go unanswered has answered with Aborted.
//
// Threads: the port's reactor.
#pragma once

#include <cstdint>
#include <utility>

#include "wharf/shm/ref.h"

namespace wharf::ipc::detail {

class Link;

class Obligation {
 public:
  Obligation() noexcept = default;
  Obligation(shm::Ref<Link> link, std::uint64_t stream) noexcept;
  Obligation(Obligation&& other) noexcept : link_(std::exchange(other.link_, nullptr)), stream_(other.stream_) {}
  Obligation& operator=(Obligation&& other) noexcept {
    std::swap(link_, other.link_);
    std::swap(stream_, other.stream_);
    return *this;
  }
  ~Obligation() {
    if (link_ != nullptr) drop();
  }

  explicit operator bool() const noexcept { return link_ != nullptr; }
  std::uint64_t stream() const noexcept { return stream_; }
  // Precondition: something is owed.
  Link& borrow_link() const noexcept { return *link_; }
  // The link that the answer goes through. Precondition: something is owed.
  shm::Ref<Link> link() const noexcept;
  // The answer has been sent: nothing is owed any more. Precondition: something was.
  void settle() noexcept;

 private:
  void drop() noexcept;

  Link* link_ = nullptr;  // held, as a Ref does; Link is incomplete where messages are moved
  std::uint64_t stream_ = 0;
};

}  // namespace wharf::ipc::detail
