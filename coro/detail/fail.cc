#include "wharf/coro/detail/fail.h"

#include <cstdio>
#include <cstdlib>

namespace wharf::coro::detail {

void fail(const char* what) noexcept {
  std::fprintf(stderr, "wharf: %s\n", what);
  std::abort();
}

}  // namespace wharf::coro::detail
