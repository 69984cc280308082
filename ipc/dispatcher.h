// Dispatcher: gives each message that a port receives to the handler of its type.
//
//     coro::Task<void> get(Store* store, Key key, ipc::Message request);      // decoded: Key is a plain struct
//     coro::Task<void> put(Store* store, ipc::Message request);
//
//     ipc::Dispatcher dispatcher;
//     dispatcher.on<Key>(kGet, get, &store);
//     dispatcher.on(kPut, put, &store);
//     co_await dispatcher.serve(port);                                        // until the port ends
//
// A handler is a function that returns Task<void>. It is called with copies of the arguments that were given with it, then
// the decoded payload if there is one, then the message, which it answers if it is a request; one that is dropped
// unanswered answers itself with Aborted. What the peer says wrongly is refused, and never ends anything: a request is
// answered with an error, and a message that is no request is dropped and counted.
//
// Threads: the reactor's. One dispatcher may serve many ports at once; it must outlive them, and stay as it is meanwhile.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "wharf/coro/task.h"
#include "wharf/ipc/message.h"
#include "wharf/ipc/payload.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/status.h"

namespace wharf::ipc {

struct DispatcherOptions {
  std::size_t running_count_max = 256;  // handlers of one port at once; beyond it nothing is received
};

struct DispatcherCounters {
  std::uint64_t handled = 0;    // given to a handler
  std::uint64_t unknown = 0;    // no handler has that type
  std::uint64_t malformed = 0;  // the payload is not what the handler takes
};

class Dispatcher {
 public:
  explicit Dispatcher(DispatcherOptions options = {});
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // The handler of messages of `type`, which has none yet. The message is given as it is.
  template <class F, class... Args>
    requires std::same_as<std::invoke_result_t<const F&, const Args&..., Message>, coro::Task<void>>
  void on(std::uint32_t type, F function, Args... args) {
    check_handler<F>();
    add(type, [this, function, args...](Message message) {
      ++counters_.handled;
      return std::invoke(function, args..., std::move(message));
    });
  }

  // The same with the payload decoded: see decode_payload(). A payload that is no T is refused with InvalidArgument, which
  // names the type and the sizes.
  template <class T, class F, class... Args>
    requires std::same_as<std::invoke_result_t<const F&, const Args&..., T, Message>, coro::Task<void>>
  void on(std::uint32_t type, F function, Args... args) {
    check_handler<F>();
    add(type, [this, function, args...](Message message) {
      StatusOr<T> payload = decode_payload<T>(message);
      if (!payload.ok()) return refuse_malformed(std::move(message), payload.status());
      ++counters_.handled;
      return std::invoke(function, args..., *std::move(payload), std::move(message));
    });
  }

  // Receives until the port ends, and gives each message to its handler, which runs as a task of its own; then waits for
  // the handlers. When the link has ended, those of requests are stopped, as nobody hears their answer.
  //
  // Errors: an exception of a handler stops the others, and is thrown here; its request answers itself
  // Cancel: honoured: stops the handlers, and waits for them
  // Cost:   two frames for a message, from the cache; no system call
  coro::Task<void> serve(Port& port);

  DispatcherCounters counters() const noexcept { return counters_; }

 private:
  struct Serving;
  using Handler = std::function<coro::Task<void>(Message)>;

  template <class F>
  static void check_handler() {
    static_assert(std::is_empty_v<F> || std::is_pointer_v<F> || std::is_member_pointer_v<F>,
                  "on: this lambda captures, and a coroutine does not keep its captures; pass them as arguments: "
                  "dispatcher.on(type, [](Store* store, Message request) -> Task<void> {...}, &store)");
  }
  void add(std::uint32_t type, Handler handler);
  coro::Task<void> handle(Message message);
  coro::Task<void> refuse_malformed(Message message, Status why);
  coro::Task<void> refuse_unknown(Message message);
  coro::Task<void> receive(Serving& serving);
  coro::Task<void> run(Serving& serving, Message message);

  const DispatcherOptions options_;
  std::unordered_map<std::uint32_t, Handler> handlers_;
  DispatcherCounters counters_;
};

}  // namespace wharf::ipc
