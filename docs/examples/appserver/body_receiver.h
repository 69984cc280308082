// BodyReceiver: takes the body of a request from its client, straight into the memory that the
// worker will read.
//
// Threads: the reactor's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/docs/examples/appserver/body_memory.h"
#include "wharf/docs/examples/appserver/budget.h"
#include "wharf/docs/examples/appserver/dispatch.h"
#include "wharf/docs/examples/appserver/input_buffer.h"
#include "wharf/docs/examples/appserver/options.h"
#include "wharf/docs/examples/appserver/request_parser.h"
#include "wharf/ipc/message.h"
#include "wharf/runtime/base/status.h"

namespace appserver {

class BodyReceiver {
 public:
  // What the connection is to do when the body is not all there: one of these, or a status to
  // answer with.
  static constexpr std::uint16_t kComplete = 0;
  static constexpr std::uint16_t kClientGone = 1;

  // Everything outlives the receiver, and is borrowed.
  BodyReceiver(int socket, const Options& options, InputBuffer& input, RequestParser& parser,
               const Lease& lease) noexcept
      : socket_(socket),
        options_(options),
        block_bytes_max_(block_bytes_max(options)),
        input_(input),
        parser_(parser),
        lease_(lease) {}

  // Receives the body and makes it the end of `message`. What belongs to the next request stays in
  // the input.
  //
  // Ownership: the message borrows from `memory` and from the input, until more is received.
  // Errors:    400 it ends early, or its chunks are wrong; 408 the client stopped; 413 more chunks
  //            than allowed; 502 the worker died; 503 there was no memory for it in time
  // Cancel:    honoured; as kClientGone.
  wharf::coro::Task<std::uint16_t> receive(BodyMemory& memory, wharf::ipc::Message& message);

 private:
  static std::size_t block_bytes_max(const Options& options) noexcept;
  wharf::coro::Task<std::uint16_t> receive_counted(BodyMemory& memory);
  wharf::coro::Task<std::uint16_t> receive_chunks(BodyMemory& memory);
  wharf::coro::Task<std::uint16_t> append(BodyMemory& memory, std::string_view data);
  wharf::coro::Task<std::uint16_t> new_block(BodyMemory& memory, std::size_t bytes);
  wharf::coro::Task<std::uint16_t> reserve(std::uint64_t bytes);
  wharf::coro::Task<wharf::Status> take_share(Budget* budget, std::uint64_t bytes);
  wharf::coro::Task<std::uint16_t> say_continue();
  // Receives something; `count` is not 0 afterwards, if the status is kComplete.
  wharf::coro::Task<std::uint16_t> receive_some(std::span<std::byte> room, std::size_t& count);

  const int socket_;
  const Options& options_;
  const std::size_t block_bytes_max_;
  InputBuffer& input_;
  RequestParser& parser_;
  const Lease& lease_;
  std::vector<Budget::Share> shares_;
  std::span<std::byte> block_;  // what is left of the last block
  std::size_t block_bytes_ = 0;
};

}  // namespace appserver
