#include "wharf/runtime/post_gate.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

struct Fates {
  std::atomic<int> ran{0};
  std::atomic<int> dropped{0};
  int inside_drop = 0;  // without a lock of its own: drops come one at a time
};

class Work final : public Posted {
 public:
  explicit Work(Fates& fates) : fates_(fates) {}
  void run() noexcept override {
    ++fates_.ran;
    delete this;
  }
  void drop() noexcept override {
    EXPECT_EQ(++fates_.inside_drop, 1);
    ++fates_.dropped;
    --fates_.inside_drop;
    delete this;
  }

 private:
  Fates& fates_;
};

TEST(PostGateTest, WhatIsPostedRunsOnTheReactorsThread) {
  Fates fates;
  test::Harness harness;
  coro::Event posted;
  std::thread poster([gate = harness.reactor().gate(), &fates, &harness, &posted] {
    for (int i = 0; i < 100; ++i) gate->post(*new Work(fates));
    harness.reactor().post([&posted] { posted.set(); });
  });

  harness.run([](coro::Event& done) -> coro::Task<void> {
    bool set = co_await done.wait();
    EXPECT_TRUE(set);
  }(posted));

  EXPECT_EQ(fates.ran, 100);
  poster.join();
}

TEST(PostGateTest, WhatTheReactorDidNotComeToIsDroppedWithIt) {
  Fates fates;
  {
    test::Harness harness;
    harness.reactor().gate()->post(*new Work(fates));
  }

  EXPECT_EQ(fates.dropped, 1);
}

TEST(PostGateTest, WhatComesAfterTheReactorIsDroppedByItsPoster) {
  Fates fates;
  std::shared_ptr<PostGate> gate;
  {
    test::Harness harness;
    gate = harness.reactor().gate();
  }

  gate->post(*new Work(fates));

  EXPECT_EQ(fates.dropped, 1);
}

// Posts before, during and after the reactor's death: each work has one fate.
TEST(PostGateTest, ManyThreadsMayPostWhileTheReactorDies) {
  constexpr int kThreads = 4;
  constexpr int kWorks = 2000;
  Fates fates;
  std::vector<std::thread> posters;
  std::atomic<int> half_way{0};
  {
    test::Harness harness;
    for (int i = 0; i < kThreads; ++i) {
      posters.emplace_back([gate = harness.reactor().gate(), &fates, &half_way] {
        for (int j = 0; j < kWorks; ++j) {
          gate->post(*new Work(fates));
          if (j == kWorks / 2) ++half_way;
        }
      });
    }
    while (half_way == 0) std::this_thread::yield();
  }
  for (std::thread& poster : posters) poster.join();

  EXPECT_EQ(fates.ran, 0);
  EXPECT_EQ(fates.dropped, kThreads * kWorks);
}

}  // namespace
}  // namespace wharf::runtime
