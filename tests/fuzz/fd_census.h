// How many descriptors this process has open, cheaply enough to ask for every input: one system call.
//
// Threads: any.
#pragma once

#include <poll.h>

#include <array>
#include <cstddef>

#include "wharf/runtime/base/check.h"

namespace wharf::test {

inline std::size_t open_fd_census() noexcept {
  std::array<pollfd, 512> items;
  for (std::size_t i = 0; i < items.size(); ++i) items[i] = {static_cast<int>(i), 0, 0};
  ::poll(items.data(), items.size(), 0);
  std::size_t count = 0;
  for (const pollfd& item : items) count += (item.revents & POLLNVAL) == 0 ? 1 : 0;
  return count;
}

// Aborts at its end if another number of descriptors is open than at its beginning.
class FdCensus {
 public:
  FdCensus() noexcept : before_(open_fd_census()) {}
  FdCensus(const FdCensus&) = delete;
  FdCensus& operator=(const FdCensus&) = delete;
  ~FdCensus() { WHARF_CHECK_EQ(open_fd_census(), before_); }

 private:
  const std::size_t before_;
};

}  // namespace wharf::test
