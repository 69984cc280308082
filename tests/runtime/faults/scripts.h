// Scripts: what a program does with the public API, from a fresh start to a clean end. Each is tried with every fault that it
// can meet.
//
// Threads: the reactor's.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"

namespace wharf::test {

struct Script {
  const char* name;
  // Gives OK, or the Status of what failed; `directory` is an empty one of its own. May throw std::bad_alloc.
  coro::Task<Status> (*run)(std::string directory);
};

// A table for each of scripts_net.cc, scripts_files.cc, scripts_tasks.cc and scripts_waits.cc.
std::span<const Script> net_scripts() noexcept;
std::span<const Script> file_scripts() noexcept;
std::span<const Script> task_scripts() noexcept;
std::span<const Script> wait_scripts() noexcept;
// All of these.
std::vector<Script> all_scripts();
// For want of memory alone: scripts_runtime.cc.
std::span<const Script> runtime_scripts() noexcept;

// What a script's own check says.
inline Status expect(bool condition, const char* what) {
  return condition ? absl::OkStatus() : runtime::make_status(StatusCode::kInternal, std::string("script: ") + what);
}

// Runs both side by side; the first that fails stops the other one.
coro::Task<Status> beside(coro::Task<Status> left, coro::Task<Status> right);

}  // namespace wharf::test
