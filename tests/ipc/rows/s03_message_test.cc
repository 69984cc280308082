// S3: what a message carries. S12: whose the descriptors are afterwards.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timeout.h"
#include "wharf/shm/format.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {
namespace {

coro::Task<void> send_sixteen(ipc::Port& port, PeerEnd& /*peer*/) {
  for (std::size_t count = 1; count <= shm::kFdCountMax; ++count) {
    ipc::Message request(7, "with files");
    for (std::size_t i = 0; i < count; ++i) request.attach(numbered_file(100 * count + i));

    auto reply = co_await port.call(std::move(request));

    CO_ASSERT_OK(reply.status());
    CO_ASSERT_EQ(reply->fd_count(), count);
    for (std::size_t i = 0; i < count; ++i) {
      runtime::UniqueFd file = reply->take_fd(i);
      EXPECT_EQ(number_in(file), 100 * count + i);
      EXPECT_TRUE(is_close_on_exec(file.get()));
      EXPECT_FALSE(reply->take_fd(i)) << "taken twice";
    }
    EXPECT_EQ(reply->to_string(), "with files");
  }
}

TEST_P(PlaceRowTest, S3_UpToSixteenDescriptorsArriveInOrderAndCloseOnExec) { run(setup("echo"), send_sixteen); }

coro::Task<void> send_seventeen(ipc::Port& port, PeerEnd& /*peer*/) {
  std::vector<Tracer> tracers(shm::kFdCountMax + 1);
  ipc::Message message("too many");
  for (Tracer& tracer : tracers) message.attach(tracer.take());

  Status sent = co_await port.send(std::move(message));

  EXPECT_EQ(sent.code(), StatusCode::kInvalidArgument);
  for (Tracer& tracer : tracers) EXPECT_TRUE(tracer.closed_everywhere());
  std::string back = co_await ask(port, ipc::Message("still usable"));
  EXPECT_EQ(back, "still usable");
  EXPECT_EQ(port.counters().messages_sent, 1u);
}

TEST_P(PlaceRowTest, S3_SeventeenDescriptorsAreRefusedAndClosed) { run(setup("echo"), send_seventeen); }

coro::Task<void> gather(ipc::Port& port, PeerEnd& /*peer*/) {
  for (const std::size_t span_bytes : {1, 3, 40, 700, 5000}) {
    for (const std::size_t span_count : {2, 7, 64, 300}) {
      std::vector<std::string> spans;
      std::string whole;
      for (std::size_t i = 0; i < span_count; ++i) {
        spans.push_back(pattern(i % 5 == 4 ? 0 : span_bytes, i));
        whole += spans.back();
      }
      ipc::Message request(3);
      for (const std::string& span : spans) request.append(span);
      EXPECT_EQ(request.size_bytes(), whole.size());

      std::string back = co_await ask(port, std::move(request));

      EXPECT_EQ(back, whole) << span_count << " spans of " << span_bytes;
    }
  }
}

TEST_P(PlaceRowTest, S3_ManySpansArriveAsOnePayload) { run(setup("echo"), gather); }

coro::Task<void> send_header(ipc::Port& port, PeerEnd& /*peer*/) {
  const std::int64_t soon_ns = runtime::Reactor::current().now_ns() + 1'000'000'000'000;
  ipc::Message request(UINT32_MAX, "12345");

  std::string answer = co_await ask(port, std::move(request));
  auto description = value_of<Description>(answer);
  EXPECT_EQ(description.type, UINT32_MAX);
  EXPECT_EQ(description.size_bytes, 5u);
  EXPECT_EQ(description.deadline_ns, 0);

  ipc::Message urgent(0, "1");
  urgent.set_deadline_ns(soon_ns);
  answer = co_await ask(port, std::move(urgent));
  EXPECT_EQ(value_of<Description>(answer).deadline_ns, soon_ns);

  auto reply = co_await port.call(ipc::Message("2"), {.deadline_ns = soon_ns});
  CO_ASSERT_OK(reply.status());
  EXPECT_EQ(value_of<Description>(reply->to_string()).deadline_ns, soon_ns) << "a call's budget travels";
}

// What a task that was given until `soon_ns` asks, and with which deadlines it arrives.
coro::Task<Status> ask_in_time(ipc::Port& port, std::int64_t soon_ns) {
  const auto arrives_with = [](const ipc::Message& reply) {
    return value_of<Description>(reply.to_string()).deadline_ns;
  };
  auto reply = co_await port.call(ipc::Message("1"));
  if (!reply.ok()) co_return reply.status();
  EXPECT_EQ(arrives_with(*reply), soon_ns);

  reply = co_await port.call(ipc::Message("2"), {.deadline_ns = soon_ns + 1});
  if (!reply.ok()) co_return reply.status();
  EXPECT_EQ(arrives_with(*reply), soon_ns) << "its own is later";

  reply = co_await port.call(ipc::Message("3"), {.deadline_ns = soon_ns - 1});
  if (!reply.ok()) co_return reply.status();
  EXPECT_EQ(arrives_with(*reply), soon_ns - 1) << "its own is earlier";

  auto call = co_await port.start_call(ipc::Message("4"));
  if (!call.ok()) co_return call.status();
  reply = co_await call->next_reply();
  if (!reply.ok()) co_return reply.status();
  EXPECT_EQ(arrives_with(*reply), soon_ns);
  co_return absl::OkStatus();
}

coro::Task<void> send_in_time(ipc::Port& port, PeerEnd& /*peer*/) {
  const std::int64_t soon_ns = runtime::Reactor::current().now_ns() + 1'000'000'000'000;
  CO_ASSERT_OK(co_await runtime::with_deadline(soon_ns, ask_in_time(port, soon_ns)));
}

TEST_P(PlaceRowTest, S3_TheTimeThatATaskWasGivenTravelsWithItsCalls) { run(setup("describe"), send_in_time); }

TEST_P(PlaceRowTest, S3_TypeAndDeadlineTravelInTheHeader) { run(setup("describe"), send_header); }

// Each way for a message to end: its descriptors are closed, and what took their numbers since is not.
coro::Task<void> end_on_every_path(ipc::Port& port, PeerEnd& peer) {
  Tracer unsent;
  Tracer refused;
  Tracer received;
  Tracer unread;
  Tracer after_the_end;

  {
    ipc::Message message(0, "never sent");
    message.attach(unsent.take());
  }
  EXPECT_TRUE(unsent.closed_everywhere());

  Status sent = co_await port.send(std::move(ipc::Message("kept by the peer").attach(received.take())));
  EXPECT_OK(sent);
  EXPECT_FALSE(received.closed_everywhere()) << "it is the peer's, or on its way";
  runtime::UniqueFd reused = numbered_file(1);  // has the number that was sent

  const std::string too_much(20'000, 'x');
  sent = co_await port.send(std::move(ipc::Message(too_much).attach(refused.take())));
  EXPECT_EQ(sent.code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(refused.closed_everywhere());
  runtime::UniqueFd reused_too = numbered_file(2);

  std::string count = co_await ask(port, ipc::Message("let go"));
  EXPECT_EQ(value_of<std::uint64_t>(count), 1u);
  co_await received.until_closed_everywhere();

  Status last = co_await port.send(std::move(ipc::Message("unread").attach(unread.take())));
  EXPECT_OK(last);
  port.close();
  sent = co_await port.send(std::move(ipc::Message("late").attach(after_the_end.take())));
  EXPECT_EQ(sent.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(after_the_end.closed_everywhere());
  co_await peer.join();
  co_await unread.until_closed_everywhere();

  EXPECT_EQ(number_in(reused), 1u);
  EXPECT_EQ(number_in(reused_too), 2u);
}

TEST_P(PlaceRowTest, S3_DescriptorsAreClosedExactlyOnceOnEveryPath) {
  ipc::PortOptions options;
  options.message_bytes_max = 10'000;

  run(setup("hold", options), end_on_every_path);
}

coro::Task<void> keep_a_duplicate(ipc::Port& port, PeerEnd& /*peer*/) {
  runtime::UniqueFd kept = numbered_file(42);
  runtime::UniqueFd given = duplicate(kept);
  const int given_number = given.get();

  auto reply = co_await port.call(std::move(ipc::Message("take it").attach(std::move(given))));

  CO_ASSERT_OK(reply.status());
  runtime::UniqueFd back = reply->take_fd(0);
  EXPECT_TRUE(same_file(back, kept));
  EXPECT_TRUE(back.get() == given_number || !is_open(given_number)) << "the sender's is closed";
  EXPECT_EQ(number_in(kept), 42u);
}

TEST_P(PlaceRowTest, S12_DescriptorsAreOursToCloseAndADuplicateStays) { run(setup("echo"), keep_a_duplicate); }

}  // namespace
}  // namespace wharf::test
