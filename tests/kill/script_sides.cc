#include "wharf/tests/kill/script_sides.h"

#include <unistd.h>

#include <cstring>
#include <utility>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/turns.h"
#include "wharf/tests/kill/script.h"

namespace wharf::test {
namespace {

std::string text_of(const char* what, std::size_t line) {
  return std::string(what) + " of line " + std::to_string(line);
}

// Takes the descriptors out, and checks them.
std::string check_fds(ipc::Message& message, std::size_t line) {
  if (message.fd_count() != kScript[line].fd_count) return text_of("descriptor count", line);
  for (std::size_t i = 0; i < message.fd_count(); ++i) {
    if (number_in(message.take_fd(i)) != line) return text_of("descriptor", line);
  }
  return {};
}

void take_line(ipc::Message message, Received& received) {
  const std::size_t line = received.line_count;
  std::string wrong;
  if (line >= kScript.size() || message.type() != line) {
    wrong = "message " + std::to_string(message.type()) + " came as number " + std::to_string(line);
  } else {
    wrong = check_line(message, line);
    if (wrong.empty()) wrong = check_fds(message, line);
  }
  if (received.wrong.empty()) received.wrong = wrong;
  ++received.line_count;
  received.held.push_back(std::move(message));
}

coro::Task<Status> answer(ipc::Port& port, ipc::Message request, Received& received) {
  Status sent;
  if (request.type() == kHoldUntilRelease) {
    received.held_requests.push_back(std::move(request));
    co_return sent;
  }
  if (request.type() == kGiveBack) {
    ipc::Message same(request.type());
    same.append_blocks_of(request);
    sent = co_await request.reply(std::move(same));
    co_return sent;
  }
  const std::string payload = request.to_string();
  if (request.type() == kCopyBack && port.uses_shared_memory()) {
    auto loan = co_await port.loan(payload.size());
    if (!loan.ok()) co_return loan.status();
    std::memcpy(loan->data(), payload.data(), payload.size());
    ipc::Message copy(request.type(), *std::move(loan));
    sent = co_await request.reply(std::move(copy));
    co_return sent;
  }
  if (request.type() == kRelease) {
    received.held.clear();
    for (ipc::Message& held : received.held_requests) {
      Status late = co_await held.reply(ipc::Message("held"));
      if (sent.ok()) sent = late;
    }
    received.held_requests.clear();
  }
  Status answered = co_await request.reply(ipc::Message(payload));
  if (sent.ok()) sent = answered;
  co_return sent;
}

}  // namespace

std::string check_line(const ipc::Message& message, std::size_t line) {
  return message.to_string() == pattern(kScript[line].bytes, line) ? std::string() : text_of("payload", line);
}

coro::Task<Status> send_script(ipc::Port& port, std::function<void(std::size_t)> published) {
  Status sent;
  for (std::size_t i = 0; i < kScript.size(); ++i) {
    const ScriptLine& line = kScript[i];
    const std::string payload = pattern(line.bytes, i);
    ipc::Message message(static_cast<std::uint32_t>(i));
    if (line.loan && port.uses_shared_memory()) {
      auto loan = co_await port.loan(line.bytes);
      if (!loan.ok()) co_return loan.status();
      std::memcpy(loan->data(), payload.data(), payload.size());
      message.append(*std::move(loan));
    } else {
      message.append(payload);
    }
    for (std::size_t fd = 0; fd < line.fd_count; ++fd) message.attach(numbered_file(i));
    sent = co_await port.send(std::move(message));
    if (!sent.ok()) co_return sent;
    if (!line.alone) continue;
    co_await next_turn();
    published(i + 1);
  }
  co_return sent;
}

coro::Task<Status> serve_script(ipc::Port& port, Received& received, std::function<void()> answered) {
  Status failed;
  while (auto message = co_await port.receive()) {
    if (message->type() == kAside) continue;
    if (!message->is_request()) {
      take_line(*std::move(message), received);
      continue;
    }
    const bool at_once = message->type() != kHoldUntilRelease;
    Status sent = co_await answer(port, *std::move(message), received);
    if (!sent.ok() && failed.ok()) failed = sent;
    if (!sent.ok()) continue;
    co_await next_turn();
    if (at_once) answered();
  }
  co_return failed;
}

}  // namespace wharf::test
