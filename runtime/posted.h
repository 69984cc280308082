// Posted: something that another thread wants done on a reactor's thread. See Reactor::post.
#pragma once

namespace wharf::runtime {

namespace detail {
class PostQueue;
}

// Ownership: the queue's from post() until run() is called; then it is its own: run() may destroy it,
//            or see to it that it is posted again.
class Posted {
 public:
  Posted() noexcept = default;
  Posted(const Posted&) = delete;
  Posted& operator=(const Posted&) = delete;

  // On the reactor's thread, at the start of a turn.
  virtual void run() noexcept = 0;
  // Instead of run(), if the reactor dies first.
  virtual void drop() noexcept = 0;

 protected:
  virtual ~Posted() = default;

 private:
  friend class detail::PostQueue;
  Posted* next_ = nullptr;
};

}  // namespace wharf::runtime
