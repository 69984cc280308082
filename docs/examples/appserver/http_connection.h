// HttpConnection: one client. Takes its requests one after the other, gives each to a worker, and
// sends the answers in their order.
//
// Threads: the reactor's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wharf/coro/task.h"
#include "wharf/docs/examples/appserver/dispatch.h"
#include "wharf/docs/examples/appserver/head_receiver.h"
#include "wharf/docs/examples/appserver/input_buffer.h"
#include "wharf/docs/examples/appserver/protocol.h"
#include "wharf/docs/examples/appserver/request_parser.h"
#include "wharf/docs/examples/appserver/response_writer.h"
#include "wharf/docs/examples/appserver/server_state.h"
#include "wharf/ipc/message.h"
#include "wharf/runtime/base/unique_fd.h"

namespace appserver {

class HttpConnection {
 public:
  HttpConnection(wharf::runtime::UniqueFd socket, ServerState& state);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Serves the client until one of them has had enough.
  //
  // Cancel: honoured; the connection ends where it is.
  wharf::coro::Task<void> serve();

  // Between two requests: ends the connection, if it is.
  void end_if_idle() noexcept;

 private:
  // What goes on after a response: the connection, or not.
  enum class Next : std::uint8_t { kGoOn, kClose };

  wharf::coro::Task<void> refuse_head(std::uint16_t status);
  wharf::coro::Task<Next> handle(std::size_t head_bytes);
  wharf::coro::Task<Next> forward(RequestParser& parser, Lease lease);
  wharf::coro::Task<Next> answer_lost(Lease& lease);
  wharf::coro::Task<Next> answer_failed(const wharf::Status& why);
  wharf::coro::Task<Next> answer_stats();
  wharf::coro::Task<Next> answer_reply(wharf::ipc::Message& reply);
  wharf::coro::Task<Next> answer_file(wharf::runtime::UniqueFd file, ResponseHead head);
  // The status and its reason, as text.
  wharf::coro::Task<Next> answer_status(std::uint16_t status);
  wharf::coro::Task<Next> answer_text(ResponseHead head, std::string_view text);
  void begin_response(ResponseHead head);
  wharf::coro::Task<Next> finish_response();
  Next next_after(const wharf::Status& sent) noexcept;
  // Nothing more is received as a request: what comes is thrown away, so that the client sees the
  // response.
  void give_up_input() noexcept {
    keep_alive_ = false;
    linger_ = true;
  }
  wharf::coro::Task<void> linger();

  const wharf::runtime::UniqueFd socket_;
  ServerState& state_;
  HeadReceiver receiver_;
  InputBuffer input_;
  ResponseWriter writer_;
  PlainPart<kHeadBytesMax> plain_;  // of the request to the worker
  // Of the request in hand.
  bool is_head_request_ = false;
  bool is_http_1_0_ = false;
  bool keep_alive_ = true;
  bool linger_ = false;       // the client may be sending something that nobody reads
  bool client_reads_ = true;  // as far as is known
};

}  // namespace appserver
