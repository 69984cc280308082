#include "wharf/docs/examples/appserver/head_receiver.h"

#include <span>
#include <string_view>

#include "wharf/docs/examples/appserver/deadline.h"
#include "wharf/docs/examples/appserver/request_parser.h"
#include "wharf/runtime/io.h"

namespace appserver {
namespace {

using wharf::StatusCode;
using wharf::StatusOr;
using wharf::coro::Task;
using Received = HeadReceiver::Received;

// Empty lines before a request are allowed, of old.
void skip_empty_lines(InputBuffer& input) noexcept {
  while (input.text().starts_with('\r') || input.text().starts_with('\n')) input.consume(1);
}

}  // namespace

Task<Received> HeadReceiver::receive(InputBuffer& input) {
  std::int64_t deadline_ns = deadline_in(options_.idle_timeout_ms);
  std::size_t searched_bytes = 0;
  bool begun = false;
  for (;;) {
    if (!begun) skip_empty_lines(input);
    const std::string_view text = input.text();
    if (!text.empty()) {
      const std::size_t head_bytes = find_head_end(text, searched_bytes);
      if (head_bytes != 0) co_return Received{.head_bytes = head_bytes};
      searched_bytes = text.size();
      if (!begun && !may_begin_request(text)) co_return Received{.refusal = 400};
      if (!begun) deadline_ns = deadline_in(options_.header_timeout_ms);
      begun = true;
    }
    const std::span<std::byte> room = input.room();
    if (room.empty()) {
      const bool in_request_line = input.text().find('\n') == std::string_view::npos;
      co_return Received{.refusal = static_cast<std::uint16_t>(in_request_line ? 414 : 431)};
    }
    if (!begun && draining_) co_return Received();
    idle_ = !begun;
    StatusOr<std::size_t> count = co_await wharf::runtime::recv(socket_, room, {deadline_ns});
    idle_ = false;
    if (count.ok() && *count != 0) {
      input.received(*count);
      continue;
    }
    if (!begun) co_return Received();
    if (count.ok()) co_return Received{.refusal = 400};
    if (count.status().code() != StatusCode::kDeadlineExceeded) co_return Received();
    co_return Received{.refusal = 408};
  }
}

}  // namespace appserver
