#include "wharf/ipc/detail/assemblies.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace wharf::ipc::detail {

Assemblies::Assembly* Assemblies::find(std::uint32_t id) noexcept {
  const auto slot = std::find_if(slots_.begin(), slots_.end(), [=](const Assembly& item) { return item.id == id; });
  return slot != slots_.end() ? &*slot : nullptr;
}

Assemblies::Violation Assemblies::begin(const PacketHeader& header, std::span<const std::byte> fragment,
                                        Message message) {
  if (header.assembly == 0) return "packet.assembly: 0 in a fragment";
  if (find(header.assembly) != nullptr) return "packet.assembly: it has begun already";
  if (count_ == slots_.size()) return "packet.assembly: too many messages are unfinished";
  if (header.message_bytes > bytes_max_ - expected_bytes_) {
    return "packet.message_bytes: the unfinished messages are too large together";
  }
  SmallBytes payload(header.message_bytes);
  Assembly& assembly = *find(0);
  assembly.id = header.assembly;
  assembly.idle_count = 0;
  assembly.payload = std::move(payload);
  assembly.message = std::move(message);
  std::memcpy(assembly.payload.writable().data(), fragment.data(), fragment.size());
  assembly.done_bytes = fragment.size();
  expected_bytes_ += header.message_bytes;
  ++count_;
  return nullptr;
}

Assemblies::Violation Assemblies::add(const PacketHeader& header, std::span<const std::byte> fragment, Message& whole,
                                      SmallBytes& payload, bool& done) {
  Assembly* assembly = header.assembly != 0 ? find(header.assembly) : nullptr;
  if (assembly == nullptr) return "packet.assembly: a fragment of nothing";
  const std::size_t message_bytes = assembly->payload.bytes().size();
  if (header.message_bytes != message_bytes) return "packet.message_bytes: changed";
  if (fragment.empty() || fragment.size() > message_bytes - assembly->done_bytes) return "packet.fragment_bytes";
  std::memcpy(assembly->payload.writable().data() + assembly->done_bytes, fragment.data(), fragment.size());
  assembly->done_bytes += fragment.size();
  assembly->idle_count = 0;
  done = assembly->done_bytes == message_bytes;
  if (!done) return nullptr;
  whole = std::move(assembly->message);
  payload = std::move(assembly->payload);
  *assembly = Assembly();
  expected_bytes_ -= message_bytes;
  --count_;
  return nullptr;
}

bool Assemblies::tick(bool all_read, int period_count) noexcept {
  bool stalled = false;
  for (Assembly& assembly : slots_) {
    // What we have not read may be its next fragment, or may keep the peer from sending it.
    assembly.idle_count = all_read ? assembly.idle_count + 1 : 0;
    stalled = stalled || (assembly.id != 0 && assembly.idle_count >= period_count);
  }
  return stalled;
}

}  // namespace wharf::ipc::detail
