#include "wharf/runtime/process_output.h"

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/processes.h"
#include "wharf/tests/runtime/stopped.h"

namespace wharf::runtime {
namespace {

using test::Harness;
using test::shell;
using Result = StatusOr<ProcessOutput>;

void expect_no_child() {
  EXPECT_EQ(::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(ProcessOutputTest, WhatItSaysAndHowItEndsAreGiven) {
  Harness harness;
  const Result result = harness.run(run_process(shell("cat; echo oops >&2; exit 3"), "quay"));

  EXPECT_EQ(result->output, "quay");
  EXPECT_EQ(result->errors, "oops\n");
  EXPECT_EQ(result->status.code, 3);
}

TEST(ProcessOutputTest, MoreThanPipesHoldGoesThereAndBack) {
  Harness harness;
  const std::string input(700'000, 'q');
  const Result result = harness.run(run_process(shell("cat"), input));

  EXPECT_TRUE(result->output == input);
}

TEST(ProcessOutputTest, AChildThatReadsNothingIsNoError) {
  Harness harness;
  const Result result = harness.run(run_process(shell("exec <&-; echo done"), std::string(700'000, 'q')));

  EXPECT_EQ(result->output, "done\n");
}

TEST(ProcessOutputTest, AChildThatSaysTooMuchIsKilled) {
  Harness harness;
  const Result result = harness.run(run_process(shell("exec cat /dev/zero"), "", 100'000));

  EXPECT_EQ(result.status().code(), StatusCode::kResourceExhausted);
  expect_no_child();
}

TEST(ProcessOutputTest, ExactlyTheLimitIsNotTooMuch) {
  Harness harness;

  EXPECT_EQ(harness.run(run_process(shell("printf 12345"), "", 5))->output, "12345");
  EXPECT_FALSE(harness.run(run_process(shell("printf 123456"), "", 5)).ok());
  EXPECT_EQ(harness.run(run_process(shell("printf 12345"), "", SIZE_MAX))->output, "12345");
}

TEST(ProcessOutputTest, ADeadlineKillsTheChild) {
  Harness harness;
  const std::int64_t deadline = harness.reactor().now_ns() + 2'000'000;
  const Result result = harness.run(run_process(shell("exec sleep 1000"), "", 1000, {.deadline_ns = deadline}));

  EXPECT_EQ(result.status().code(), StatusCode::kDeadlineExceeded);
  expect_no_child();
}

TEST(ProcessOutputTest, AStopKillsTheChild) {
  Harness harness;

  EXPECT_EQ(harness.run(test::stopped(run_process(shell("exec sleep 1000")))).status().code(), StatusCode::kCancelled);
  expect_no_child();
}

TEST(ProcessOutputTest, AProgramThatIsNotThereIsAnErrorAndLeavesNothingOpen) {
  const std::size_t before = test::open_fd_count();
  {
    Harness harness;
    EXPECT_EQ(harness.run(run_process(SpawnOptions("/no/such"))).status().code(), StatusCode::kNotFound);
  }
  EXPECT_EQ(test::open_fd_count(), before);
}

}  // namespace
}  // namespace wharf::runtime
