// For dumps of tasks: how much of a wait's time is left.
#pragma once

#include <cstdint>
#include <string>

namespace wharf::runtime::detail {

// Appends ", 3 s left", or nothing if the deadline is kNever.
void append_time_left(std::string& text, std::int64_t deadline_ns, std::int64_t now_ns);

}  // namespace wharf::runtime::detail
