// Ends the process because of a bug in the program that uses coro/. (runtime/base/check.h is for the folders above.)
#pragma once

namespace wharf::coro::detail {

// Prints "wharf: <what>" to stderr and aborts.
[[noreturn]] void fail(const char* what) noexcept;

}  // namespace wharf::coro::detail
