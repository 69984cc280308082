// The one door to Abseil's status types, and the way from an errno to a Status.
//
//     if (int result = sys::bind(fd, address, size); result < 0) {
//       return errno_status(-result, "bind");        // "bind: Address already in use (EADDRINUSE)"
//     }
//
// Public signatures use std types beside these: Debian's absl::string_view is not std::string_view.
// Threads: any.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace wharf {

using Status = absl::Status;
template <class T>
using StatusOr = absl::StatusOr<T>;
using StatusCode = absl::StatusCode;

}  // namespace wharf

namespace wharf::runtime {

// The code that fits `error`, an errno: positive. Beside Abseil's own table: the peer's going
// (EPIPE, ECONNRESET, ENOTCONN, ECONNREFUSED and their kin) is Unavailable; ECANCELED is Cancelled.
StatusCode errno_code(int error) noexcept;

// `error` as text: "Address already in use (EADDRINUSE)".
std::string errno_text(int error);

// "<operation>: <text> (<name>)", and if there is one, "; <remedy>". OK if `error` is 0.
Status errno_status(int error, std::string_view operation, std::string_view remedy = {});

// A Status with a message in a std type: `make_status(StatusCode::kCancelled, "recv: cancelled")`.
Status make_status(StatusCode code, std::string_view message);

}  // namespace wharf::runtime
