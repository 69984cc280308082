#include "wharf/ipc/dispatcher.h"

#include <string>

#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/when_any.h"

namespace wharf::ipc {
namespace {

coro::Task<void> until_closed(Port& port) {
  bool closed = co_await port.closed();
  static_cast<void>(closed);
}

coro::Task<void> refuse(Message message, Status why) {
  if (!message.is_request()) co_return;
  Status sent = co_await message.reply_error(why);
  static_cast<void>(sent);  // the peer has gone, which serve() sees
}

}  // namespace

// What serve() has in hand. The task that receives is one of the scope's, so that it stops when a handler throws.
struct Dispatcher::Serving {
  explicit Serving(Port& of) : port(of) {}

  // One handler ends, whichever way.
  struct EndOfOne {
    ~EndOfOne() {
      --serving.running_count;
      serving.one_ended.set();
    }
    Serving& serving;
  };

  Port& port;
  std::size_t running_count = 0;
  coro::Event one_ended;
  coro::Scope scope;
};

Dispatcher::Dispatcher(DispatcherOptions options) : options_(options) {
  WHARF_CHECK(options.running_count_max != 0, "a Dispatcher that may run no handler");
}

void Dispatcher::add(std::uint32_t type, Handler handler) {
  const bool added = handlers_.emplace(type, std::move(handler)).second;
  WHARF_CHECK(added, "a Dispatcher has two handlers for type " + std::to_string(type));
}

coro::Task<void> Dispatcher::serve(Port& port) {
  Serving serving(port);
  serving.scope.spawn(receive(serving));
  co_await serving.scope.join();
}

coro::Task<void> Dispatcher::receive(Serving& serving) {
  Port& port = serving.port;
  while (auto message = co_await port.receive()) {
    ++serving.running_count;
    serving.scope.spawn(run(serving, *std::move(message)));
    while (serving.running_count >= options_.running_count_max) {
      serving.one_ended.reset();
      const bool set = co_await serving.one_ended.wait();
      if (!set) co_return;
    }
  }
}

coro::Task<void> Dispatcher::run(Serving& serving, Message message) {
  const Serving::EndOfOne end{serving};
  const bool is_request = message.is_request();
  coro::Task<void> handler = handle(std::move(message));
  if (is_request) {
    auto first = co_await coro::when_any(std::move(handler), until_closed(serving.port));
    static_cast<void>(first);
  } else {
    co_await std::move(handler);
  }
}

// The task of the message's handler.
coro::Task<void> Dispatcher::handle(Message message) {
  const auto handler = handlers_.find(message.type());
  if (handler == handlers_.end()) return refuse_unknown(std::move(message));
  return handler->second(std::move(message));
}

coro::Task<void> Dispatcher::refuse_unknown(Message message) {
  ++counters_.unknown;
  const std::string text = "no handler for type " + std::to_string(message.type());
  return refuse(std::move(message), absl::UnimplementedError(text));
}

coro::Task<void> Dispatcher::refuse_malformed(Message message, Status why) {
  ++counters_.malformed;
  return refuse(std::move(message), std::move(why));
}

}  // namespace wharf::ipc
