#include "wharf/ipc/detail/route.h"

namespace wharf::ipc::detail {

Route choose_route(const RoutePart& part, const RouteLimits& limits) noexcept {
  using Memory = RoutePart::Memory;
  if (!limits.shared_memory) return Route::kFragments;
  if (part.memory == Memory::kOwnBlock) return Route::kLend;
  if (part.memory == Memory::kPeerBlock) return Route::kReturn;
  if (part.memory == Memory::kFile) return Route::kFile;
  if (part.at_front && part.bytes <= part.inline_room) return Route::kInline;
  if (part.bytes <= copy_bytes_max(limits.arena_bytes_max)) return Route::kCopy;
  if (part.fd_to_spare) return Route::kNewFile;
  return part.bytes <= limits.arena_bytes_max ? Route::kCopy : Route::kNone;
}

}  // namespace wharf::ipc::detail
