// Ref<T>: a counted reference to an object that several holders on one thread keep alive.
//
// Threads: one reactor's; the count is not atomic.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

namespace wharf::shm {

// Base of what a Ref can hold; starts with no holder.
class RefCounted {
 public:
  RefCounted() noexcept = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

 protected:
  ~RefCounted() = default;

 private:
  template <class>
  friend class Ref;
  std::uint32_t ref_count_ = 0;
};

template <class T>
class Ref {
 public:
  Ref() noexcept = default;
  explicit Ref(T* object) noexcept : object_(object) { acquire(); }
  Ref(const Ref& other) noexcept : object_(other.object_) { acquire(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() { reset(); }

  void reset() noexcept {
    T* object = std::exchange(object_, nullptr);
    if (object == nullptr) return;
    RefCounted& counted = *object;
    if (--counted.ref_count_ == 0) delete object;
  }

  // For holders that cannot see T: the count goes along.
  [[nodiscard]] T* leak() noexcept { return std::exchange(object_, nullptr); }
  [[nodiscard]] static Ref adopt(T* object) noexcept {
    Ref ref;
    ref.object_ = object;
    return ref;
  }

  T* get() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  T* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  void acquire() noexcept {
    if (object_ == nullptr) return;
    RefCounted& counted = *object_;
    ++counted.ref_count_;
  }
  T* object_ = nullptr;
};

}  // namespace wharf::shm
