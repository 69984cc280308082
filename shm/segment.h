// Memory that one process writes and another reads: a memfd, sealed so that only its creator's mapping is writable.
//
// Start with docs/formats.md, "Segments".
// Threads: any, one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "wharf/runtime/base/private_fd.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/shm/format.h"

namespace wharf::shm {

// A mapping that is undone when it goes.
class Mapping {
 public:
  Mapping() noexcept = default;
  Mapping(std::byte* data, std::size_t bytes) noexcept : data_(data), bytes_(bytes) {}
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  std::byte* data() const noexcept { return data_; }
  std::size_t size_bytes() const noexcept { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// A segment of ours: written here, read by the peer.
class Segment {
 public:
  // Makes a segment of `bytes`, rounded up to whole pages, all of it allocated now: want of memory is an error here, not
  // a SIGBUS later. `header` is written with magic, version and size filled in; the rest is zero.
  //
  // `huge_pages` asks for them; there may be none.
  //
  // Errors: ResourceExhausted  no memory, fd or map left
  //         Unavailable        memfd_create is refused here (seccomp); use the socket alone
  static StatusOr<Segment> create(SegmentHeader header, std::size_t bytes, bool huge_pages = false);

  std::byte* data() const noexcept { return mapping_.data(); }
  std::size_t size_bytes() const noexcept { return mapping_.size_bytes(); }
  // For the peer; the mapping stays without it.
  const runtime::PrivateFd& fd() const noexcept { return fd_; }
  // Gives the fd up once the peer has it, so that a link holds no more fds than it needs.
  runtime::UniqueFd take_fd() noexcept { return fd_.release(); }
  void restore_fd(runtime::UniqueFd fd) noexcept { fd_.reset(std::move(fd)); }

 private:
  Segment(runtime::UniqueFd fd, Mapping mapping) noexcept : fd_(std::move(fd)), mapping_(std::move(mapping)) {}
  runtime::PrivateFd fd_;
  Mapping mapping_;
};

// A segment of the peer's: read here.
class PeerSegment {
 public:
  // Checks, then maps. A segment that could shrink, grow or be written by somebody else later is refused, and so is
  // what is no memfd; the fd is closed on every path.
  //
  // Errors: InvalidArgument    names the field or seal that is wrong
  //         ResourceExhausted  no map left
  static StatusOr<PeerSegment> adopt(const runtime::UniqueFd& fd, SegmentKind kind, std::size_t segment_bytes_max);

  const std::byte* data() const noexcept { return mapping_.data(); }
  std::size_t size_bytes() const noexcept { return mapping_.size_bytes(); }
  // As it was when the segment was adopted.
  const SegmentHeader& header() const noexcept { return header_; }

 private:
  PeerSegment(Mapping mapping, const SegmentHeader& header) noexcept : mapping_(std::move(mapping)), header_(header) {}
  Mapping mapping_;
  SegmentHeader header_;
};

}  // namespace wharf::shm
