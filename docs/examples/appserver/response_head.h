// The head of an HTTP response, as text.
//
// Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <string_view>

namespace appserver {

// The value of a Date field, made once a second.
class HttpDate {
 public:
  // Valid until the next call.
  std::string_view now();

 private:
  std::time_t made_for_ = -1;
  std::array<char, 32> text_;
  std::size_t text_bytes_ = 0;
};

struct ResponseHead {
  std::uint16_t status = 200;
  std::uint64_t content_bytes = 0;
  std::string_view fields;  // "Name: value\r\n" each
  std::string_view date;
  bool keep_alive = true;
  bool say_keep_alive = false;  // an HTTP/1.0 client wants to be told
};

inline constexpr std::size_t kResponseHeadBytesMax = 1024;

// Writes the head and the empty line after it. Fields are at most kFieldsBytesMax long
// (protocol.h).
std::string_view format_head(const ResponseHead& head, std::span<char, kResponseHeadBytesMax> out) noexcept;

// "Not Found".
std::string_view reason_of(std::uint16_t status) noexcept;

}  // namespace appserver
