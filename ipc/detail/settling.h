// Settling: the plain payload of one message on its way into shared memory, in steps, so that a large one does not hold
// the reactor up. The peer sees nothing of it before the message's record; dropped halfway, it gives its memory back.
//
// Threads: the port's reactor.
// Cost:    no allocation, if the payload fits two blocks; memory for all of it is found at once, or none is kept, so
//          that two messages cannot wait for each other's.
#pragma once

#include <cstddef>

#include "absl/container/inlined_vector.h"

#include "wharf/ipc/counters.h"
#include "wharf/ipc/detail/route.h"
#include "wharf/ipc/message.h"
#include "wharf/runtime/base/status.h"
#include "wharf/shm/lane.h"

namespace wharf::ipc::detail {

class Settling {
 public:
  enum class Step { kDone, kMore, kNoMemory, kFailed };

  // Where part `index` of `message` lies, for a message that takes `lane`.
  static RoutePart::Memory memory_of(const Message& message, std::size_t index, const shm::Lane& lane) noexcept;
  // Bytes of the plain parts from `first_part` on.
  static std::size_t plain_bytes(const Message& message, std::size_t first_part, const shm::Lane& lane) noexcept;

  // Finds memory for the plain parts from `first_part` on; none of the arena if that is `arena_is_others`. kFailed: never,
  // and `why`.
  Step begin(const Message& message, std::size_t first_part, const shm::Ref<shm::Lane>& lane, bool arena_is_others,
             Status& why);
  // Copies at most `bytes_max`. kFailed: `why`.
  Step copy(const Message& message, std::size_t bytes_max, PortCounters& counters, Status& why);
  // Puts what was copied in the place of the parts that it was copied from. Precondition: copy() was kDone.
  void finish(Message& message, PortCounters& counters);

 private:
  struct Target {
    std::size_t bytes;
    std::byte* data;         // null: the file
    runtime::UniqueFd file;  // until it is full
    Piece piece;
  };
  shm::Allocation add_blocks(std::size_t bytes);
  Step add_file(std::size_t bytes, Status& why);
  Step fill(Target& target, std::span<const std::byte> source, PortCounters& counters, Status& why);
  void give_up(std::size_t from) noexcept;
  bool is_plain(const Message& message, std::size_t index) const noexcept {
    return memory_of(message, index, *lane_) == RoutePart::Memory::kPlain;
  }

  shm::Ref<shm::Lane> lane_;
  std::size_t first_part_ = 0;
  absl::InlinedVector<Target, 2> targets_;
  // How far the copy is.
  std::size_t source_part_ = 0;
  std::size_t source_offset_ = 0;
  std::size_t target_ = 0;
  std::size_t target_offset_ = 0;
};

}  // namespace wharf::ipc::detail
