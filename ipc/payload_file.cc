#include "wharf/ipc/payload_file.h"

#include <sys/mman.h>

#include <memory>
#include <string>

#include "wharf/ipc/detail/file_payload.h"
#include "wharf/ipc/piece.h"
#include "wharf/runtime/base/sys.h"

namespace wharf::ipc {
namespace sys = runtime::sys;
namespace {

constexpr std::size_t kBytesMax = std::size_t{4} << 30;

}  // namespace

StatusOr<PayloadFile> PayloadFile::create(std::size_t bytes) {
  if (bytes == 0 || bytes > kBytesMax) {
    return absl::InvalidArgumentError("payload file: its size must be 1 byte..4 GiB");
  }
  StatusOr<runtime::UniqueFd> fd = detail::FilePayload::create();
  if (!fd.ok()) return fd.status();
  const int allocated = sys::fallocate(fd->get(), 0, 0, static_cast<off_t>(bytes));
  if (allocated < 0) return runtime::errno_status(-allocated, "payload file: fallocate");
  int error = 0;
  void* data = sys::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd->get(), 0, &error);
  if (data == nullptr) return runtime::errno_status(-error, "payload file: mmap");
  return PayloadFile(*std::move(fd), shm::Mapping(static_cast<std::byte*>(data), bytes));
}

Piece PayloadFile::take_piece() && {
  const std::size_t bytes = mapping_.size_bytes();
  mapping_ = shm::Mapping();
  return Piece(std::make_unique<detail::FilePayload>(detail::FilePayload::seal(std::move(fd_), bytes)));
}

}  // namespace wharf::ipc
