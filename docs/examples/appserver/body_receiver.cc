#include "wharf/docs/examples/appserver/body_receiver.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

#include "wharf/docs/examples/appserver/deadline.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/timeout.h"
#include "wharf/runtime/transfer.h"

namespace appserver {
namespace {

using wharf::Status;
using wharf::StatusCode;
using wharf::StatusOr;
using wharf::coro::Task;

// The size of a body of chunks is not known: the first block is small, each further one is larger.
constexpr std::size_t kFirstBlockBytes = 16 * 1024;
// A message carries 256 blocks; half of them are enough for the largest body. Smaller blocks find
// room in an arena that is nearly full, where larger ones wait for their neighbours.
constexpr std::uint64_t kBlocksPerBody = 128;
constexpr std::uint64_t kBlockBytesLeast = 64 * 1024;
constexpr std::size_t kBlockGrowth = 4;
// A body of this size is small. One of chunks that outgrows it has to reserve memory for the
// largest one.
constexpr std::uint64_t kSmallBodyBytes = std::uint64_t{1} << 20;

}  // namespace

std::size_t BodyReceiver::block_bytes_max(const Options& options) noexcept {
  const std::uint64_t bytes = std::bit_ceil(options.body_bytes_max / kBlocksPerBody + 1);
  return std::clamp<std::uint64_t>(bytes, kBlockBytesLeast, BodyMemory::kBlockBytesMax);
}

Task<std::uint16_t> BodyReceiver::receive(BodyMemory& memory, wharf::ipc::Message& message) {
  const std::string_view there = input_.text();
  if (!parser_.has_chunks() && there.size() >= parser_.body_bytes()) {
    message.append(there.substr(0, parser_.body_bytes()));
    input_.consume(parser_.body_bytes());
    co_return kComplete;
  }
  Task<std::uint16_t> receiving = parser_.has_chunks() ? receive_chunks(memory) : receive_counted(memory);
  const std::uint16_t status = co_await std::move(receiving);
  shares_.clear();
  if (status == kComplete) memory.append_to(message);
  co_return status;
}

Task<std::uint16_t> BodyReceiver::receive_counted(BodyMemory& memory) {
  std::uint64_t left = parser_.body_bytes();
  std::uint16_t status = co_await reserve(left);
  if (status == kComplete) status = co_await say_continue();
  while (status == kComplete && left != 0) {
    if (block_.empty()) {
      status = co_await new_block(memory, std::min<std::uint64_t>(left, block_bytes_max_));
      if (status != kComplete) break;
    }
    std::size_t count = std::min(input_.text().size(), block_.size());
    if (count != 0) {
      std::memcpy(block_.data(), input_.text().data(), count);
      input_.consume(count);
    } else {
      status = co_await receive_some(block_, count);
    }
    block_ = block_.subspan(count);
    left -= count;
  }
  co_return status;
}

Task<std::uint16_t> BodyReceiver::receive_chunks(BodyMemory& memory) {
  std::uint64_t body_bytes = 0;
  std::uint16_t status = co_await reserve(std::min(kSmallBodyBytes, options_.body_bytes_max));
  if (status == kComplete) status = co_await say_continue();
  while (status == kComplete) {
    std::size_t used_bytes = 0;
    std::size_t count = 0;
    std::string_view data;
    const RequestParser::Chunk chunk = parser_.next_chunk(input_.text(), used_bytes, data);
    input_.consume(used_bytes);
    switch (chunk) {
      case RequestParser::Chunk::kEnd:
        if (block_bytes_ != 0) memory.shrink_last(block_bytes_ - block_.size());
        co_return kComplete;
      case RequestParser::Chunk::kRefused: co_return parser_.refusal();
      case RequestParser::Chunk::kData:
        if (body_bytes <= kSmallBodyBytes && body_bytes + data.size() > kSmallBodyBytes) {
          status = co_await reserve(options_.body_bytes_max);
        }
        body_bytes += data.size();
        if (status == kComplete) status = co_await append(memory, data);
        break;
      case RequestParser::Chunk::kNeedMore: {
        const std::span<std::byte> room = input_.room();
        if (room.empty()) co_return 400;  // a chunk's header, or the trailer, of that size
        status = co_await receive_some(room, count);
        input_.received(count);
        break;
      }
    }
  }
  co_return status;
}

Task<std::uint16_t> BodyReceiver::append(BodyMemory& memory, std::string_view data) {
  while (!data.empty()) {
    if (block_.empty()) {
      const std::size_t bytes = block_bytes_ == 0 ? kFirstBlockBytes : block_bytes_ * kBlockGrowth;
      const std::uint16_t status = co_await new_block(memory, std::min(bytes, block_bytes_max_));
      if (status != kComplete) co_return status;
    }
    const std::size_t count = std::min(data.size(), block_.size());
    std::memcpy(block_.data(), data.data(), count);
    block_ = block_.subspan(count);
    data.remove_prefix(count);
  }
  co_return kComplete;
}

Task<std::uint16_t> BodyReceiver::new_block(BodyMemory& memory, std::size_t bytes) {
  StatusOr<std::span<std::byte>> block =
      co_await memory.add(lease_.port(), bytes, deadline_in(options_.worker_wait_ms));
  if (block.ok()) {
    block_ = *block;
    block_bytes_ = bytes;
    co_return kComplete;
  }
  switch (block.status().code()) {
    case StatusCode::kCancelled: co_return kClientGone;
    case StatusCode::kUnavailable: co_return 502;
    default: co_return 503;
  }
}

// Memory for the whole body, so that bodies which are half there do not wait for each other for
// ever. Its last block may be larger than what is left.
Task<std::uint16_t> BodyReceiver::reserve(std::uint64_t bytes) {
  Place& place = lease_.place();
  Budget* budget = bytes <= kSmallBodyBytes ? &place.small_uploads : &place.uploads;
  Status reserved = co_await wharf::runtime::with_timeout(
      std::chrono::milliseconds(options_.worker_wait_ms),
      take_share(budget, bytes + std::min<std::uint64_t>(bytes, block_bytes_max_)));
  if (reserved.ok()) co_return kComplete;
  co_return reserved.code() == StatusCode::kDeadlineExceeded ? 503 : kClientGone;
}

Task<Status> BodyReceiver::take_share(Budget* budget, std::uint64_t bytes) {
  Budget::Share share = co_await budget->take(bytes);
  if (!share) co_return absl::CancelledError("stopped");
  shares_.push_back(std::move(share));
  co_return absl::OkStatus();
}

Task<std::uint16_t> BodyReceiver::say_continue() {
  if (!parser_.expects_continue() || !input_.empty()) co_return kComplete;
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  Status sent = co_await wharf::runtime::send_all(socket_, std::as_bytes(std::span(kContinue)),
                                                  {deadline_in(options_.write_stall_ms)});
  co_return sent.ok() ? kComplete : kClientGone;
}

Task<std::uint16_t> BodyReceiver::receive_some(std::span<std::byte> room, std::size_t& count) {
  StatusOr<std::size_t> received = co_await wharf::runtime::recv(socket_, room, {deadline_in(options_.body_stall_ms)});
  count = received.ok() ? *received : 0;
  if (received.ok()) co_return count != 0 ? kComplete : 400;
  co_return received.status().code() == StatusCode::kDeadlineExceeded ? 408 : kClientGone;
}

}  // namespace appserver
