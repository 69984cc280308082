#include "wharf/runtime/base/private_fd.h"

#include <pthread.h>
#include <unistd.h>

#include <mutex>

namespace wharf::runtime {
namespace {

// They live as long as the process: fork() may come after the end of main().
std::mutex& all_mutex() noexcept {
  static auto* const only = new std::mutex;
  return *only;
}
PrivateFd* first = nullptr;  // under all_mutex()

}  // namespace

struct ForkHandlers {
  static void prepare() noexcept { all_mutex().lock(); }
  static void parent() noexcept { all_mutex().unlock(); }
  // Only what may be called between fork() and exec in a process of several threads.
  static void child() noexcept {
    while (first != nullptr) {
      PrivateFd& item = *std::exchange(first, first->next_);
      ::close(item.fd_);
      item.fd_ = -1;  // the number may be used anew here
      item.previous_ = item.next_ = nullptr;
    }
    all_mutex().unlock();
  }
};

void PrivateFd::take(int fd) noexcept {
  if (fd < 0) return;
  static const int installed = pthread_atfork(ForkHandlers::prepare, ForkHandlers::parent, ForkHandlers::child);
  static_cast<void>(installed);  // without memory for it a child keeps the descriptor: no worse than a dup
  const std::lock_guard lock(all_mutex());
  fd_ = fd;
  previous_ = nullptr;
  next_ = first;
  if (first != nullptr) first->previous_ = this;
  first = this;
}

int PrivateFd::give_up() noexcept {
  if (fd_ < 0) return -1;
  const std::lock_guard lock(all_mutex());
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : first) = next_;
  return std::exchange(fd_, -1);
}

}  // namespace wharf::runtime
