// `records`: wharf's own ring of records, alone. Each message is copied in behind its header of 32 bytes, and the header is
// copied out and checked before the payload is; but there is no port: no message object, no coroutine, no turn. What wharf
// takes more than this is the port's; what this takes more than `ring` is the format's.
#pragma once

#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/pause.h"
#include "wharf/shm/ring.h"

namespace wharf::perf {

inline constexpr std::size_t kRecordRingBytes = 16 * 1024;  // as a port has by default
inline constexpr std::size_t kRecordPayloadBytesMax = 1024;
inline constexpr std::size_t kRecordBatchCells = 32;

// One side's control lines and ring, in memory that both share.
inline shm::ControlLines& make_record_lines() {
  void* memory = ::mmap(nullptr, shm::kRingOffset + kRecordRingBytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  return *::new (memory) shm::ControlLines{};
}

// What one side has of the two rings.
class Records {
 public:
  Records(shm::ControlLines& own, const shm::ControlLines& peer, const Pause& pause)
      : writer_(own, peer, kRecordRingBytes),
        reader_(own, peer, kRecordRingBytes, kRecordPayloadBytesMax),
        pause_(pause) {}

  // `flags` and `stream`: of a call's request or reply.
  void send(Side& side, std::size_t bytes, std::uint64_t number, std::uint8_t flags = 0, std::uint64_t stream = 0) {
    side.write(spare_.data(), bytes, number);
    std::byte* at = nullptr;
    while ((at = writer_.reserve(shm::record_cells(0, bytes))) == nullptr) {
      writer_.publish();
      pause_();
    }
    ::new (at) shm::RecordHeader{.kind = shm::RecordKind::kMessage,
                                 .flags = flags,
                                 .inline_bytes = static_cast<std::uint16_t>(bytes),
                                 .stream = stream};
    std::memcpy(at + sizeof(shm::RecordHeader), spare_.data(), bytes);
    writer_.commit();
    if (writer_.unpublished_cells() >= kRecordBatchCells) writer_.publish();
  }
  void publish() { writer_.publish(); }

  const std::byte* receive() {
    const std::byte* payload = nullptr;
    while ((payload = try_receive()) == nullptr) pause_();
    return payload;
  }
  // The next payload, and whose it is; null if there is none now.
  const std::byte* try_receive() {
    shm::RecordView record;
    if (reader_.peek(record) != shm::RingReader::Next::kRecord) {
      if (reader_.violation() != nullptr) fail(reader_.violation());
      reader_.publish();
      return nullptr;
    }
    if ((record.header.flags & shm::kFlagRequest) != 0 && reader_.claim_retracted()) fail("a request was taken back");
    stream_ = record.header.stream;
    std::memcpy(received_.data(), record.inline_bytes, record.header.inline_bytes);
    reader_.pop();
    if (reader_.unpublished_cells() >= kRecordBatchCells) reader_.publish();
    return received_.data();
  }
  std::uint64_t stream() const noexcept { return stream_; }

 private:
  std::uint64_t stream_ = 0;  // of what came last
  shm::RingWriter writer_;
  shm::RingReader reader_;
  const Pause& pause_;
  std::array<std::byte, kRecordPayloadBytesMax> spare_;
  std::array<std::byte, kRecordPayloadBytesMax> received_;
};

class RecordDuel : public Duel {
 public:
  explicit RecordDuel(const Load& load)
      : load_(load), pause_(load), clients_(make_record_lines()), servers_(make_record_lines()) {}

 protected:
  Records client_records() { return {clients_, servers_, pause_}; }
  Records server_records() { return {servers_, clients_, pause_}; }

  void pause() const { pause_(); }

  const Load load_;

 private:
  const Pause pause_;
  shm::ControlLines& clients_;
  shm::ControlLines& servers_;
};

}  // namespace wharf::perf
