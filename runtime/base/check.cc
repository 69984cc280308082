#include "wharf/runtime/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace wharf::runtime::detail {

void check_failed(const char* file, int line, const char* condition, std::string_view message) noexcept {
  std::fprintf(stderr, "wharf: %s:%d: check failed: %s: %.*s\n", file, line, condition,
               static_cast<int>(message.size()), message.data());
  std::abort();
}

}  // namespace wharf::runtime::detail
