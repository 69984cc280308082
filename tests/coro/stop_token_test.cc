#include "wharf/coro/stop_token.h"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace wharf::coro {
namespace {

class Recorder final : public StopCallback {
 public:
  Recorder(std::vector<std::string>& log, std::string name) : log_(log), name_(std::move(name)) {}

 private:
  void on_stop() noexcept override {
    EXPECT_FALSE(attached());
    log_.push_back(name_);
  }
  std::vector<std::string>& log_;
  std::string name_;
};

// Detaches another callback when it is stopped.
class Detacher final : public StopCallback {
 public:
  explicit Detacher(StopCallback& other) : other_(other) {}

 private:
  void on_stop() noexcept override { other_.detach(); }
  StopCallback& other_;
};

TEST(StopTokenTest, OneOfNothingNeverStops) {
  const StopToken token;
  std::vector<std::string> log;
  Recorder a(log, "a");

  EXPECT_TRUE(token.attach(a));
  EXPECT_FALSE(a.attached());
  EXPECT_FALSE(token.stop_requested());
}

TEST(StopTokenTest, CallbacksRunOnceLatestFirst) {
  StopSource source;
  std::vector<std::string> log;
  Recorder a(log, "a");
  Recorder b(log, "b");
  ASSERT_TRUE(source.token().attach(a));
  ASSERT_TRUE(source.token().attach(b));

  source.request_stop();
  source.request_stop();

  EXPECT_TRUE(source.token().stop_requested());
  EXPECT_EQ(log, (std::vector<std::string>{"b", "a"}));
  EXPECT_FALSE(a.attached());
}

TEST(StopTokenTest, AttachAfterTheStopIsRefusedAndRunsNothing) {
  StopSource source;
  std::vector<std::string> log;
  Recorder a(log, "a");
  source.request_stop();

  EXPECT_FALSE(source.token().attach(a));
  EXPECT_FALSE(a.attached());
  EXPECT_TRUE(log.empty());
}

TEST(StopTokenTest, DetachedCallbacksDoNotRun) {
  StopSource source;
  std::vector<std::string> log;
  Recorder first(log, "first");
  Recorder middle(log, "middle");
  Recorder last(log, "last");
  for (Recorder* recorder : {&first, &middle, &last}) {
    ASSERT_TRUE(source.token().attach(*recorder));
  }

  middle.detach();
  middle.detach();
  source.request_stop();

  EXPECT_EQ(log, (std::vector<std::string>{"last", "first"}));
}

TEST(StopTokenTest, ADestroyedCallbackDetachesItself) {
  StopSource source;
  std::vector<std::string> log;
  {
    Recorder a(log, "a");
    ASSERT_TRUE(source.token().attach(a));
  }

  source.request_stop();

  EXPECT_TRUE(log.empty());
}

TEST(StopTokenTest, ACallbackMayDetachAnotherThatHasNotRun) {
  StopSource source;
  std::vector<std::string> log;
  Recorder a(log, "a");
  Detacher detacher(a);
  ASSERT_TRUE(source.token().attach(a));
  ASSERT_TRUE(source.token().attach(detacher));

  source.request_stop();

  EXPECT_TRUE(log.empty());
}

TEST(StopTokenTest, ACallbackOutlivesItsSourceDetached) {
  std::optional<StopSource> source(std::in_place);
  std::vector<std::string> log;
  Recorder a(log, "a");
  ASSERT_TRUE(source->token().attach(a));

  source.reset();

  EXPECT_FALSE(a.attached());
}

TEST(StopTokenTest, AChildSourceStopsWithItsParentAndNotTheOtherWayRound) {
  StopSource parent;
  StopSource first(parent.token());
  StopSource second(parent.token());

  first.request_stop();
  EXPECT_FALSE(parent.stop_requested());
  EXPECT_FALSE(second.stop_requested());

  parent.request_stop();
  EXPECT_TRUE(second.stop_requested());
}

TEST(StopTokenTest, AStopReachesTheCallbacksOfGrandchildren) {
  StopSource parent;
  StopSource child(parent.token());
  StopSource grandchild(child.token());
  std::vector<std::string> log;
  Recorder a(log, "a");
  ASSERT_TRUE(grandchild.token().attach(a));

  parent.request_stop();

  EXPECT_EQ(log, std::vector<std::string>{"a"});
}

TEST(StopTokenTest, CallbacksOfAChildRunWhenItsTurnComes) {
  StopSource parent;
  std::vector<std::string> log;
  Recorder first(log, "first");
  ASSERT_TRUE(parent.token().attach(first));
  StopSource child(parent.token());
  Recorder of_child(log, "of the child");
  ASSERT_TRUE(child.token().attach(of_child));
  StopSource grandchild(child.token());
  Recorder of_grandchild(log, "of the grandchild");
  ASSERT_TRUE(grandchild.token().attach(of_grandchild));
  Recorder last(log, "last");
  ASSERT_TRUE(parent.token().attach(last));

  parent.request_stop();

  EXPECT_EQ(log, (std::vector<std::string>{"last", "of the grandchild", "of the child", "first"}));
}

TEST(StopTokenTest, TheDepthOfANestTakesNoStack) {
  constexpr std::size_t kDepth = 1'000'000;
  std::deque<StopSource> sources(1);
  while (sources.size() < kDepth) sources.emplace_back(sources.back().token());
  std::vector<std::string> log;
  Recorder innermost(log, "innermost");
  ASSERT_TRUE(sources.back().token().attach(innermost));

  sources.front().request_stop();

  EXPECT_EQ(log, std::vector<std::string>{"innermost"});
  EXPECT_TRUE(sources[kDepth / 2].stop_requested());
}

TEST(StopTokenTest, FollowingAStoppedParentStopsAtOnce) {
  StopSource parent;
  parent.request_stop();

  const StopSource child(parent.token());

  EXPECT_TRUE(child.stop_requested());
}

TEST(StopTokenTest, AnUnfollowedParentDoesNotStopTheSource) {
  StopSource parent;
  StopSource child(parent.token());

  child.unfollow();
  parent.request_stop();

  EXPECT_FALSE(child.stop_requested());
}

TEST(StopTokenTest, ASourceFollowsTheParentItWasGivenLast) {
  StopSource first;
  StopSource second;
  StopSource child(first.token());

  child.follow(second.token());
  first.request_stop();
  EXPECT_FALSE(child.stop_requested());

  second.request_stop();
  EXPECT_TRUE(child.stop_requested());
}

}  // namespace
}  // namespace wharf::coro
