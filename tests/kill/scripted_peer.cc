// The peers of the kill tests: each takes one side of the script, and dies where it was told to.
#include <unistd.h>

#include <functional>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/ipc/turns.h"
#include "wharf/tests/kill/fault_points.h"
#include "wharf/tests/kill/script.h"
#include "wharf/tests/kill/script_sides.h"

namespace wharf::test {

// Sends the lines, and cues for each that is published; calls; holds a request; gives a loan up; and closes.
WHARF_RAW_PEER(scripted_sender) {
  arm(FaultPlan::decode(peer.argument()));
  auto opened = co_await ipc::Port::open(peer.take_link(), peer.setup().port);
  WANT_OK(opened.status());
  ipc::Port& port = **opened;
  std::size_t cued_count = 0;
  std::function<void(std::size_t)> on_published = [&](std::size_t count) {
    for (; cued_count < count; ++cued_count) peer.cue();
  };
  Status sent = co_await send_script(port, on_published);
  WANT_OK(sent);
  auto request = co_await port.receive();
  WANT(request.has_value() && request->is_request());
  for (const ScriptCall type : {kGiveBack, kCopyBack, kRelease}) {
    const std::string payload = pattern(kCallBytes, type);
    auto reply = co_await port.call(ipc::Message(type, payload));
    WANT_OK(reply.status());
    WANT(type == kGiveBack || reply->to_string() == payload);
  }
  if (port.uses_shared_memory()) {
    auto loan = co_await port.loan(2'000);
    WANT_OK(loan.status());
  }
  sent = co_await request->reply(ipc::Message("held"));
  WANT_OK(sent);
  sent = co_await port.close_send();
  WANT_OK(sent);
  while (auto message = co_await port.receive()) {
  }
  co_return absl::OkStatus();
}

// Receives and answers, cues for each answer that is published, and holds all blocks until it is asked to let go.
WHARF_RAW_PEER(scripted_server) {
  arm(FaultPlan::decode(peer.argument()));
  auto opened = co_await ipc::Port::open(peer.take_link(), peer.setup().port);
  WANT_OK(opened.status());
  Received received;
  std::function<void()> on_answer = [&] { peer.cue(); };
  Status served = co_await serve_script(**opened, received, on_answer);
  WANT_OK(served);
  WANT_EQ(received.wrong, "");
  WANT_EQ(received.line_count, kScript.size());
  co_return absl::OkStatus();
}

// Cued, and when the test sleeps, it sends, and dies where it would have rung.
WHARF_PEER(send_and_die_before_the_ring) {
  bool cued = co_await peer.until_cued();
  WANT(cued);
  wait_until_asleep(::getppid());
  arm({.action = FaultAction::kKill, .steps = FaultSteps::calls(runtime::sys::Call::kWrite)});
  Status sent = co_await peer.port().send(ipc::Message("not rung for"));
  WANT_OK(sent);
  co_await next_turn();
  co_return absl::InternalError("it did not ring");
}

// Opens a second port on the link that comes with its first request, answers there, and waits for its end.
WHARF_PEER(two_links) {
  auto request = co_await peer.port().receive();
  WANT(request.has_value());
  auto second = co_await ipc::Port::open(request->take_fd(0), peer.setup().port);
  WANT_OK(second.status());
  Status sent = co_await (*second)->send(ipc::Message("second"));
  WANT_OK(sent);
  auto end = co_await peer.port().receive();
  WANT(!end.has_value());
  co_return absl::OkStatus();
}

}  // namespace wharf::test
