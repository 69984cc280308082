#include "wharf/ipc/detail/file_payload.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <string>

#include "wharf/runtime/base/sys.h"

namespace wharf::ipc::detail {
namespace sys = runtime::sys;
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

Status failed(int negative_errno, const char* operation) { return runtime::errno_status(-negative_errno, operation); }

Status refuse(const char* what) {
  return absl::InvalidArgumentError(std::string("the peer broke the link's format: file: ") + what);
}

}  // namespace

StatusOr<runtime::UniqueFd> FilePayload::create() {
  const int created = sys::memfd_create("wharf-payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (created >= 0) return runtime::UniqueFd(created);
  if (created != -EPERM && created != -EACCES && created != -ENOSYS) {
    return failed(created, "payload file: memfd_create");
  }
  return runtime::make_status(StatusCode::kUnavailable,
                              "payload file: memfd_create is refused here: " + runtime::errno_text(-created));
}

FilePayload FilePayload::seal(runtime::UniqueFd fd, std::size_t bytes) noexcept {
  const bool sealed = sys::fcntl(fd.get(), F_ADD_SEALS, kSeals) >= 0;
  return {std::move(fd), bytes, sealed};
}

StatusOr<FilePayload> FilePayload::adopt(runtime::UniqueFd& fd, std::size_t bytes) {
  // Only a memfd answers with seals; one in huge pages does too, but lies in another file system. Asked first: fstat of a
  // file on a file system of somebody's own making can block.
  const int seals = sys::fcntl(fd.get(), F_GET_SEALS, 0);
  if (seals < 0) return refuse("not a memfd");
  struct stat info;
  if (const int known = sys::fstat(fd.get(), &info); known < 0) return failed(known, "payload file: fstat");
  if ((seals & kSeals) != kSeals) return refuse("seals are missing: shrink, grow, write and seal are wanted");
  struct statfs system;
  if (const int known = sys::fstatfs(fd.get(), &system); known < 0) return failed(known, "payload file: fstatfs");
  if (system.f_type != TMPFS_MAGIC) return refuse("lies in huge pages");
  if (static_cast<std::uint64_t>(info.st_size) != bytes) return refuse("size is not as said");
  if (static_cast<std::uint64_t>(info.st_blocks) * 512 < bytes) return refuse("file is sparse");
  return FilePayload(std::move(fd), bytes, true);
}

const std::byte* FilePayload::data() const noexcept {
  if (mapping_.data() == nullptr && bytes_ != 0) {
    // Private, because kernels before 6.7 refuse a shared mapping of a file sealed against writing. Nothing is copied.
    void* data = sys::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, fd_.get(), 0);
    if (data != nullptr) mapping_ = shm::Mapping(static_cast<std::byte*>(data), bytes_);
  }
  return mapping_.data();
}

}  // namespace wharf::ipc::detail
