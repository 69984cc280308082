#include "wharf/docs/examples/appserver/body_memory.h"

#include <utility>

namespace appserver {

using wharf::StatusOr;
using wharf::coro::Task;
using wharf::ipc::Loan;

Task<StatusOr<std::span<std::byte>>> BodyMemory::add(wharf::ipc::Port& port, std::size_t bytes,
                                                     std::int64_t deadline_ns) {
  if (!port.uses_shared_memory()) {
    heap_.push_back({std::unique_ptr<std::byte[]>(new std::byte[bytes]), bytes});
    co_return std::span(heap_.back().memory.get(), bytes);
  }
  StatusOr<Loan> loan = co_await port.loan(bytes, {.deadline_ns = deadline_ns});
  if (!loan.ok()) co_return loan.status();
  loans_.push_back(std::move(*loan));
  co_return loans_.back().bytes();
}

void BodyMemory::shrink_last(std::size_t bytes) {
  if (!loans_.empty()) loans_.back().resize(bytes);
  if (!heap_.empty()) heap_.back().bytes = bytes;
}

void BodyMemory::append_to(wharf::ipc::Message& message) {
  for (Loan& loan : loans_) {
    if (loan.size_bytes() != 0) message.append(std::move(loan));
  }
  loans_.clear();
  for (const HeapBlock& block : heap_) {
    message.append(std::span<const std::byte>(block.memory.get(), block.bytes));
  }
}

}  // namespace appserver
