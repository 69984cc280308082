// SubmissionQueue: the operations that a backend was given, and the kernel does not know yet.
//
// What goes out goes first: a receive whose data another operation of the same turn sends then finds it, and the kernel needs
// not wait for it, which costs it about as much as the receive itself; and who waits in another process hears sooner. Otherwise
// they go in their order; and so do all of them while there are more than the kernel may have at once, so that none waits for
// ever.
//
// Ownership: of nothing. An operation that leaves out of turn is removed with List::remove.
// Threads:   the reactor's.
#pragma once

#include "wharf/runtime/backend.h"

namespace wharf::runtime::detail {

class SubmissionQueue {
  using OperationList = List<Operation, OperationTag>;

 public:
  bool empty() const noexcept { return outgoing_.empty() && others_.empty(); }

  void push(Operation& operation) noexcept {
    crowded_ = crowded_ && !others_.empty();
    (goes_out(operation.opcode) && !crowded_ ? outgoing_ : others_).push_back(operation);
  }
  // The one to submit next, or null.
  Operation* first() noexcept {
    Operation* const operation = outgoing_.first();
    return operation != nullptr ? operation : others_.first();
  }
  // There is no room for what is left: it goes in its order from here on, and before what comes later.
  void crowd() noexcept {
    others_.take_all(outgoing_);
    crowded_ = true;
  }

 private:
  static bool goes_out(Opcode opcode) noexcept {
    constexpr auto kBit = [](Opcode of) { return std::uint32_t{1} << static_cast<unsigned>(of); };
    constexpr std::uint32_t kOutgoing =
        kBit(Opcode::kSend) | kBit(Opcode::kSendmsg) | kBit(Opcode::kWrite) | kBit(Opcode::kWritev);
    return (kOutgoing & kBit(opcode)) != 0;
  }

  OperationList outgoing_;
  OperationList others_;
  bool crowded_ = false;
};

}  // namespace wharf::runtime::detail
