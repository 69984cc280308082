#include "wharf/coro/stop_token.h"

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
