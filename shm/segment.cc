#include "wharf/shm/segment.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "wharf/runtime/base/sys.h"

namespace wharf::shm {
namespace sys = runtime::sys;
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

Status refuse(const char* what) { return absl::InvalidArgumentError(std::string("adopt segment: ") + what); }

Status failed(int negative_errno, const char* operation) { return runtime::errno_status(-negative_errno, operation); }

// Maps the whole of `fd`. Errors: as mmap.
StatusOr<Mapping> map(const runtime::UniqueFd& fd, std::size_t bytes, int protection, const char* operation) {
  int error = 0;
  void* data = sys::mmap(nullptr, bytes, protection, MAP_SHARED, fd.get(), 0, &error);
  if (data == nullptr) return failed(error, operation);
  return Mapping(static_cast<std::byte*>(data), bytes);
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) sys::munmap(data_, bytes_);
}

StatusOr<Segment> Segment::create(SegmentHeader header, std::size_t bytes, bool huge_pages) {
  bytes = (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  const int created = sys::memfd_create("wharf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (created == -EPERM || created == -EACCES || created == -ENOSYS) {
    return runtime::make_status(StatusCode::kUnavailable,
                                "create segment: memfd_create is refused here: " + runtime::errno_text(-created));
  }
  if (created < 0) return failed(created, "create segment: memfd_create");
  runtime::UniqueFd fd(created);
  const int allocated = sys::fallocate(fd.get(), 0, 0, static_cast<off_t>(bytes));
  if (allocated < 0) return failed(allocated, "create segment: fallocate");
  StatusOr<Mapping> mapping = map(fd, bytes, PROT_READ | PROT_WRITE, "create segment: mmap");
  if (!mapping.ok()) return mapping.status();
  if (huge_pages) sys::madvise(mapping->data(), bytes, MADV_HUGEPAGE);  // advice: that it is refused changes nothing
  const int sealed = sys::fcntl(fd.get(), F_ADD_SEALS, kSeals);
  if (sealed < 0) return failed(sealed, "create segment: add seals");

  header.magic = kSegmentMagic;
  header.version = kFormatVersion;
  header.segment_bytes = bytes;
  if (header.kind == SegmentKind::kControl) ::new (mapping->data()) ControlLines{};
  std::memcpy(mapping->data(), &header, sizeof(header));
  return Segment(std::move(fd), std::move(mapping).value());
}

StatusOr<PeerSegment> PeerSegment::adopt(const runtime::UniqueFd& fd, SegmentKind kind, std::size_t segment_bytes_max) {
  // Only memory answers with seals; everything else says EINVAL. It is asked first, because fstat of a file on FUSE asks
  // whoever serves it, who may take for ever.
  const int seals = sys::fcntl(fd.get(), F_GET_SEALS, 0);
  if (seals < 0) return refuse("not a memfd");
  struct stat info;
  const int known = sys::fstat(fd.get(), &info);
  if (known < 0) return failed(known, "adopt segment: fstat");
  if (!S_ISREG(info.st_mode)) return refuse("not a regular file");
  // Huge pages answer with seals too, but lie in another file system. Their reader can be killed for want of them.
  struct statfs system;
  const int found = sys::fstatfs(fd.get(), &system);
  if (found < 0) return failed(found, "adopt segment: fstatfs");
  if (system.f_type != TMPFS_MAGIC) return refuse("lies in huge pages");
  if ((seals & kSeals) != kSeals) return refuse("seals are missing: shrink, grow, future-write and seal are wanted");
  const auto bytes = static_cast<std::uint64_t>(info.st_size);
  if (bytes < kPageBytes || bytes % kPageBytes != 0) return refuse("size is not whole pages");
  if (bytes > segment_bytes_max) return refuse("size is beyond the limit");
  // A sparse file would let the peer make us allocate its memory when we read it.
  if (static_cast<std::uint64_t>(info.st_blocks) * 512 < bytes) return refuse("file is sparse");

  StatusOr<Mapping> mapping = map(fd, bytes, PROT_READ, "adopt segment: mmap");
  if (!mapping.ok()) return mapping.status();
  SegmentHeader header;
  std::memcpy(&header, mapping->data(), sizeof(header));
  if (header.magic != kSegmentMagic) return refuse("magic");
  if (header.version != kFormatVersion) return refuse("version");
  if (header.kind != kind) return refuse("kind");
  if (header.segment_bytes != bytes) return refuse("segment_bytes");
  const bool is_control = kind == SegmentKind::kControl;
  if (is_control && header.id != 0) return refuse("id");
  if (!is_control && header.ring_bytes != 0) return refuse("ring_bytes");
  if (!is_control && header.release_slot_count != 0) return refuse("release_slot_count");
  for (std::uint32_t word : header.reserved) {
    if (word != 0) return refuse("reserved");
  }
  return PeerSegment(std::move(mapping).value(), header);
}

}  // namespace wharf::shm
