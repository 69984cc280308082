#include "wharf/runtime/detail/time_left.h"

#include "wharf/coro/dump.h"
#include "wharf/runtime/base/clock.h"

namespace wharf::runtime::detail {

void append_time_left(std::string& text, std::int64_t deadline_ns, std::int64_t now_ns) {
  if (deadline_ns == kNever) return;
  text += ", ";
  text += coro::duration_text(deadline_ns > now_ns ? deadline_ns - now_ns : 0);
  text += " left";
}

}  // namespace wharf::runtime::detail
