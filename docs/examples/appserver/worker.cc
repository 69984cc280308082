#include "wharf/docs/examples/appserver/worker.h"

#include <fcntl.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <utility>

#include "wharf/docs/examples/appserver/protocol.h"
#include "wharf/docs/examples/appserver/target.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/reactor.h"

namespace appserver {

using wharf::Status;
using wharf::StatusOr;
using wharf::coro::Task;
using wharf::ipc::Message;
using wharf::ipc::Port;
namespace sys = wharf::runtime::sys;

Worker::Worker(const WorkerSettings& settings)
    : settings_(settings), slots_(settings.requests_max), building_(settings.arena_bytes_max) {}

Task<Status> Worker::serve(wharf::runtime::UniqueFd link) {
  if (!settings_.root.empty()) {
    const int fd = sys::open(settings_.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) co_return wharf::runtime::errno_status(-fd, "--root " + settings_.root);
    root_.reset(fd);
  }
  const wharf::ipc::PortOptions options = link_options(settings_.socket_only, settings_.arena_bytes_max);
  StatusOr<std::unique_ptr<Port>> port = co_await Port::open(std::move(link), options);
  if (!port.ok()) co_return port.status();
  routes_ = {
      .port = port->get(), .root = root_.get(), .body_bytes_max = settings_.body_bytes_max, .building = &building_};

  wharf::coro::Scope requests;
  while (auto request = co_await (*port)->receive()) {
    Budget::Share slot = slots_.try_take(1);
    if (!slot) slot = co_await slots_.take(1);
    requests.spawn(&Worker::handle, this, std::move(*request), std::move(slot));
  }
  requests.cancel();  // nobody is there to hear an answer
  co_await requests.join();
  co_return wharf::Status();
}

// What leaves a task of the scope would stop all of them; a request that is dropped answers itself with an error.
Task<void> Worker::handle(Message request, [[maybe_unused]] Budget::Share slot) {
  const std::uint32_t type = request.type();
  try {
    if (type == kHttp) {
      co_await handle_http(&request);
    } else if (type == kCounters) {
      co_await report_counters(&request);
    } else {
      Status sent = co_await request.reply_error(absl::UnimplementedError("no such message type"));
      static_cast<void>(sent);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "appserver_worker: a request was dropped: %s\n", error.what());
  }
}

Task<void> Worker::handle_http(Message* message) {
  ++request_count_;
  const auto request = read_request_head(*message);
  if (!request.has_value()) co_return;  // unanswered, it answers itself with an error
  const Request call{
      .method = request->head.method, .path = path_of(request->text), .head_bytes = request->bytes, .message = message};
  Answer answer = co_await answer_request(&routes_, call);

  const ReplyHead head{.status = answer.status,
                       .fields_bytes = static_cast<std::uint16_t>(answer.fields.size()),
                       .content_bytes = answer.content_bytes};
  PlainPart<sizeof(ReplyHead) + kFieldsBytesMax> plain;
  if (!plain.add_head(head) || !plain.add(answer.fields)) co_return;
  const bool text_fits = plain.add(answer.text);
  Message reply(kHttp, plain.bytes());
  if (!text_fits) reply.append(answer.text);
  if (answer.echo) {
    // What came inside the record is borrowed until the reply has gone; blocks just go back.
    reply.append(message->part(0).subspan(request->bytes));
    reply.append_blocks_of(*message);
  } else if (answer.file) {
    reply.attach(std::move(answer.file));
  } else {
    answer.made.append_to(reply);
  }
  Status sent = co_await message->reply(std::move(reply));
  static_cast<void>(sent);  // the router has gone: serve() ends too
}

Task<void> Worker::report_counters(Message* message) {
  const WorkerCounters counters{.port = routes_.port->counters(),
                                .reactor = wharf::runtime::Reactor::current().counters(),
                                .requests = request_count_,
                                .system_calls = sys::counters().total,
                                .open_fds = count_open_fds()};
  const auto payload = std::as_bytes(std::span(&counters, 1));
  Message reply(kCounters, payload);
  Status sent = co_await message->reply(std::move(reply));
  static_cast<void>(sent);
}

}  // namespace appserver
