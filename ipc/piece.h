// Piece: one contiguous part of a message's payload, and whose memory it is. Loan: a piece of our own arena that is
// still being written.
//
// Threads: the port's reactor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "wharf/ipc/detail/file_payload.h"
#include "wharf/runtime/base/status.h"
#include "wharf/shm/lane.h"

namespace wharf::ipc {

class Piece {
 public:
  enum class Kind : std::uint8_t {
    kPlain,      // bytes that have to be copied: the caller's, who lets them outlive the send; or a file, not sealed
    kOwnBlock,   // a block of our arena, not lent yet; freed with the piece
    kPeerBlock,  // a block that the peer lent us; returned with the piece. The peer could still change it.
    kFile,       // a sealed file, of ours or the peer's
  };

  explicit Piece(std::span<const std::byte> borrowed) noexcept : data_(borrowed.data()), bytes_(borrowed.size()) {}
  Piece(shm::Ref<shm::Lane> lane, const shm::OwnBlock& block, std::size_t bytes) noexcept
      : data_(block.data),
        bytes_(bytes),
        lane_(std::move(lane)),
        unit_(block.id.unit),
        segment_(block.id.segment),
        kind_(Kind::kOwnBlock) {}
  // `guarded`: the peer is hostile, so the program may not look at it by accident.
  Piece(shm::Ref<shm::Lane> lane, const shm::BlockDescriptor& descriptor, std::span<const std::byte> view,
        bool guarded = false) noexcept
      : data_(view.data()),
        bytes_(view.size()),
        lane_(std::move(lane)),
        unit_(descriptor.offset_units),
        segment_(descriptor.segment),
        token_(descriptor.token),
        kind_(Kind::kPeerBlock),
        guarded_(guarded) {}
  explicit Piece(std::unique_ptr<detail::FilePayload> file) noexcept
      : data_(nullptr),
        bytes_(file->size_bytes()),
        file_(std::move(file)),
        kind_(file_->sealed() ? Kind::kFile : Kind::kPlain) {}
  Piece(Piece&& other) noexcept = default;
  Piece& operator=(Piece&& other) noexcept {
    Piece(std::move(other)).swap(*this);
    return *this;
  }
  ~Piece() {
    if (lane_) give_back();
  }

  // A file is mapped here, at the first call; if the kernel has no room for the mapping, this is empty.
  std::span<const std::byte> bytes() const noexcept {
    if (file_ == nullptr) return {data_, bytes_};
    const std::byte* data = file_->data();
    return {data, data != nullptr ? bytes_ : 0};
  }
  std::size_t size_bytes() const noexcept { return bytes_; }
  Kind kind() const noexcept { return kind_; }
  // Whether they are the caller's, in plain memory.
  bool is_borrowed() const noexcept { return kind_ == Kind::kPlain && file_ == nullptr; }
  // Whether nobody else can change the bytes.
  bool stable() const noexcept { return kind_ != Kind::kPeerBlock; }
  bool guarded() const noexcept { return guarded_; }
  // Whose memory a block is; null for what is no block.
  const shm::Lane* lane() const noexcept { return lane_.get(); }
  // kOwnBlock.
  shm::BlockId block_id() const noexcept { return {segment_, unit_}; }
  // kPeerBlock: as the peer described it.
  shm::BlockDescriptor descriptor() const noexcept {
    return {token_, segment_, unit_, static_cast<std::uint32_t>(bytes_)};
  }
  // kFile: borrowed.
  int fd() const noexcept { return file_->fd(); }
  // Gives the file to the caller, and leaves an empty piece; an empty descriptor if it is none.
  runtime::UniqueFd take_file() noexcept;
  // The block has gone to the peer: nothing is given back from here.
  void forget() noexcept;
  void resize(std::size_t bytes) noexcept { bytes_ = bytes; }

 private:
  friend class Loan;
  void give_back() noexcept;
  void swap(Piece& other) noexcept;

  const std::byte* data_;
  std::size_t bytes_;
  shm::Ref<shm::Lane> lane_;
  std::unique_ptr<detail::FilePayload> file_;
  std::uint32_t unit_ = 0;
  std::uint32_t segment_ = 0;
  std::uint32_t token_ = 0;
  Kind kind_ = Kind::kPlain;
  bool guarded_ = false;
};

// Shared memory to write a payload in; becomes the receiver's when it is sent, without a copy.
//
// Units:     0..capacity_bytes(); what Port::loan() was asked for to begin with.
// Ownership: a loan that is not sent returns to the arena when it is destroyed. It keeps its memory mapped, also when
//            its port has gone.
class Loan {
 public:
  Loan(shm::Ref<shm::Lane> lane, const shm::OwnBlock& block, std::size_t bytes) noexcept
      : piece_(std::move(lane), block, bytes), block_(block) {}

  std::span<std::byte> bytes() noexcept { return {data(), size_bytes()}; }
  std::byte* data() noexcept { return block_.data; }
  std::size_t size_bytes() const noexcept { return piece_.size_bytes(); }
  std::size_t capacity_bytes() const noexcept { return block_.capacity_bytes; }
  // Sends only the first `bytes`, or more than were asked for: at most capacity_bytes() (checked). The memory stays.
  void resize(std::size_t bytes) noexcept;
  // Makes the loan larger where it is, into free memory behind it: to `bytes`, or as far as it goes if that is at least
  // `bytes_min`. What was written stays, and so does the address. Never waits, and so may take what others wait for.
  //
  // Units:  bytes_min at most `bytes` (checked). The new size_bytes() is between them; a loan is never made smaller.
  // Errors: ResourceExhausted  the memory behind it is in use; nothing has changed
  // Cost:   no system call, no allocation.
  Status grow(std::size_t bytes, std::size_t bytes_min) noexcept;
  // Gives memory beyond size_bytes() back to the arena, as far as a loan of that size would not have it.
  void shrink_to_fit() noexcept;

  Piece take_piece() && noexcept { return std::move(piece_); }

 private:
  Piece piece_;
  shm::OwnBlock block_;
};

}  // namespace wharf::ipc
