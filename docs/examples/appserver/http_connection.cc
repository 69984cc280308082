#include "wharf/docs/examples/appserver/http_connection.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <string>
#include <utility>

#include "wharf/docs/examples/appserver/body_memory.h"
#include "wharf/docs/examples/appserver/body_receiver.h"
#include "wharf/docs/examples/appserver/deadline.h"
#include "wharf/docs/examples/appserver/stats.h"
#include "wharf/docs/examples/appserver/target.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/io.h"

namespace appserver {
namespace {

using wharf::Status;
using wharf::StatusCode;
using wharf::StatusOr;
using wharf::coro::Task;
using wharf::ipc::Message;
using wharf::runtime::UniqueFd;
namespace sys = wharf::runtime::sys;

constexpr std::int64_t kLingerMs = 2'000;
constexpr std::string_view kTextPlain = "Content-Type: text/plain\r\n";

}  // namespace

HttpConnection::HttpConnection(UniqueFd socket, ServerState& state)
    : socket_(std::move(socket)),
      state_(state),
      receiver_(socket_.get(), state.options, state.draining),
      input_(state.options.header_bytes_max),
      writer_(socket_.get(), state.options.write_stall_ms) {
  state_.connections.insert(this);
}

HttpConnection::~HttpConnection() { state_.connections.erase(this); }

void HttpConnection::end_if_idle() noexcept {
  if (receiver_.is_idle()) sys::shutdown(socket_.get(), SHUT_RD);  // its recv sees the end
}

Task<void> HttpConnection::serve() {
  Next next = Next::kGoOn;
  while (next == Next::kGoOn) {
    const HeadReceiver::Received received = co_await receiver_.receive(input_);
    if (received.head_bytes != 0) {
      next = co_await handle(received.head_bytes);
    } else {
      next = Next::kClose;
      if (received.refusal != 0) co_await refuse_head(received.refusal);
    }
  }
  if (client_reads_ && (linger_ || !input_.empty())) co_await linger();
}

Task<void> HttpConnection::refuse_head(std::uint16_t status) {
  is_head_request_ = false;
  give_up_input();
  const Next next = co_await answer_status(status);
  static_cast<void>(next);
}

// ---- The request ----

Task<HttpConnection::Next> HttpConnection::handle(std::size_t head_bytes) {
  ++state_.counters.requests;
  RequestParser parser(state_.options.body_bytes_max);
  parser.parse_head(input_.text().substr(0, head_bytes));
  input_.consume(head_bytes);
  is_head_request_ = parser.method() == Method::kHead;
  is_http_1_0_ = parser.is_http_1_0();
  if (parser.refusal() != 0) {
    give_up_input();
    co_return co_await answer_status(parser.refusal());
  }
  keep_alive_ = parser.keeps_alive();
  if (path_of(parser.target()) == "/stats") {
    if (parser.has_body()) give_up_input();
    if (parser.method() != Method::kGet && !is_head_request_) {
      co_return co_await answer_text({.status = 405, .fields = "Allow: GET, HEAD\r\n"}, "method not allowed\n");
    }
    co_return co_await answer_stats();
  }
  Lease lease = state_.dispatch.try_lease();
  if (!lease) lease = co_await state_.dispatch.lease();
  if (!lease) {
    if (parser.has_body()) give_up_input();
    co_return co_await answer_status(503);
  }
  co_return co_await forward(parser, std::move(lease));
}

Task<HttpConnection::Next> HttpConnection::forward(RequestParser& parser, Lease lease) {
  const std::string_view target = parser.target();
  const RequestHead head{
      .method = parser.method(), .reserved = 0, .target_bytes = static_cast<std::uint16_t>(target.size())};
  plain_.clear();
  if (!plain_.add_head(head) || !plain_.add(target)) co_return co_await answer_status(414);
  Message request(kHttp, plain_.bytes());
  BodyMemory body;
  if (parser.has_body()) {
    BodyReceiver receiver(socket_.get(), state_.options, input_, parser, lease);
    const std::uint16_t status = co_await receiver.receive(body, request);
    if (status == BodyReceiver::kClientGone) co_return Next::kClose;
    if (status != BodyReceiver::kComplete) {
      give_up_input();
      if (status == 502) co_return co_await answer_lost(lease);
      co_return co_await answer_status(status);
    }
  }
  const std::int64_t deadline_ns = deadline_in(state_.options.request_timeout_ms);
  StatusOr<Message> reply = co_await lease.port().call(std::move(request), {.deadline_ns = deadline_ns});
  if (reply.ok()) {
    lease = Lease();
    co_return co_await answer_reply(*reply);
  }
  if (reply.status().code() == StatusCode::kUnavailable) co_return co_await answer_lost(lease);
  co_return co_await answer_failed(reply.status());
}

// ---- The response ----

Task<HttpConnection::Next> HttpConnection::answer_lost(Lease& lease) {
  ++lease.place().lost_requests;
  co_return co_await answer_status(502);
}

Task<HttpConnection::Next> HttpConnection::answer_failed(const Status& why) {
  switch (why.code()) {
    case StatusCode::kCancelled: co_return Next::kClose;
    case StatusCode::kDeadlineExceeded: co_return co_await answer_status(504);
    case StatusCode::kResourceExhausted: co_return co_await answer_status(503);
    default: co_return co_await answer_status(502);
  }
}

Task<HttpConnection::Next> HttpConnection::answer_stats() {
  const std::string page = co_await stats_page(state_);
  co_return co_await answer_text({.fields = "Content-Type: application/json\r\n"}, page);
}

Task<HttpConnection::Next> HttpConnection::answer_reply(Message& reply) {
  // The worker is not trusted: what it says is checked, and what it sends is only passed on.
  const auto got = read_reply_head(reply);
  if (!got.has_value() || got->head.status < 200 || got->head.status > 599 || got->text.size() > kFieldsBytesMax) {
    co_return co_await answer_status(502);
  }
  ResponseHead head{.status = got->head.status, .content_bytes = reply.size_bytes() - got->bytes, .fields = got->text};
  if (reply.fd_count() != 0) co_return co_await answer_file(reply.take_fd(0), head);
  if (is_head_request_ && head.content_bytes == 0) head.content_bytes = got->head.content_bytes;
  begin_response(head);
  if (!is_head_request_) {
    writer_.add(reply.part(0).subspan(got->bytes));
    // From the worker's memory straight to the socket: whatever it changes meanwhile, it has only sent something else.
    for (std::size_t i = 1; i < reply.part_count(); ++i) {
      writer_.add(reply.untrusted_part(i).for_kernel());
    }
  }
  co_return co_await finish_response();
}

Task<HttpConnection::Next> HttpConnection::answer_file(UniqueFd file, ResponseHead head) {
  struct stat status;
  if (sys::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode)) {
    co_return co_await answer_status(502);
  }
  head.content_bytes = static_cast<std::uint64_t>(status.st_size);
  begin_response(head);
  if (is_head_request_ || head.content_bytes == 0) co_return co_await finish_response();
  writer_.expect_file();
  Status sent = co_await writer_.send();
  if (sent.ok()) sent = co_await writer_.send_file(file.get(), head.content_bytes);
  co_return next_after(sent);
}

Task<HttpConnection::Next> HttpConnection::answer_status(std::uint16_t status) {
  const std::string text = std::to_string(status) + " " + std::string(reason_of(status)) + "\n";
  co_return co_await answer_text({.status = status, .fields = kTextPlain}, text);
}

Task<HttpConnection::Next> HttpConnection::answer_text(ResponseHead head, std::string_view text) {
  head.content_bytes = text.size();
  begin_response(head);
  if (!is_head_request_) writer_.add(text);
  co_return co_await finish_response();
}

void HttpConnection::begin_response(ResponseHead head) {
  ++state_.counters.responses[head.status / 100];
  if (state_.draining) keep_alive_ = false;
  head.date = state_.date.now();
  head.keep_alive = keep_alive_;
  head.say_keep_alive = is_http_1_0_;
  writer_.begin(head);
}

Task<HttpConnection::Next> HttpConnection::finish_response() {
  Status sent = co_await writer_.send();
  co_return next_after(sent);
}

HttpConnection::Next HttpConnection::next_after(const Status& sent) noexcept {
  if (!sent.ok()) client_reads_ = false;
  return sent.ok() && keep_alive_ ? Next::kGoOn : Next::kClose;
}

// Closing at once would reset the connection, and the client could lose the response to that.
Task<void> HttpConnection::linger() {
  sys::shutdown(socket_.get(), SHUT_WR);
  const std::int64_t deadline_ns = deadline_in(kLingerMs);
  for (bool open = true; open;) {
    input_.consume(input_.text().size());
    const std::span<std::byte> room = input_.room();
    StatusOr<std::size_t> received = co_await wharf::runtime::recv(socket_.get(), room, {deadline_ns});
    open = received.ok() && *received != 0;
  }
}

}  // namespace appserver
