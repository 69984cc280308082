// The shapes of co_await that docs/pitfalls.md promises to be safe, with objects that notice a compiler's mistake.

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/co_invoke.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/coro/when_all.h"
#include "wharf/tests/compiler/fake_port.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::test {
namespace {

using coro::Task;

// The parameter: whether the awaiters suspend.
class AwaitShapesTest : public ::testing::TestWithParam<bool> {
 protected:
  // Puts `count` messages into the port.
  void fill(int count) {
    auto sends = [](FakePort& port, Register& all, int n) -> Task<void> {
      for (int i = 0; i < n; ++i) {
        Message next(all, std::to_string(i));
        co_await port.send(std::move(next));
      }
    };
    loop_.run(sends(port_, all_, count));
  }
  // Something was made, and nothing but `count` messages in the port is left of it.
  void expect_only_queued(std::size_t count) {
    EXPECT_GT(all_.constructed_count(), 0U);
    EXPECT_EQ(port_.queued_count(), count);
    EXPECT_EQ(all_.alive_count(), count);
    EXPECT_EQ(all_.open_count(), count);
  }

  Register all_;
  Loop loop_;
  FakePort port_{all_, GetParam()};
};

Task<std::string> echo(Message message) {
  co_await coro::yield();
  co_return message.body();
}

Task<Message> pass(Message message) { co_return message; }

// Functions, because g++ 12 treats the body of a lambda differently (PR 106188).
Task<void> drain(FakePort& port, int& count) {
  while (auto m = co_await port.receive()) count += m->owns_fd() ? 1 : 0;
}

Task<void> count_if_sent(FakePort& port, Register& all, int& count) {
  if (auto outcome = co_await port.send(Message(all, "a")); outcome == Outcome::kOk) ++count;
}

std::size_t length(Message message) { return message.body().size(); }

TEST_P(AwaitShapesTest, SendOfATemporary) {
  auto body = [](FakePort& port, Register& all) -> Task<void> {
    co_await port.send(Message(all, "a"));
    co_await port.send(Message(all, "b"));
  };

  loop_.run(body(port_, all_));

  expect_only_queued(2);
}

TEST_P(AwaitShapesTest, SendOfANamedMessage) {
  auto body = [](FakePort& port, Register& all) -> Task<void> {
    Message named(all, "a");
    const Outcome outcome = co_await port.send(std::move(named));
    CO_ASSERT_EQ(outcome, Outcome::kOk);
    CO_ASSERT_FALSE(named.owns_fd());
  };

  loop_.run(body(port_, all_));

  expect_only_queued(1);
}

TEST_P(AwaitShapesTest, WhileReceive) {
  fill(3);
  auto body = [](FakePort& port) -> Task<int> {
    int count = 0;
    while (auto m = co_await port.receive()) count += m->owns_fd() ? 1 : 0;
    co_return count;
  };

  EXPECT_EQ(loop_.run(body(port_)), 3);

  expect_only_queued(0);
}

TEST_P(AwaitShapesTest, WhileReceiveAsTheWholeBody) {
  fill(3);
  int count = 0;

  loop_.run(drain(port_, count));

  EXPECT_EQ(count, 3);
  expect_only_queued(0);
}

TEST_P(AwaitShapesTest, IfWithInitialiserAsTheWholeBody) {
  int count = 0;

  loop_.run(count_if_sent(port_, all_, count));

  EXPECT_EQ(count, 1);
  expect_only_queued(1);
}

TEST_P(AwaitShapesTest, IfWithInitialiser) {
  auto body = [](FakePort& port, Register& all) -> Task<int> {
    if (auto r = co_await port.send(Message(all, "a")); r != Outcome::kOk) co_return 1;
    port.close();
    if (auto r = co_await port.send(Message(all, "b")); r != Outcome::kOk) co_return 2;
    co_return 3;
  };

  EXPECT_EQ(loop_.run(body(port_, all_)), 2);

  expect_only_queued(1);
}

TEST_P(AwaitShapesTest, AwaitAsAnArgument) {
  auto body = [](FakePort& port, Register& all) -> Task<std::size_t> {
    const std::size_t n = length(co_await port.call(Message(all, "abc")));
    co_return n;
  };

  EXPECT_EQ(loop_.run(body(port_, all_)), 7U);

  expect_only_queued(0);
}

TEST_P(AwaitShapesTest, SendOfAnAwaitedMessage) {
  auto body = [](FakePort& port, Register& all) -> Task<void> {
    co_await port.send(co_await pass(Message(all, "abc")));
    co_await port.send(co_await port.call(Message(all, "abc")));
  };

  loop_.run(body(port_, all_));

  expect_only_queued(2);
}

TEST_P(AwaitShapesTest, TwoAwaitsInOneExpression) {
  auto body = [](FakePort& port, Register& all) -> Task<std::string> {
    std::string text =
        (co_await port.call(Message(all, "a"))).body() + ", " + (co_await port.call(Message(all, "b"))).body();
    co_return text;
  };

  EXPECT_EQ(loop_.run(body(port_, all_)), "re: a, re: b");

  expect_only_queued(0);
}

TEST_P(AwaitShapesTest, ConditionalOperatorOnTrivialResults) {
  auto body = [](FakePort& port, Register& all, bool first) -> Task<Outcome> {
    const Outcome outcome = first ? co_await port.send(Message(all, "a")) : co_await port.send(Message(all, "b"));
    co_return outcome;
  };

  EXPECT_EQ(loop_.run(body(port_, all_, true)), Outcome::kOk);
  EXPECT_EQ(loop_.run(body(port_, all_, false)), Outcome::kOk);

  expect_only_queued(2);
}

TEST_P(AwaitShapesTest, LogicalAnd) {
  auto body = [](FakePort& port, Register& all, bool wanted) -> Task<bool> {
    const bool sent = wanted && co_await port.send(Message(all, "a")) == Outcome::kOk;
    co_return sent;
  };

  EXPECT_FALSE(loop_.run(body(port_, all_, false)));
  EXPECT_TRUE(loop_.run(body(port_, all_, true)));

  expect_only_queued(1);
}

TEST_P(AwaitShapesTest, ForLoop) {
  fill(3);
  auto body = [](FakePort& port) -> Task<std::string> {
    std::string bodies;
    for (auto m = co_await port.receive(); m.has_value(); m = co_await port.receive()) {
      bodies += m->body();
    }
    co_return bodies;
  };

  EXPECT_EQ(loop_.run(body(port_)), "012");

  expect_only_queued(0);
}

TEST_P(AwaitShapesTest, ReturnOfAnAwait) {
  auto body = [](FakePort& port, Register& all) -> Task<Message> { co_return co_await port.call(Message(all, "a")); };

  EXPECT_EQ(loop_.run(body(port_, all_)).body(), "re: a");

  expect_only_queued(0);
}

TEST_P(AwaitShapesTest, TrivialOptionsInBraces) {
  auto body = [](FakePort& port, Register& all) -> Task<void> {
    co_await port.send(Message(all, "a"), {.timeout = 3});
    co_await port.send(Message(all, "b"), {.timeout = 4, .priority = 1});
  };

  loop_.run(body(port_, all_));

  EXPECT_EQ(port_.timeouts(), 7);
  expect_only_queued(2);
}

TEST_P(AwaitShapesTest, DiscardedReply) {
  auto body = [](FakePort& port, Register& all) -> Task<void> {
    co_await port.call(Message(all, "a"));
    static_cast<void>(co_await port.receive());
  };

  loop_.run(body(port_, all_));

  expect_only_queued(0);
}

TEST_P(AwaitShapesTest, TaskWithAMessageParameter) {
  auto body = [](Register& all) -> Task<std::string> { co_return co_await echo(Message(all, "a")); };

  EXPECT_EQ(loop_.run(body(all_)), "a");

  expect_only_queued(0);
}

TEST_P(AwaitShapesTest, TasksInACombinator) {
  auto body = [](Register& all) -> Task<std::string> {
    auto [a, b] = co_await coro::when_all(echo(Message(all, "a")), pass(Message(all, "b")));
    co_return a + b.body();
  };

  EXPECT_EQ(loop_.run(body(all_)), "ab");

  expect_only_queued(0);
}

TEST_P(AwaitShapesTest, SpawnWithAMessage) {
  auto body = [](FakePort& port, Register& all) -> Task<void> {
    co_await coro::with_scope([&](coro::Scope& scope) -> Task<void> {
      scope.spawn([](FakePort& to, Message m) -> Task<void> { co_await to.send(std::move(m)); }, std::ref(port),
                  Message(all, "a"));
      co_return;
    });
  };

  loop_.run(body(port_, all_));

  expect_only_queued(1);
}

TEST_P(AwaitShapesTest, BodyOfAScopeThatIsNamed) {
  auto body = [](FakePort& port, Register& all) -> Task<void> {
    auto sends = [&port, m = Message(all, "a")](coro::Scope&) mutable -> Task<void> {
      co_await port.send(std::move(m));
    };
    co_await coro::with_scope(std::ref(sends));
  };

  loop_.run(body(port_, all_));

  expect_only_queued(1);
}

TEST_P(AwaitShapesTest, TaskOfCoInvokeThatIsNamed) {
  auto body = [](FakePort& port, Register& all) -> Task<void> {
    auto sends =
        coro::co_invoke([&port, m = Message(all, "a")]() mutable -> Task<void> { co_await port.send(std::move(m)); });
    co_await std::move(sends);
  };

  loop_.run(body(port_, all_));

  expect_only_queued(1);
}

TEST_P(AwaitShapesTest, ExceptionBehindATemporary) {
  auto throws = [](Message) -> Task<Message> {
    co_await coro::yield();
    throw std::runtime_error("adrift");
  };
  auto body = [&](FakePort& port, Register& all) -> Task<void> {
    co_await port.send(co_await throws(Message(all, "a")));
  };

  EXPECT_THROW(loop_.run(body(port_, all_)), std::runtime_error);

  expect_only_queued(0);
}

// g++ 12 compiles these wrongly, and docs/pitfalls.md has the rules that avoid them.
#ifdef __clang__
// PR 106188, 106713: a function, not a lambda, that declares no variable at its top level and tests what it awaits.
Task<void> count_one(FakePort& port, int& count) {
  if ((co_await port.receive()).has_value()) ++count;
}

Task<void> count_all(FakePort& port, int& count) {
  while ((co_await port.receive()).has_value()) ++count;
}

TEST_P(AwaitShapesTest, TestedAwaitWithoutAVariable) {
  fill(2);
  int count = 0;

  loop_.run(count_one(port_, count));
  loop_.run(count_all(port_, count));

  EXPECT_EQ(count, 2);
  expect_only_queued(0);
}

// The result of `?:` is copied bit by bit.
TEST_P(AwaitShapesTest, ConditionalOperatorOnResultsThatHaveADestructor) {
  auto body = [](FakePort& port, Register& all, bool first) -> Task<std::string> {
    const Message reply = first ? co_await port.call(Message(all, "a")) : co_await port.call(Message(all, "b"));
    co_return reply.body();
  };

  EXPECT_EQ(loop_.run(body(port_, all_, true)), "re: a");
  EXPECT_EQ(loop_.run(body(port_, all_, false)), "re: b");

  expect_only_queued(0);
}

// PR 99576 and its kin: an aggregate with a member that has a destructor, built in the awaited expression.
TEST_P(AwaitShapesTest, AggregateWithADestructorInBraces) {
  auto body = [](FakePort& port, Register& all) -> Task<void> {
    co_await port.send_parcel({.priority = 1, .message = Message(all, "a")});
  };

  loop_.run(body(port_, all_));

  expect_only_queued(1);
}

// The same, of a lambda that captures such a thing. with_scope does not take it from g++ 12.
TEST_P(AwaitShapesTest, LambdaThatCapturesWhatHasADestructor) {
  auto body = [](FakePort& port, Register& all) -> Task<void> {
    co_await coro::with_scope(
        [&port, m = Message(all, "a")](coro::Scope&) mutable -> Task<void> { co_await port.send(std::move(m)); });
    co_await coro::co_invoke(
        [&port, m = Message(all, "b")]() mutable -> Task<void> { co_await port.send(std::move(m)); });
  };

  loop_.run(body(port_, all_));

  expect_only_queued(2);
}
#endif

INSTANTIATE_TEST_SUITE_P(Awaits, AwaitShapesTest, ::testing::Bool(), [](const auto& awaits) {
  return awaits.param ? std::string("ThatSuspend") : std::string("ThatDoNot");
});

}  // namespace
}  // namespace wharf::test
