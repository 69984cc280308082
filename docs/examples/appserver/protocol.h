// What router and worker say to each other. Both are built from this file, and a link joins two
// programs of one build.
//
//     kHttp      request: RequestHead, target, then the body
//                reply:   ReplyHead, header fields, then the body; or the body as a file descriptor
//     kCounters  request: nothing
//                reply:   WorkerCounters
//
// A head is small, so it travels inside the ring's record (target and fields have limits for that);
// a body travels as blocks of shared memory, or inside the record too if there is room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "wharf/ipc/counters.h"
#include "wharf/ipc/message.h"
#include "wharf/ipc/options.h"
#include "wharf/runtime/reactor.h"

namespace appserver {

// The type of a message.
inline constexpr std::uint32_t kHttp = 1;
inline constexpr std::uint32_t kCounters = 2;

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kDelete, kPatch, kOptions };

struct RequestHead {
  Method method;
  std::uint8_t reserved;
  std::uint16_t target_bytes;
};
static_assert(sizeof(RequestHead) == 4);

struct ReplyHead {
  std::uint16_t status;
  std::uint16_t fields_bytes;  // of header fields: "Name: value\r\n" each
  std::uint32_t reserved;
  std::uint64_t content_bytes;  // to a HEAD: what a GET would be answered with; else not looked at
};
static_assert(sizeof(ReplyHead) == 16);

struct WorkerCounters {
  wharf::ipc::PortCounters port;
  wharf::runtime::ReactorCounters reactor;
  std::uint64_t requests;
  std::uint64_t system_calls;  // of every kind, of the worker's thread
  std::uint64_t open_fds;
};
static_assert(std::is_trivially_copyable_v<WorkerCounters>);

// Bytes of a head with its text at most: what a record carries inline.
inline constexpr std::size_t kHeadBytesMax = 2048;
inline constexpr std::size_t kTargetBytesMax = kHeadBytesMax - sizeof(RequestHead);
inline constexpr std::size_t kFieldsBytesMax = 512 - sizeof(ReplyHead);

// The plain part of a message, put together: a head, its text, and what else is small.
template <std::size_t kBytesMax>
class PlainPart {
 public:
  void clear() noexcept { size_ = 0; }
  // False: it does not fit, and nothing was added.
  template <class Head>
  [[nodiscard]] bool add_head(const Head& head) noexcept {
    static_assert(std::is_trivially_copyable_v<Head>);
    return add(std::string_view(reinterpret_cast<const char*>(&head), sizeof(head)));
  }
  [[nodiscard]] bool add(std::string_view text) noexcept {
    if (text.size() > kBytesMax - size_) return false;
    if (!text.empty()) std::memcpy(bytes_.data() + size_, text.data(), text.size());
    size_ += text.size();
    return true;
  }
  std::span<const std::byte> bytes() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::size_t size_ = 0;
  std::array<std::byte, kBytesMax> bytes_;  // the first size_ are set
};

// A received head. The text is a part of the message, which lives as long. Nobody else can change it.
template <class Head>
struct ReadHead {
  Head head;
  std::string_view text;
  std::size_t bytes;  // of the message, before its body
};
// Nothing, if `message` does not begin with a head, or its head lies in memory that the peer can still write to.
std::optional<ReadHead<RequestHead>> read_request_head(const wharf::ipc::Message& message) noexcept;
std::optional<ReadHead<ReplyHead>> read_reply_head(const wharf::ipc::Message& message) noexcept;

// How both ends of a link are opened.
wharf::ipc::PortOptions link_options(bool socket_only, std::uint64_t arena_bytes_max);

// The file descriptors that this process has open.
std::uint64_t count_open_fds();

}  // namespace appserver
