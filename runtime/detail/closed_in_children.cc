#include "wharf/runtime/detail/closed_in_children.h"

#include <pthread.h>
#include <unistd.h>

#include <mutex>

namespace wharf::runtime::detail {
namespace {

// They live as long as the process: fork() may come after the end of main().
std::mutex& all_mutex() noexcept {
  static auto* const only = new std::mutex;
  return *only;
}
ClosedInChildren* first = nullptr;  // under all_mutex()

}  // namespace

struct ForkHandlers {
  static void prepare() noexcept { all_mutex().lock(); }
  static void parent() noexcept { all_mutex().unlock(); }
  // Only what may be called between fork() and exec in a process of several threads.
  static void child() noexcept {
    for (ClosedInChildren* item = first; item != nullptr; item = item->next_) {
      if (item->fd_ >= 0) ::close(item->fd_);
      item->fd_ = -1;  // the number may be used anew here
    }
    all_mutex().unlock();
  }
};

ClosedInChildren::ClosedInChildren(int fd) noexcept : fd_(fd) {
  static const int installed =
      pthread_atfork(ForkHandlers::prepare, ForkHandlers::parent, ForkHandlers::child);
  static_cast<void>(
      installed);  // without memory for it a child keeps the descriptor: no worse than a dup
  const std::lock_guard lock(all_mutex());
  next_ = first;
  if (first != nullptr) first->previous_ = this;
  first = this;
}

ClosedInChildren::~ClosedInChildren() {
  const std::lock_guard lock(all_mutex());
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : first) = next_;
}

}  // namespace wharf::runtime::detail
