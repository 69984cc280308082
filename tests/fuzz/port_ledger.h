// What one port has sent, and what its peer must therefore receive: the model against which port_fuzz.cc holds a link.
//
// A message carries its number as its type, and a payload that follows from the number, so that whatever arrives can be
// told from whatever else was sent.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "wharf/ipc/message.h"
#include "wharf/runtime/base/status.h"

namespace wharf::test {

class Ledger {
 public:
  // A message larger than `whole_bytes_max` is cut, and smaller ones may overtake it.
  explicit Ledger(std::size_t whole_bytes_max) : whole_bytes_max_(whole_bytes_max) {}

  // A send, or a call, begins. Returns the message's number, from 1 on. Call it right before the send: numbers are in the
  // order of sending.
  std::uint32_t begin(std::size_t bytes, std::size_t fd_count);
  // A send has ended: one that failed sent nothing.
  void sent(std::uint32_t number, const Status& status);
  // A call has ended: one that failed may have arrived.
  void called(std::uint32_t number, const StatusOr<ipc::Message>& reply);
  // A message has arrived: one that was sent, whole, in its turn, once.
  void received(const ipc::Message& message);
  // Nothing more can arrive. `by_goodbye`: the receiver took everything until the sender's goodbye.
  void finish(bool by_goodbye) const;

  // The payload of a message, and of its reply.
  static void fill(std::span<std::byte> target, std::uint32_t number);
  static std::string payload(std::uint32_t number, std::size_t bytes);
  static std::uint32_t reply_number(std::uint32_t number) { return number | 0x8000'0000; }

 private:
  static void check_payload(const ipc::Message& message, std::uint32_t number);

  enum class Fate { kUnknown, kSent, kFailed };
  struct Entry {
    std::size_t bytes;
    std::size_t fd_count;
    Fate fate = Fate::kUnknown;
    bool received = false;
  };
  const std::size_t whole_bytes_max_;
  std::vector<Entry> entries_;
  std::uint32_t last_whole_ = 0;
};

}  // namespace wharf::test
