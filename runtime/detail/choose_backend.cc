#include "wharf/runtime/detail/choose_backend.h"

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/runtime/detail/epoll_backend.h"
#include "wharf/runtime/detail/uring_backend.h"

namespace wharf::runtime::detail {
namespace {

StatusOr<ChosenBackend> on_epoll(std::uint32_t operations_max, std::string why) {
  StatusOr<std::unique_ptr<Backend>> epoll = EpollBackend::create(operations_max);
  if (!epoll.ok()) return epoll.status();
  return ChosenBackend{.backend = *std::move(epoll), .why_not_uring = std::move(why)};
}

}  // namespace

StatusOr<ChosenBackend> choose_backend(BackendKind kind, std::uint32_t ring_entries, std::uint32_t operations_max) {
  const char* const forced = ::secure_getenv("WHARF_BACKEND");
  const std::string_view word = forced != nullptr ? forced : "";
  if (word == "epoll") return on_epoll(operations_max, "WHARF_BACKEND is epoll");
  if (word == "uring") {
    kind = BackendKind::kUring;
  } else if (!word.empty()) {
    return make_status(StatusCode::kInvalidArgument, "reactor: WHARF_BACKEND is neither uring nor epoll");
  }
  if (kind == BackendKind::kEpoll) {
    return on_epoll(operations_max, "ReactorOptions::backend is kEpoll");
  }
  StatusOr<std::unique_ptr<Backend>> uring = UringBackend::create(ring_entries, operations_max);
  if (uring.ok()) return ChosenBackend{.backend = *std::move(uring), .why_not_uring = ""};
  const bool mistaken = uring.status().code() == StatusCode::kInvalidArgument;
  if (kind == BackendKind::kUring || mistaken) return uring.status();
  StatusOr<ChosenBackend> epoll = on_epoll(operations_max, std::string(uring.status().message()));
  if (epoll.ok()) return epoll;
  // Each may have a cause of its own; whoever mends epoll's has a reactor.
  std::string both(epoll.status().message());
  both += "; and not on io_uring either: ";
  both += std::string(uring.status().message());
  return make_status(epoll.status().code(), both);
}

}  // namespace wharf::runtime::detail
