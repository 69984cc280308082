// Peers that break the rules of the link: see lies.h.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "wharf/tests/ipc/lies.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {

// Tells lie number `argument` of its route; then the other side has to close the link.
WHARF_RAW_PEER(liar) {
  const bool shared = peer.setup().port.shared_memory;
  const Lie& lie = (shared ? lane_lies() : socket_lies())[peer.argument()];
  {
    RawLink link(peer.take_link(), shared);
    Status shaken = link.shake_hands();
    WANT_OK(shaken);
    peer.cue();
    lie.tell(link);
    if (shared) link.publish();
    link.wait_for_end();
  }
  co_return absl::OkStatus();
}

// Tries everything that would let it write what the other side trusts.
WHARF_RAW_PEER(intruder) {
  {
    RawLink link(peer.take_link(), true);
    Status shaken = link.shake_hands();
    WANT_OK(shaken);
    const int fd = link.peer_control().get();
    struct stat info {};
    WANT(::fstat(fd, &info) == 0);
    const auto bytes = static_cast<std::size_t>(info.st_size);

    WANT(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    WANT(errno == EPERM || errno == EACCES);
    void* view = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    WANT(view != MAP_FAILED);
    WANT(::mprotect(view, bytes, PROT_READ | PROT_WRITE) != 0);
    ::munmap(view, bytes);
    WANT(::pwrite(fd, "x", 1, 0) < 0);
    WANT(::ftruncate(fd, 0) != 0);
    WANT(::ftruncate(fd, info.st_size * 2) != 0);
    WANT(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0);
    const int seals = ::fcntl(fd, F_GET_SEALS);
    WANT_EQ(seals & kSegmentSeals, kSegmentSeals);
    runtime::UniqueFd reopened(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDWR | O_CLOEXEC));
    if (reopened) {
      WANT(::mmap(nullptr, bytes, PROT_WRITE, MAP_SHARED, reopened.get(), 0) == MAP_FAILED);
      WANT(::pwrite(reopened.get(), "x", 1, 0) < 0);
    }
    peer.cue();
    link.wait_for_end();
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
