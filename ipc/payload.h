// decode_payload(): the payload of a message as a value.
//
// Threads: the port's reactor.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>

#include "absl/container/inlined_vector.h"

#include "wharf/ipc/message.h"
#include "wharf/runtime/base/status.h"

namespace wharf::ipc {

// A type that reads itself from bytes, of which there may be any number.
template <class T>
concept Decodable = requires(std::span<const std::byte> bytes) {
  { T::decode(bytes) } -> std::same_as<StatusOr<T>>;
};

namespace detail {

inline Status payload_error(const Message& message, const std::string& what) {
  return runtime::make_status(StatusCode::kInvalidArgument, "type " + std::to_string(message.type()) + ": " + what);
}

}  // namespace detail

// A T that has `static StatusOr<T> decode(std::span<const std::byte>)` is what that makes of the payload; any other must be
// trivially copyable, and is the payload's bytes. Both work on a copy, which the peer cannot change. The peer chose the
// bytes: a T should have no bool, enum or pointer in it that is believed.
//
// Errors: InvalidArgument names the message's type, and the sizes or what decode() said
template <class T>
StatusOr<T> decode_payload(const Message& message) {
  const std::size_t bytes = message.size_bytes();
  if constexpr (Decodable<T>) {
    absl::InlinedVector<std::byte, 256> copy(bytes);
    message.copy_out(copy);
    StatusOr<T> decoded = T::decode(std::span<const std::byte>(copy));
    if (decoded.ok()) return decoded;
    return detail::payload_error(message, std::string(decoded.status().message()));
  } else {
    static_assert(std::is_trivially_copyable_v<T>, "a payload is trivially copyable, or has a static decode()");
    if (bytes != sizeof(T)) {
      return detail::payload_error(
          message, std::to_string(bytes) + " bytes of payload, and " + std::to_string(sizeof(T)) + " are wanted");
    }
    T value{};
    message.copy_out(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }
}

}  // namespace wharf::ipc
