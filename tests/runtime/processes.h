// Children for tests.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/runtime/process.h"

namespace wharf::test {

inline runtime::SpawnOptions shell(std::string script) {
  runtime::SpawnOptions options("/bin/sh");
  options.arguments = {"sh", "-c", std::move(script)};
  return options;
}

inline std::unique_ptr<runtime::Process> spawn(const runtime::SpawnOptions& options) {
  StatusOr<std::unique_ptr<runtime::Process>> child = runtime::Process::spawn(options);
  EXPECT_TRUE(child.ok()) << child.status();
  return *std::move(child);
}

}  // namespace wharf::test
