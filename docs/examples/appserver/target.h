// The target of a request: its path, and what percent signs in it stand for.
//
// Threads: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace appserver {

// The path of "/a/b?c", of "http://host/a/b", or of "*": a part of `target`.
std::string_view path_of(std::string_view target) noexcept;

// "a%20b" as "a b". Nothing if a percent sign is not followed by two hexadecimal digits, or the
// result holds a NUL.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace appserver
