// Peers that receive large messages, and small ones beside them.
#include "wharf/tests/ipc/peers/large.h"

#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"

namespace wharf::test {

// Answers requests of stamped pages with what it has seen of them.
WHARF_PEER(check_pages) {
  while (auto message = co_await peer.port().receive()) {
    if (!message->is_request()) continue;
    PageReport report{
        .size_bytes = message->size_bytes(), .part_count = message->part_count(), .fd_count = message->fd_count()};
    std::uint64_t page = 0;
    for (std::size_t i = 0; i < message->part_count(); ++i) {
      report.wrong_count += count_wrong_pages(message->part(i), page);
      page += message->part_bytes(i) / kStampedBytes;
      if (message->take_file(i)) ++report.file_count;
    }
    Status sent = co_await message->reply(ipc::Message(bytes_of(report)));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

// Tells in which order messages came.
WHARF_PEER(record_order) {
  OrderReport report;
  while (auto message = co_await peer.port().receive()) {
    if (!message->is_request()) {
      WANT(report.count < kOrderCountMax);
      report.types[report.count++] = static_cast<std::uint8_t>(message->type());
      continue;
    }
    Status sent = co_await message->reply(ipc::Message(bytes_of(report)));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
