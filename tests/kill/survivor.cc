#include "wharf/tests/kill/survivor.h"

#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/io.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/kill/script.h"
#include "wharf/tests/kill/script_sides.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {
namespace {

std::uint64_t turn_now() { return runtime::Reactor::current().counters().turns; }

// What one round has seen.
struct Round {
  Received received;
  std::size_t cue_count = 0;     // what the peer says that it has published: lines, or answers
  std::size_t answer_count = 0;  // of the calls that it serves
  std::vector<Status> failures;  // of every wait that failed
  std::uint64_t last_failure_turn = 0;
  std::uint64_t notice_turn = 0;  // in which a task could first know of the death
  bool stopped = false;

  void ended(const Status& status) {
    if (status.ok()) return;
    failures.push_back(status);
    last_failure_turn = turn_now();
  }
};

coro::Task<void> wait_for_answer(ipc::Port& port, Round& round) {
  auto reply = co_await port.call(ipc::Message(kHoldUntilRelease, "hold"));
  round.ended(reply.status());
  // It was refused, and the peer waits for it.
  if (!reply.ok() && port.status().ok()) port.close();
}

coro::Task<void> wait_for_memory(ipc::Port& port, Round& round) {
  auto loan = co_await port.loan(kArenaBytes);
  round.ended(loan.status());
}

coro::Task<void> wait_to_send(ipc::Port& port, Round& round) {
  const std::string payload = pattern(kArenaBytes - 1000);
  Status sent = co_await port.send(ipc::Message(kAside, payload));
  round.ended(sent);
}

coro::Task<void> wait_for_message(ipc::Port& port) {
  auto message = co_await port.receive();
  EXPECT_FALSE(message.has_value()) << "a server sends nothing by itself";
}

// Takes so much of the arena that a loan has to wait; and a large message.
coro::Task<std::optional<ipc::Loan>> fill_arena(ipc::Port& port, Round& round, coro::Scope& scope) {
  std::optional<ipc::Loan> filling;
  if (port.uses_shared_memory()) {
    auto loan = co_await port.loan(kArenaBytes / 2);
    round.ended(loan.status());
    if (loan.ok()) filling = *std::move(loan);
    scope.spawn(wait_for_memory(port, round));
  }
  co_return filling;
}

coro::Task<void> fill_arena_until_the_end(ipc::Port& port, Round& round) {
  coro::Scope waits;
  auto filling = co_await fill_arena(port, round, waits);
  waits.spawn(wait_to_send(port, round));
  bool closed = co_await port.closed();
  EXPECT_TRUE(closed);
  co_await waits.join();
}

// The peer sends. Nothing that waits here ends before the link does, but the call.
coro::Task<void> receive_all(ipc::Port& port, Round& round) {
  coro::Scope waits;
  waits.spawn(wait_for_answer(port, round));
  std::size_t answered_count = 0;
  std::function<void()> on_answer = [&] {
    if (++answered_count == 3) waits.spawn(fill_arena_until_the_end(port, round));
  };
  Status served = co_await serve_script(port, round.received, on_answer);
  round.ended(served);
  port.close();
  co_await waits.join();
}

coro::Task<bool> call(ipc::Port& port, Round& round, ScriptCall type) {
  // Memory has one order: what is to bring it home may not need any itself.
  const std::string payload = pattern(type == kRelease ? 100 : kCallBytes, type);
  auto reply = co_await port.call(ipc::Message(type, payload));
  round.ended(reply.status());
  if (!reply.ok()) co_return false;
  ++round.answer_count;
  const bool whole = reply->to_string() == payload;
  EXPECT_TRUE(whole || (type == kGiveBack && !port.uses_shared_memory()));
  co_return true;
}

coro::Task<void> release(ipc::Port& port, Round& round) {
  bool answered = co_await call(port, round, kRelease);
  if (!answered) port.close();  // the others wait for what it releases
}

// To the first failure.
coro::Task<void> send_and_call(ipc::Port& port, Round& round, coro::Scope& waits) {
  std::function<void(std::size_t)> on_published = [](std::size_t) {};
  Status sent = co_await send_script(port, on_published);
  round.ended(sent);
  if (!sent.ok()) co_return;
  bool answered = co_await call(port, round, kGiveBack);
  if (!answered) co_return;
  answered = co_await call(port, round, kCopyBack);
  if (!answered) co_return;
  auto filling = co_await fill_arena(port, round, waits);
  waits.spawn(release(port, round));
  waits.spawn(wait_to_send(port, round));  // behind it: one order
  co_await next_turn();
  filling.reset();
  co_await waits.join();  // the loan, and the message, go when everything has come home
  if (!round.failures.empty()) co_return;
  sent = co_await port.close_send();
  round.ended(sent);
}

// The peer serves, and holds every block until it is asked to let go.
coro::Task<void> send_all(ipc::Port& port, Round& round) {
  coro::Scope reading;
  reading.spawn(wait_for_message(port));
  coro::Scope waits;
  waits.spawn(wait_for_answer(port, round));
  co_await send_and_call(port, round, waits);
  // Without a death, something was refused: the peer waits for it.
  if (!round.failures.empty() && port.status().ok()) port.close();
  co_await waits.join();
  co_await reading.join();
  port.close();
}

// The peer's words beside the link. If it stops, the bystander does not notice, and it is continued.
coro::Task<void> read_cues(PeerProcess& peer, ipc::Port& bystander, Round& round) {
  bool more = true;
  while (more) {
    const std::optional<char> word = co_await peer.next_cue();
    more = word.has_value();
    if (!more) continue;
    if (*word != kStoppedCue) {
      ++round.cue_count;
      continue;
    }
    round.stopped = true;
    co_await until_stopped(peer.pid());
    const std::string back = co_await ask(bystander, ipc::Message("meanwhile"));
    EXPECT_EQ(back, "meanwhile");
    Status continued = peer.process().send_signal(SIGCONT);
    EXPECT_OK(continued);
  }
}

coro::Task<void> note_turn_of_the_end(runtime::UniqueFd same_socket, Round& round) {
  auto events = co_await runtime::poll(same_socket.get(), POLLRDHUP);
  EXPECT_OK(events.status());
  round.notice_turn = turn_now();
}

// The port's end has one status, and it stays.
coro::Task<void> expect_ended(ipc::Port& port) {
  const Status end = port.status();
  EXPECT_EQ(end.code(), StatusCode::kUnavailable) << end;
  Status sent = co_await port.send(ipc::Message("anybody?"));
  EXPECT_EQ(sent, end);
  auto reply = co_await port.call(ipc::Message("anybody?"));
  EXPECT_EQ(reply.status(), end);
  auto loan = co_await port.loan(100);
  EXPECT_EQ(loan.status(), end);
  auto message = co_await port.receive();
  EXPECT_FALSE(message.has_value());
}

// The peer died with so many lines published for sure, and the next ones at work.
std::size_t published_at_most(std::size_t line_count) {
  while (line_count < kScript.size() && !kScript[line_count].alone) ++line_count;
  return std::min(line_count + 1, kScript.size());
}

void expect_owed(const ipc::Port& port, const Round& round, Role role) {
  for (const Status& failure : round.failures) EXPECT_EQ(failure, port.status());
  // The turn that brings the notice to a task polls the link too, and the next one resumes who waits there. One more,
  // because the kernel tells its two watches of the socket one after the other.
  EXPECT_LE(round.last_failure_turn, round.notice_turn + 2);
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(round.received.wrong, "");
  if (role == Role::kPeerServes) {
    EXPECT_GE(round.answer_count, round.cue_count) << "a published answer was lost";
  } else {
    EXPECT_GE(round.received.line_count, round.cue_count) << "a published line was lost";
    EXPECT_LE(round.received.line_count, published_at_most(round.cue_count)) << "an unpublished line was seen";
  }
  for (const ipc::Message& held : round.received.held) EXPECT_EQ(check_line(held, held.type()), "");
}

// A status says what was being done, or which side ended the link.
void expect_named(const Status& status) {
  const std::string text(status.message());
  for (const char* name : {"send", "receive", "call", "loan", "open port", "port end", "handshake", "create segment",
                           "adopt segment", "payload file", "the peer", "this side", "the request was dropped"}) {
    if (text.starts_with(name)) return;
  }
  ADD_FAILURE() << "names no operation: " << status;
}

}  // namespace

PeerSetup fault_peer(std::string_view name, ipc::PortOptions port) {
  PeerSetup setup = peer_setup(name, port);
  setup.program[std::string_view("ipc_kill_peer").copy(setup.program, sizeof(setup.program) - 1)] = '\0';
  return setup;
}

PeerSetup scripted_peer(Role role, bool shared_memory, const FaultPlan& plan) {
  PeerSetup setup =
      fault_peer(role == Role::kPeerSends ? "scripted_sender" : "scripted_server", script_options(shared_memory));
  setup.argument = plan.encode();
  return setup;
}

coro::Task<Ending> survive(PeerSetup setup, Role role, ipc::Port& bystander) {
  Round round;
  PeerProcess peer(setup);
  coro::Scope watching;
  watching.spawn(read_cues(peer, bystander, round));
  watching.spawn(note_turn_of_the_end(duplicate(peer.link()), round));
  auto opened = co_await ipc::Port::open(peer.take_link(), setup.port);
  if (opened.ok()) {
    ipc::Port& port = **opened;
    if (role == Role::kPeerSends) co_await receive_all(port, round);
    if (role == Role::kPeerServes) co_await send_all(port, round);
    co_await watching.join();
    expect_owed(port, round, role);
    round.received = {};
    EXPECT_EQ(port.counters().arena_used_bytes, 0u);
    co_await expect_ended(port);
  } else {
    EXPECT_EQ(opened.status().code(), StatusCode::kUnavailable) << opened.status();
    co_await watching.join();
  }
  auto ended = co_await peer.process().wait();
  EXPECT_OK(ended.status());
  const bool killed = ended.ok() && ended->signal == SIGKILL;
  if (!killed) {
    EXPECT_TRUE(ended.ok() && ended->success()) << "the peer " << (ended.ok() ? ended->text() : "is lost");
    EXPECT_OK(opened.status());
    EXPECT_TRUE(role == Role::kPeerSends || round.failures.empty()) << round.failures.front();
  }
  if (killed) co_return Ending::kKilled;
  co_return round.stopped ? Ending::kByItselfOnceStopped : Ending::kByItself;
}

coro::Task<bool> survive_failure(Role role, bool shared_memory, FailedCall failed) {
  Round round;
  PeerProcess peer(scripted_peer(role, shared_memory, {}));
  bool fired = false;
  {
    const runtime::sys::FailureInjection failure(failed.nth, failed.error, failed.call);
    auto opened = co_await ipc::Port::open(peer.take_link(), script_options(shared_memory));
    if (opened.ok()) {
      ipc::Port& port = **opened;
      if (role == Role::kPeerSends) co_await receive_all(port, round);
      if (role == Role::kPeerServes) co_await send_all(port, round);
      EXPECT_EQ(round.received.wrong, "");
      round.received = {};
      EXPECT_EQ(port.counters().blocks_lent_now, 0u);
      EXPECT_EQ(port.counters().arena_used_bytes, 0u);
      round.ended(port.status());
    } else {
      round.ended(opened.status());
    }
    fired = failure.fired();
  }
  for (const Status& status : round.failures) expect_named(status);
  if (fired) {
    Status signalled = peer.process().send_signal(SIGKILL);  // unless it has found out
    EXPECT_OK(signalled);
  }
  auto ended = co_await peer.process().wait();
  EXPECT_OK(ended.status());
  EXPECT_TRUE(ended.ok() && ended->signal != SIGALRM) << "the link was stuck";
  EXPECT_TRUE(fired || (ended.ok() && ended->success())) << "without a failure, the script ends";
  co_return fired;
}

coro::Task<void> survive_every_step(Role role, bool shared_memory, FaultPlan plan, void (*next_round)()) {
  PeerProcess other(peer_setup("echo"));
  auto bystander = co_await other.open({});
  CO_ASSERT_TRUE(bystander != nullptr);
  // How many steps there are varies a little, with who sleeps when.
  constexpr int kRoundsBeyondTheEnd = 3;
  std::uint32_t hit_count = 0;
  for (int beyond_count = 0; beyond_count < kRoundsBeyondTheEnd; ++plan.nth) {
    next_round();
    const std::map<int, std::string> fds_before = open_fds();

    const Ending ending = co_await survive(scripted_peer(role, shared_memory, plan), role, *bystander);

    EXPECT_EQ(open_fds(), fds_before);
    const std::string back = co_await ask(*bystander, ipc::Message("after"));
    EXPECT_EQ(back, "after");
    EXPECT_FALSE(::testing::Test::HasFailure()) << "with the peer's fault at step " << plan.nth;
    if (::testing::Test::HasFailure()) co_return;
    beyond_count = ending == Ending::kByItself ? beyond_count + 1 : 0;
    if (ending != Ending::kByItself) ++hit_count;
  }
  std::printf("%u faults, each at another step\n", hit_count);
  EXPECT_GE(hit_count, 5u) << "the script is longer than that";
  bystander.reset();
  co_await other.join();
}

}  // namespace wharf::test
