#include "wharf/tests/runtime/harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>

#include "wharf/runtime/detail/uring_backend.h"

namespace wharf::test {

const std::string& why_no_uring() {
  static const std::string why = [] {
    const auto ring = runtime::detail::UringBackend::create(8, 8);
    return ring.ok() ? std::string() : ring.status().ToString();
  }();
  return why;
}

std::size_t open_fd_count() {
  DIR* directory = ::opendir("/proc/self/fd");
  EXPECT_NE(directory, nullptr);
  std::size_t count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

NoMoreFds::NoMoreFds() {
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &old_), 0);
  // The lowest free number is the limit: so are all below taken.
  const int lowest_free = ::dup(STDERR_FILENO);
  EXPECT_GE(lowest_free, 0);
  ::close(lowest_free);
  const rlimit none{static_cast<rlim_t>(lowest_free), old_.rlim_max};
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
}

NoMoreFds::~NoMoreFds() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &old_), 0); }

runtime::UniqueFd connect_to(std::uint16_t port) {
  runtime::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return client;
}

}  // namespace wharf::test
