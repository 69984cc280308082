// A question that a child of fork() answers, with the memory and the descriptors that it has from this process.
//
//     EXPECT_TRUE(in_a_child([&] { return !is_open(fd); }));
//
// Threads: any; the child has that one alone.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace wharf::test {

// ThreadSanitizer ends a child that starts a thread, if its parent had several.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kChildMayStartThreads = false;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool kChildMayStartThreads = false;
#else
inline constexpr bool kChildMayStartThreads = true;
#endif
#else
inline constexpr bool kChildMayStartThreads = true;
#endif

// False too if an expectation failed in the child, or if the child did not come to the end of it.
template <class Question>
bool in_a_child(Question holds) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);  // an alarm of the parent's is not the child's
    ::_exit(holds() && !::testing::Test::HasFailure() ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace wharf::test
