#include "wharf/runtime/buffer_group.h"

namespace wharf::runtime {

StatusOr<BufferGroup> BufferGroup::create(Reactor& reactor, std::uint32_t count, std::uint32_t bytes) {
  StatusOr<detail::BufferPool*> pool = detail::BufferPool::create(reactor, count, bytes);
  if (!pool.ok()) return pool.status();
  return BufferGroup(**pool);
}

}  // namespace wharf::runtime
