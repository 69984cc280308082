// WHARF_CHECK and its kin: what fails here is a bug of this program, so it ends, with both values.
//
//     WHARF_CHECK(thread == owner, "a Reactor was used on another thread than its own");
//     WHARF_CHECK_EQ(sent, header_bytes);      // "check failed: sent == header_bytes (12 vs 32)"
//
// An outcome, however unlikely, is a Status and not a check. Values are evaluated once.
// Threads: any. Cost: a compare and a branch; the rest is out of line.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

namespace wharf::runtime::detail {

// Prints "wharf: <file>:<line>: check failed: <condition>: <message>" to stderr, and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, std::string_view message) noexcept;

// How a failed comparison shows a value.
template <class T>
std::string check_text(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return std::string(std::string_view(value));
  } else if constexpr (std::is_null_pointer_v<T>) {
    return "null";
  } else if constexpr (std::is_pointer_v<T>) {
    return value == nullptr ? "null" : "an address";
  } else {
    return "?";
  }
}

template <class A, class B>
[[noreturn, gnu::cold, gnu::noinline]] void comparison_failed(const char* file, int line, const char* condition,
                                                              const A& a, const B& b) noexcept {
  check_failed(file, line, condition, "(" + check_text(a) + " vs " + check_text(b) + ")");
}

}  // namespace wharf::runtime::detail

#define WHARF_CHECK(condition, message)                                                \
  do {                                                                                 \
    if (!(condition)) [[unlikely]] {                                                   \
      ::wharf::runtime::detail::check_failed(__FILE__, __LINE__, #condition, message); \
    }                                                                                  \
  } while (false)

#define WHARF_CHECK_COMPARISON(a, comparison, b)                                                                \
  do {                                                                                                          \
    const auto& wharf_check_a = (a);                                                                            \
    const auto& wharf_check_b = (b);                                                                            \
    if (!(wharf_check_a comparison wharf_check_b)) [[unlikely]] {                                               \
      ::wharf::runtime::detail::comparison_failed(__FILE__, __LINE__, #a " " #comparison " " #b, wharf_check_a, \
                                                  wharf_check_b);                                               \
    }                                                                                                           \
  } while (false)

#define WHARF_CHECK_EQ(a, b) WHARF_CHECK_COMPARISON(a, ==, b)
#define WHARF_CHECK_NE(a, b) WHARF_CHECK_COMPARISON(a, !=, b)
#define WHARF_CHECK_LT(a, b) WHARF_CHECK_COMPARISON(a, <, b)
#define WHARF_CHECK_LE(a, b) WHARF_CHECK_COMPARISON(a, <=, b)
#define WHARF_CHECK_GT(a, b) WHARF_CHECK_COMPARISON(a, >, b)
#define WHARF_CHECK_GE(a, b) WHARF_CHECK_COMPARISON(a, >=, b)

// Like WHARF_CHECK, where NDEBUG is not defined; otherwise it is compiled and never evaluated.
#ifdef NDEBUG
#define WHARF_DCHECK(condition, message)        \
  do {                                          \
    if (false) WHARF_CHECK(condition, message); \
  } while (false)
#else
#define WHARF_DCHECK(condition, message) WHARF_CHECK(condition, message)
#endif
