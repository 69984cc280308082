// Cancellation: a StopSource is told to stop once, and runs the callbacks that are registered with it then.
//
// A task never holds a token by hand: the token is part of the Context that every frame points to, and follows the
// await chain by itself. Who writes an awaiter derives its state from StopCallback; who only awaits needs `stop_token()`
// in task.h. Stopping is cooperative: a stopped awaiter resumes early with a value that says so, never by exception.
//
// Threads: one executor's thread; nothing here is atomic.
#pragma once

namespace wharf::coro {

class StopSource;

// Something to be done when a stop is requested. Derive from it, and keep the object alive until it is detached.
class StopCallback {
 public:
  StopCallback() noexcept = default;
  StopCallback(const StopCallback&) = delete;
  StopCallback& operator=(const StopCallback&) = delete;

  // Unregisters; does nothing if it is not registered, or has run.
  void detach() noexcept;
  bool attached() const noexcept { return source_ != nullptr; }

 protected:
  ~StopCallback() { detach(); }

  // Runs once, detached, inside request_stop(). It may detach or destroy other callbacks, and schedule frames.
  virtual void on_stop() noexcept = 0;

 private:
  friend class StopSource;
  friend class StopToken;
  // The source that this is the callback of, which is stopped without a call of on_stop().
  virtual StopSource* as_source() noexcept { return nullptr; }

  StopSource* source_ = nullptr;
  StopCallback* previous_;  // these two while it is attached
  StopCallback* next_;
};

// A view of a StopSource, or of nothing (then it never stops). Copies are cheap; the source must outlive them.
class StopToken {
 public:
  StopToken() noexcept = default;
  explicit StopToken(StopSource* source) noexcept : source_(source) {}

  bool stop_requested() const noexcept;
  // Registers `callback`. If a stop has been requested already it is not registered, and the result is false.
  [[nodiscard]] bool attach(StopCallback& callback) const noexcept;

 private:
  StopSource* source_ = nullptr;
};

// The owner's side. A source made with a parent stops when the parent does.
class StopSource final : private StopCallback {
 public:
  StopSource() noexcept = default;
  explicit StopSource(StopToken parent) noexcept { follow(parent); }
  ~StopSource();

  // Stops this source when `parent` stops; at once if it has. A source follows one parent at a time.
  void follow(StopToken parent) noexcept;
  void unfollow() noexcept { detach(); }

  // Runs every callback, latest first, and those of a source that follows this one when its turn comes. A second call does
  // nothing. The stack that it needs does not grow with how deep sources follow each other.
  void request_stop() noexcept;
  bool stop_requested() const noexcept { return requested_; }
  StopToken token() noexcept { return StopToken(this); }

 private:
  friend class StopCallback;
  friend class StopToken;
  void on_stop() noexcept override {}
  StopSource* as_source() noexcept override { return this; }

  StopCallback* first_ = nullptr;
  StopSource* stopped_by_;  // while it runs its callbacks: the one to go on with then, or null
  bool requested_ = false;
};

inline bool StopToken::stop_requested() const noexcept { return source_ != nullptr && source_->requested_; }

inline bool StopToken::attach(StopCallback& callback) const noexcept {
  if (source_ == nullptr) return true;
  if (source_->requested_) return false;
  callback.source_ = source_;
  callback.previous_ = nullptr;
  callback.next_ = source_->first_;
  if (source_->first_ != nullptr) source_->first_->previous_ = &callback;
  source_->first_ = &callback;
  return true;
}

inline void StopCallback::detach() noexcept {
  if (source_ == nullptr) return;
  if (previous_ != nullptr) previous_->next_ = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  if (source_->first_ == this) source_->first_ = next_;
  source_ = nullptr;
}

inline StopSource::~StopSource() {
  while (first_ != nullptr) first_->detach();
}

inline void StopSource::follow(StopToken parent) noexcept {
  detach();
  if (!parent.attach(*this)) request_stop();
}

inline void StopSource::request_stop() noexcept {
  if (requested_) return;
  requested_ = true;
  stopped_by_ = nullptr;
  for (StopSource* source = this; source != nullptr;) {
    StopCallback* const callback = source->first_;
    if (callback == nullptr) {
      source = source->stopped_by_;
      continue;
    }
    callback->detach();
    StopSource* const follower = callback->as_source();
    if (follower == nullptr) {
      callback->on_stop();
    } else if (!follower->requested_) {
      follower->requested_ = true;
      follower->stopped_by_ = source;
      source = follower;
    }
  }
}

}  // namespace wharf::coro
