#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/explain/probe.h"

namespace wharf::runtime::explain {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
constexpr std::size_t kPageBytes = 4096;

// 0, or the errno of the first call that failed; `call` is its name.
int try_sealing(const char*& call) {
  call = "memfd_create";
  const int created = sys::memfd_create("wharf-explain", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (created < 0) return -created;
  const UniqueFd file(created);
  call = "ftruncate";
  if (const int cut = sys::ftruncate(file.get(), kPageBytes); cut < 0) return -cut;
  call = "mmap";
  int error = 0;
  void* own = sys::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0, &error);
  if (own == nullptr) return -error;
  sys::munmap(own, kPageBytes);
  call = "fcntl(F_ADD_SEALS)";
  if (const int sealed = sys::fcntl(file.get(), F_ADD_SEALS, kSeals); sealed < 0) return -sealed;
  call = "F_SEAL_FUTURE_WRITE";
  void* writable = sys::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0, &error);
  if (writable == nullptr) return 0;
  sys::munmap(writable, kPageBytes);
  return EOPNOTSUPP;  // a peer could write
}

Finding sealed_memory() {
  const char* call = "";
  const int error = try_sealing(call);
  return finding_of("memfd.sealing", error, "a sealed file cannot be mapped for writing",
                    error == 0 ? "messages go through shared memory" : "messages go through the socket instead",
                    detail::explain_call_refusal(error, call, "5.1"));
}

// Sends `fd` through a socket to itself; gives what arrives, or minus the errno.
int send_descriptor(int fd) {
  int fds[2] = {-1, -1};
  const int paired = sys::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
  if (paired < 0) return paired;
  const UniqueFd sender(fds[0]);
  const UniqueFd receiver(fds[1]);
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  if (const ssize_t sent = sys::sendmsg(sender.get(), &message, 0); sent < 0) return static_cast<int>(sent);
  message.msg_controllen = sizeof(control);
  const ssize_t received = sys::recvmsg(receiver.get(), &message, MSG_CMSG_CLOEXEC);
  if (received < 0) return static_cast<int>(received);
  header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -EOPNOTSUPP;
  int arrived = -1;
  std::memcpy(&arrived, CMSG_DATA(header), sizeof(arrived));
  return arrived;
}

int try_eventfd(const char*& call) {
  call = "eventfd2";
  const int made = sys::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (made < 0) return -made;
  const UniqueFd event(made);
  call = "sendmsg with SCM_RIGHTS";
  const int arrived = send_descriptor(event.get());
  if (arrived < 0) return -arrived;
  const UniqueFd copy(arrived);
  const std::uint64_t one = 1;
  std::uint64_t count = 0;
  call = "write to an eventfd";
  if (const ssize_t sent = sys::write(copy.get(), &one, sizeof(one)); sent < 0) return static_cast<int>(-sent);
  if (const ssize_t got = sys::read(event.get(), &count, sizeof(count)); got < 0) return static_cast<int>(-got);
  return count == 1 ? 0 : EIO;
}

Finding shared_eventfd() {
  const char* call = "";
  const int error = try_eventfd(call);
  return finding_of("eventfd.sharing", error, "sent through a socket, it rings", "wakes the peer process",
                    detail::explain_call_refusal(error, call, "2.6.30"));
}

Finding pidfd() {
  const int opened = sys::pidfd_open(::getpid(), 0);
  const UniqueFd own(opened);
  const int error = opened < 0 ? -opened : 0;
  return finding_of("pidfd", error, "", "watches child processes",
                    detail::explain_call_refusal(error, "pidfd_open", "5.3"));
}

// "never", of "always within_size advise [never] deny force".
std::string chosen_word(const std::string& words) {
  const std::size_t begin = words.find('[');
  const std::size_t end = words.find(']');
  if (begin == std::string::npos || end == std::string::npos) return {};
  return words.substr(begin + 1, end - begin - 1);
}

Finding huge_pages() {
  const char* path = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
  const std::string word = chosen_word(detail::read_proc(path));
  Finding finding{"huge_pages.shared_memory", State::kYes, word, "the option huge_pages of a port", "", ""};
  if (word == "never" || word == "deny" || word.empty()) {
    finding.state = State::kNo;
    finding.found = word.empty() ? "no " + std::string(path) : word;
    finding.cause = word.empty() ? "the kernel was built without them" : std::string(path) + " is " + word;
    finding.remedy = word.empty() ? "none is needed: the option changes nothing"
                                  : "echo advise > " + std::string(path) + ", if the option is used";
  }
  return finding;
}

}  // namespace

std::vector<Finding> probe_kernel() { return {sealed_memory(), shared_eventfd(), pidfd(), huge_pages()}; }

}  // namespace wharf::runtime::explain
