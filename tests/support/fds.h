// What tests ask about file descriptors, and the files that a hostile peer might send.
//
// Threads: any.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <span>

#include <gtest/gtest.h>

#include "wharf/runtime/base/unique_fd.h"
#include "wharf/shm/format.h"

namespace wharf::test {

// How many descriptors this process has open.
inline std::size_t open_fd_count() {
  DIR* folder = ::opendir("/proc/self/fd");
  std::size_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

// Of a UniqueFd or a PrivateFd.
inline runtime::UniqueFd duplicate(const auto& fd) { return runtime::UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }

inline constexpr int kSegmentSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

// A memfd as a peer should make it, but for what a test changes.
struct MemfdOptions {
  unsigned flags = 0;        // for memfd_create, beside close-on-exec and sealing
  std::size_t bytes = 8192;  // of the file
  bool allocated = true;     // else the file is one hole behind the header
  int seals = kSegmentSeals;
  bool header = true;  // written at all
};

inline runtime::UniqueFd make_memfd(const shm::SegmentHeader& header, MemfdOptions options = {}) {
  runtime::UniqueFd fd(::memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING | options.flags));
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(options.bytes)), 0);
  if (options.allocated && options.bytes != 0) {
    EXPECT_EQ(::fallocate(fd.get(), 0, 0, static_cast<off_t>(options.bytes)), 0);
  }
  if (options.header && options.bytes >= sizeof(header)) {
    EXPECT_EQ(::pwrite(fd.get(), &header, sizeof(header), 0), static_cast<ssize_t>(sizeof(header)));
  }
  EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, options.seals), 0);
  return fd;
}

// The header that make_memfd's file should have, for a segment of `bytes`.
inline shm::SegmentHeader good_header(shm::SegmentKind kind, std::size_t bytes) {
  shm::SegmentHeader header{};
  header.magic = shm::kSegmentMagic;
  header.version = shm::kFormatVersion;
  header.kind = kind;
  header.segment_bytes = bytes;
  return header;
}

}  // namespace wharf::test
