// dump_tasks: every task of an executor, as text, for a person who wants to know what a program waits for.
//
//     task 1: waits for 1.25 s: recv fd 7, deadline in 3 s
//       serve(int)  server.cc:42
//         read_request(int)  request.cc:17
//     task 2: ready
//       sweep()  server.cc:77
//
// A task is what was spawned, or given to run(); below it the frames of its await chain, each with the line at which it
// awaits the next. What a task runs side by side (when_all, with_timeout, a scope that it joins) stands under it as
// tasks of their own. `ready` is a task that goes on in this turn or the next; `runs` is the one that makes the dump, and any
// that waits without saying so (trace.h).
//
// Times are the executor's clock's, which a reactor looks at once in a while: to a few turns.
//
// Threads: the executor's; from others post it to the reactor. A debugger may read what a dump reads.
// Cost:    looks at every task; allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <source_location>
#include <string>
#include <string_view>

namespace wharf::coro {

class Executor;

// Ends with a newline. One line that says so if there are no tasks, or if the build has no task_trace.
std::string dump_tasks(const Executor& executor);
// The same, to a file: in one write, so that lines of others do not come between.
void dump_tasks(const Executor& executor, std::FILE* file);

// The function of a source_location, without its type, and without what g++ 12 adds inside coroutines:
// "Task<void> serve(int)" and "void serve(serve(int)::_Z5servei.Frame*)" are serve(int).
std::string function_of(std::string_view name);

// "server/main.cc:42"; a file that a build in another folder names "../server/main.cc" is server/main.cc.
std::string place_of(const std::source_location& site);

// A duration for people: "820 us", "12.5 ms", "3 s".
std::string duration_text(std::int64_t duration_ns);

}  // namespace wharf::coro
