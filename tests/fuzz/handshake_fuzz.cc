// The handshake against a scripted peer: everything that it says lies in the socket before we begin, or its end does.
// Either both agree on something sane, or it is refused; no descriptor is left over.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "wharf/ipc/detail/handshake.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/fuzz/fd_census.h"
#include "wharf/tests/fuzz/input.h"
#include "wharf/tests/fuzz/raw_packet.h"

namespace wharf::test {
namespace {

using ipc::detail::Hello;
using ipc::detail::PacketHeader;
using ipc::detail::PacketKind;
using ipc::detail::Ready;

// Says `payload` honestly, but for what the input overwrites.
template <class T>
void say(int socket, PacketKind kind, T payload, std::uint64_t sequence, std::vector<int> fds, const Wares& wares,
         Input& input) {
  PacketHeader header{};
  header.kind = kind;
  header.sequence = sequence;
  header.message_bytes = sizeof(payload);
  std::vector<std::byte> bytes(sizeof(payload));
  std::memcpy(bytes.data(), &payload, sizeof(payload));
  const std::uint8_t change = input.byte();
  if ((change & 1) != 0) {
    const std::size_t at = input.below(bytes.size());
    input.fill(bytes.data() + at, std::min<std::size_t>(1 + input.below(8), bytes.size() - at));
  }
  if ((change & 2) != 0) bytes.resize(input.below(2048));
  if ((change & 4) != 0) fds = wares.pick_some(input, 20);
  header.fragment_bytes = static_cast<std::uint32_t>(bytes.size());
  header.fd_count = static_cast<std::uint8_t>(fds.size());
  if ((change & 8) != 0) {
    const std::size_t at = input.below(sizeof(header));
    input.fill(reinterpret_cast<std::byte*>(&header) + at, std::min<std::size_t>(4, sizeof(header) - at));
  }
  if ((change & 16) != 0) {
    send_raw(socket, input.bytes(input.byte()), fds);
  } else {
    send_packet(socket, header, bytes, fds);
  }
}

void speak(int socket, const Wares& wares, Input& input) {
  const bool shared = input.coin();
  Hello hello{};
  hello.magic = ipc::detail::kHelloMagic;
  hello.version = ipc::detail::kLinkVersion;
  hello.shared_memory = shared ? 1 : 0;
  hello.message_bytes_max = input.coin() ? 1 << 20 : input.near(0);
  hello.packet_bytes_max = input.coin() ? 4096 : input.take<std::uint32_t>();
  hello.inline_bytes_max = input.coin() ? 1024 : input.take<std::uint32_t>();
  std::vector<int> fds;
  if (shared)
    fds = {input.coin() ? wares.pick(input) : wares.control(), input.coin() ? wares.pick(input) : wares.doorbell()};
  say(socket, PacketKind::kHello, hello, 0, fds, wares, input);
  if (input.coin()) return;
  const Ready ready{.shared_memory = shared ? 1u : 0u, .reserved = 0};
  say(socket, PacketKind::kReady, ready, 1, {}, wares, input);
}

coro::Task<void> shake(runtime::UniqueFd socket, bool shared_memory) {
  ipc::PortOptions options;
  options.shared_memory = shared_memory;
  auto done = co_await ipc::detail::shake_hands(std::move(socket), options, nullptr);
  if (!done.ok()) {
    WHARF_CHECK(done.status().code() != StatusCode::kDeadlineExceeded, "the peer's end is its last word");
    WHARF_CHECK(!done.status().message().empty(), "a refusal says why");
    co_return;
  }
  WHARF_CHECK_LE(done->packet_bytes_max, options.packet_bytes_max);
  WHARF_CHECK_LE(1024U, done->packet_bytes_max);
  WHARF_CHECK_LE(done->message_bytes_max, options.message_bytes_max);
  WHARF_CHECK_LE(done->inline_bytes_max, shm::kInlineBytesMax);
  WHARF_CHECK_EQ(static_cast<bool>(done->lane), static_cast<bool>(done->peer_doorbell));
  WHARF_CHECK_EQ(static_cast<bool>(done->lane), static_cast<bool>(done->own_doorbell));
  if (done->lane) {
    // What was mapped can be read: an honest ring is empty, whatever else is in it.
    shm::RecordView record;
    done->lane->reader().peek(record);
    done->lane->close();
  }
}

}  // namespace
}  // namespace wharf::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wharf;
  static const test::Wares wares;
  static const std::unique_ptr<runtime::Reactor> reactor = *runtime::Reactor::create();
  const test::FdCensus census;
  test::Input input(data, size);
  const bool shared_memory = input.coin();
  auto [peer, own] = test::packet_sockets();
  test::speak(peer.get(), wares, input);
  ::shutdown(peer.get(), SHUT_WR);
  reactor->run(test::shake(std::move(own), shared_memory));
  return 0;
}
