// The loads that are counted of the runtime by itself: one task on a reactor that never sleeps. Each is run twice, first to
// warm up.
//
// Threads: the reactor's.
#pragma once

#include <cstdint>
#include <string_view>

#include "wharf/coro/task.h"
#include "wharf/tests/counts/tally.h"

namespace wharf::test {

// Does it once, or `count` times.
using TaskLoad = coro::Task<void> (*)(std::uint64_t count);

// task_await: of a task that is ready · task_yield · task_spawn: into a scope, and joined · timer_set: and cancelled
// Null if there is none of that name.
TaskLoad task_load_of(std::string_view name) noexcept;
inline constexpr const char* kTaskLoadNames = "task_await|task_yield|task_spawn|timer_set";

// What `count` of them cost; each counts as sent.
coro::Task<Tally> run_task_load(TaskLoad load, std::uint64_t count);

}  // namespace wharf::test
