#include "wharf/shm/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wharf/runtime/base/sys.h"
#include "wharf/tests/support/fds.h"

namespace wharf::shm {
namespace {

using runtime::UniqueFd;
using test::good_header;
using test::make_memfd;
using test::MemfdOptions;
using ::testing::HasSubstr;

constexpr std::size_t kBytesMax = 1 << 20;

Segment create(std::size_t bytes, SegmentKind kind = SegmentKind::kArena) {
  SegmentHeader header{};
  header.kind = kind;
  StatusOr<Segment> segment = Segment::create(header, bytes);
  EXPECT_TRUE(segment.ok()) << segment.status().ToString();
  return std::move(segment).value();
}

// Why `fd` is refused as an arena; empty if it is not.
std::string refusal(UniqueFd fd, std::size_t bytes_max = kBytesMax) {
  const StatusOr<PeerSegment> peer = PeerSegment::adopt(std::move(fd), SegmentKind::kArena, bytes_max);
  if (peer.ok()) return "";
  EXPECT_EQ(peer.status().code(), StatusCode::kInvalidArgument);
  return peer.status().ToString();
}

// Why a good memfd is refused once `change` has been made to its header.
template <class F>
std::string refusal_of_header(F change) {
  SegmentHeader header = good_header(SegmentKind::kArena, 8192);
  change(header);
  return refusal(make_memfd(header));
}

std::string refusal_of_memfd(MemfdOptions options, std::size_t bytes_max = kBytesMax) {
  return refusal(make_memfd(good_header(SegmentKind::kArena, options.bytes), options), bytes_max);
}

TEST(SegmentTest, IsWholePagesOfZerosBehindItsHeader) {
  Segment segment = create(5000);

  EXPECT_EQ(segment.size_bytes(), 8192U);
  SegmentHeader header;
  std::memcpy(&header, segment.data(), sizeof(header));
  EXPECT_EQ(header.magic, kSegmentMagic);
  EXPECT_EQ(std::memcmp(segment.data(), "!WHRSEG1", 8), 0);
  EXPECT_EQ(header.version, kFormatVersion);
  EXPECT_EQ(header.segment_bytes, 8192U);
  EXPECT_TRUE(std::all_of(segment.data() + sizeof(header), segment.data() + 8192,
                          [](std::byte b) { return b == std::byte{0}; }));
}

TEST(SegmentTest, IsAllocatedSealedAndClosedOnExec) {
  const Segment segment = create(64 * 1024);

  struct stat info;
  ASSERT_EQ(::fstat(segment.fd().get(), &info), 0);
  EXPECT_EQ(info.st_size, 64 * 1024);
  EXPECT_GE(info.st_blocks * 512, 64 * 1024);
  EXPECT_EQ(::fcntl(segment.fd().get(), F_GET_SEALS), test::kSegmentSeals);
  EXPECT_EQ(::fcntl(segment.fd().get(), F_GETFD), FD_CLOEXEC);
}

TEST(SegmentTest, ThePeerSeesWhatTheOwnerWrites) {
  Segment segment = create(4096);
  StatusOr<PeerSegment> peer = PeerSegment::adopt(segment.take_fd(), SegmentKind::kArena, kBytesMax);
  ASSERT_TRUE(peer.ok()) << peer.status().ToString();

  segment.data()[100] = std::byte{42};

  EXPECT_EQ(peer->data()[100], std::byte{42});
  EXPECT_NE(peer->data(), segment.data());
  EXPECT_EQ(peer->header().segment_bytes, 4096U);
  EXPECT_FALSE(segment.fd());
}

TEST(SegmentTest, NobodyElseCanMapItWritable) {
  const Segment segment = create(4096);

  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, segment.fd().get(), 0), MAP_FAILED);
  EXPECT_EQ(errno, EPERM);
  const std::string path = "/proc/self/fd/" + std::to_string(segment.fd().get());
  const UniqueFd again(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(again);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, again.get(), 0), MAP_FAILED);
}

TEST(SegmentTest, ThePeerCannotMakeItsMappingWritable) {
  Segment segment = create(4096);
  StatusOr<PeerSegment> peer = PeerSegment::adopt(segment.take_fd(), SegmentKind::kArena, kBytesMax);
  ASSERT_TRUE(peer.ok());

  void* data = const_cast<std::byte*>(peer->data());

  EXPECT_EQ(::mprotect(data, 4096, PROT_READ | PROT_WRITE), -1);
  EXPECT_TRUE(errno == EACCES || errno == EPERM) << errno;
}

TEST(SegmentTest, NobodyCanWriteResizeHoleOrUnsealIt) {
  const Segment segment = create(8192);
  const int fd = segment.fd().get();

  EXPECT_EQ(::pwrite(fd, "x", 1, 100), -1);
  EXPECT_EQ(::ftruncate(fd, 4096), -1);
  EXPECT_EQ(::ftruncate(fd, 16384), -1);
  EXPECT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
  EXPECT_EQ(::madvise(segment.data(), 4096, MADV_REMOVE), -1);
  EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

TEST(SegmentTest, TheMappingStaysWithoutItsDescriptor) {
  Segment segment = create(4096);

  segment.take_fd().reset();
  segment.data()[4095] = std::byte{1};

  EXPECT_EQ(segment.data()[4095], std::byte{1});
}

TEST(SegmentTest, EveryFailureOfTheKernelIsAStatusAndLeavesNothingOpen) {
  const std::size_t fds = test::open_fd_count();
  for (std::uint64_t nth = 1;; ++nth) {
    const runtime::sys::FailureInjection injection(nth, ENOMEM);
    SegmentHeader header{};
    header.kind = SegmentKind::kControl;

    const StatusOr<Segment> segment = Segment::create(header, 65536);

    if (!injection.fired()) break;
    if (segment.ok()) continue;  // a close that failed
    EXPECT_EQ(segment.status().code(), StatusCode::kResourceExhausted) << nth;
    EXPECT_THAT(segment.status().ToString(), HasSubstr("create segment: ")) << nth;
    EXPECT_EQ(test::open_fd_count(), fds) << nth;
  }
  EXPECT_EQ(test::open_fd_count(), fds);
}

TEST(SegmentTest, AMachineThatRefusesMemfdsSaysUnavailable) {
  for (int error : {EPERM, EACCES, ENOSYS}) {
    const runtime::sys::FailureInjection injection(1, error);

    const StatusOr<Segment> segment = Segment::create(SegmentHeader{}, 4096);

    EXPECT_EQ(segment.status().code(), StatusCode::kUnavailable) << segment.status().ToString();
  }
}

TEST(PeerSegmentTest, EveryFailureOfTheKernelIsAStatusAndLeavesNothingOpen) {
  const std::size_t fds = test::open_fd_count();
  for (std::uint64_t nth = 1;; ++nth) {
    UniqueFd fd = make_memfd(good_header(SegmentKind::kArena, 8192));
    const runtime::sys::FailureInjection injection(nth, ENOMEM);

    {
      const StatusOr<PeerSegment> peer = PeerSegment::adopt(UniqueFd(std::move(fd)), SegmentKind::kArena, kBytesMax);
      if (!injection.fired()) {
        EXPECT_TRUE(peer.ok());
        break;
      }
      if (!peer.ok()) {
        EXPECT_THAT(peer.status().ToString(), HasSubstr("adopt segment: ")) << nth;
      }
    }

    EXPECT_EQ(test::open_fd_count(), fds) << nth;
  }
  EXPECT_EQ(test::open_fd_count(), fds);
}

TEST(PeerSegmentTest, ClosesTheDescriptorWhetherItAdoptsOrRefuses) {
  const std::size_t fds = test::open_fd_count();

  EXPECT_EQ(refusal(make_memfd(good_header(SegmentKind::kArena, 8192))), "");
  EXPECT_NE(refusal(make_memfd(SegmentHeader{})), "");

  EXPECT_EQ(test::open_fd_count(), fds);
}

TEST(PeerSegmentTest, RefusesWhatIsNoRegularFile) {
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
  const UniqueFd other(sockets[1]);
  int pipes[2];
  ASSERT_EQ(::pipe2(pipes, O_CLOEXEC), 0);
  const UniqueFd pipe_end(pipes[1]);

  EXPECT_THAT(refusal(UniqueFd(sockets[0])), HasSubstr("not a memfd"));
  EXPECT_THAT(refusal(UniqueFd(pipes[0])), HasSubstr("not a memfd"));
  EXPECT_THAT(refusal(UniqueFd(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC))), HasSubstr("not a memfd"));
  EXPECT_THAT(refusal(UniqueFd(::open("/dev/zero", O_RDWR | O_CLOEXEC))), HasSubstr("not a memfd"));
}

TEST(PeerSegmentTest, RefusesAPlainFile) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const int fd = ::fcntl(::fileno(file), F_DUPFD_CLOEXEC, 0);
  ASSERT_EQ(::ftruncate(fd, 8192), 0);

  // On a disk there are no seals to ask for; on a tmpfs they are missing.
  EXPECT_THAT(refusal(UniqueFd(fd)), ::testing::AnyOf(HasSubstr("not a memfd"), HasSubstr("seals")));
  std::fclose(file);
}

TEST(PeerSegmentTest, RefusesADescriptorThatIsNone) {
  const StatusOr<PeerSegment> peer = PeerSegment::adopt(UniqueFd(), SegmentKind::kArena, kBytesMax);

  EXPECT_THAT(peer.status().ToString(), HasSubstr("adopt segment: not a memfd"));
}

TEST(PeerSegmentTest, RefusesAMemfdThatLacksASeal) {
  for (int missing : {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE, F_SEAL_SEAL, test::kSegmentSeals}) {
    EXPECT_THAT(refusal_of_memfd({.seals = test::kSegmentSeals & ~missing}), HasSubstr("seals are missing"));
  }
}

TEST(PeerSegmentTest, RefusesASizeThatIsWrong) {
  EXPECT_THAT(refusal_of_memfd({.bytes = 0}), HasSubstr("size is not whole pages"));
  EXPECT_THAT(refusal_of_memfd({.bytes = 100}), HasSubstr("size is not whole pages"));
  EXPECT_THAT(refusal_of_memfd({.bytes = 8193}), HasSubstr("size is not whole pages"));
  EXPECT_THAT(refusal_of_memfd({.bytes = 16384}, 16383), HasSubstr("size is beyond the limit"));
  EXPECT_EQ(refusal_of_memfd({.bytes = 16384}, 16384), "");
}

TEST(PeerSegmentTest, RefusesASparseFile) {
  EXPECT_THAT(refusal_of_memfd({.allocated = false}), HasSubstr("file is sparse"));
  EXPECT_THAT(refusal_of_memfd({.bytes = std::size_t{1} << 40, .allocated = false}, std::size_t{1} << 50),
              HasSubstr("file is sparse"));
}

TEST(PeerSegmentTest, RefusesHugePages) {
  const UniqueFd probe(::memfd_create("probe", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
  if (!probe) GTEST_SKIP() << "the kernel has no huge pages";

  EXPECT_THAT(
      refusal_of_memfd({.flags = MFD_HUGETLB, .bytes = std::size_t{2} << 20, .allocated = false, .header = false},
                       std::size_t{4} << 20),
      HasSubstr("huge pages"));
}

TEST(PeerSegmentTest, RefusesAHeaderThatIsWrongAndNamesTheField) {
  EXPECT_EQ(refusal_of_header([](SegmentHeader&) {}), "");
  EXPECT_THAT(refusal_of_header([](SegmentHeader& h) { h.magic ^= 1; }), HasSubstr("magic"));
  EXPECT_THAT(refusal_of_header([](SegmentHeader& h) { ++h.version; }), HasSubstr("version"));
  EXPECT_THAT(refusal_of_header([](SegmentHeader& h) { h.kind = SegmentKind::kControl; }), HasSubstr("kind"));
  EXPECT_THAT(refusal_of_header([](SegmentHeader& h) { h.kind = static_cast<SegmentKind>(77); }), HasSubstr("kind"));
  EXPECT_THAT(refusal_of_header([](SegmentHeader& h) { h.segment_bytes = 4096; }), HasSubstr("segment_bytes"));
  EXPECT_THAT(refusal_of_header([](SegmentHeader& h) { h.segment_bytes = ~std::uint64_t{0}; }),
              HasSubstr("segment_bytes"));
  for (int word = 0; word < 7; ++word) {
    EXPECT_THAT(refusal_of_header([word](SegmentHeader& h) { h.reserved[word] = 1; }), HasSubstr("reserved"));
  }
}

TEST(PeerSegmentTest, RefusesAnArenaThatHasRings) {
  EXPECT_THAT(refusal_of_header([](SegmentHeader& h) { h.ring_bytes = 16384; }), HasSubstr("ring_bytes"));
  EXPECT_THAT(refusal_of_header([](SegmentHeader& h) { h.release_slot_count = 256; }), HasSubstr("release_slot_count"));
}

TEST(PeerSegmentTest, RefusesAControlSegmentThatHasAnId) {
  SegmentHeader header = good_header(SegmentKind::kControl, 8192);
  header.id = 1;

  const StatusOr<PeerSegment> peer = PeerSegment::adopt(make_memfd(header), SegmentKind::kControl, kBytesMax);

  EXPECT_THAT(peer.status().ToString(), HasSubstr("adopt segment: id"));
}

TEST(PeerSegmentTest, KeepsTheHeaderAsItWasWhateverTheOwnerWritesLater) {
  Segment segment = create(4096);
  StatusOr<PeerSegment> peer = PeerSegment::adopt(segment.take_fd(), SegmentKind::kArena, kBytesMax);
  ASSERT_TRUE(peer.ok());

  std::memset(segment.data(), 0xff, sizeof(SegmentHeader));

  EXPECT_EQ(peer->header().magic, kSegmentMagic);
  EXPECT_EQ(peer->header().segment_bytes, 4096U);
}

TEST(MappingTest, MovesAndIsUndoneOnce) {
  void* data = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(data, MAP_FAILED);
  {
    Mapping first(static_cast<std::byte*>(data), 4096);
    Mapping second(std::move(first));
    Mapping third;
    third = std::move(second);

    EXPECT_EQ(first.data(), nullptr);
    EXPECT_EQ(second.data(), nullptr);
    EXPECT_EQ(third.data(), data);
    EXPECT_EQ(third.size_bytes(), 4096U);
  }

  EXPECT_EQ(::msync(data, 4096, MS_ASYNC), -1) << "it is mapped still";
  EXPECT_EQ(errno, ENOMEM);
}

}  // namespace
}  // namespace wharf::shm
