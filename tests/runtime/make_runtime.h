// A Runtime for a test.
#pragma once

#include <cstdlib>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/runtime/runtime.h"

namespace wharf::test {

inline std::unique_ptr<runtime::Runtime> make_runtime(runtime::RuntimeOptions options) {
  StatusOr<std::unique_ptr<runtime::Runtime>> runtime = runtime::Runtime::create(std::move(options));
  if (!runtime.ok()) {
    ADD_FAILURE() << runtime.status();
    std::abort();
  }
  return *std::move(runtime);
}
inline std::unique_ptr<runtime::Runtime> make_runtime(std::uint32_t reactor_count) {
  return make_runtime({.reactor_count = reactor_count});
}

}  // namespace wharf::test
