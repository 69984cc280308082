// ResponseWriter: sends a response: a head, then parts of memory, or a file.
//
//     writer.begin(head);
//     writer.add(part);                 // borrowed until send() is done
//     Status sent = co_await writer.send();
//
// Errors:  DeadlineExceeded  the client read nothing for as long as it may
//          any other         as those of sendmsg; the connection is of no use any more
// Cancel:  honoured.
// Threads: the reactor's.
// Cost:    one operation, if the socket takes all of it; no copy of the parts but the small ones.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/docs/examples/appserver/response_head.h"
#include "wharf/runtime/base/status.h"

namespace appserver {

class ResponseWriter {
 public:
  ResponseWriter(int socket, std::int64_t write_stall_ms) noexcept : socket_(socket), write_stall_ms_(write_stall_ms) {}

  void begin(const ResponseHead& head);
  void add(std::span<const std::byte> part);
  void add(std::string_view part) { add(std::as_bytes(std::span(part))); }
  wharf::coro::Task<wharf::Status> send();
  // After send(), the first `bytes` of a file. Less than that is DataLoss.
  wharf::coro::Task<wharf::Status> send_file(int file, std::uint64_t bytes);
  // What send() sends is not the end: send_file() follows.
  void expect_file() noexcept { more_follows_ = true; }

 private:
  const int socket_;
  const std::int64_t write_stall_ms_;
  bool more_follows_ = false;
  // The head, and small parts right behind it.
  std::array<char, kResponseHeadBytesMax + 1024> start_;
  std::size_t start_bytes_ = 0;
  std::vector<iovec> parts_;  // the first is the start
};

}  // namespace appserver
