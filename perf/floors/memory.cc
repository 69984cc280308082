// What memory itself costs. `cache_line`: one line that two cores write by turns. `memcpy`: a core copies payloads from and to
// 8 MiB, as much as a link's arena; it writes what it copies, and checks the copy, as all contenders do.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/floors.h"
#include "wharf/perf/floors/pause.h"

namespace wharf::perf {
namespace {

class CacheLine final : public Duel {
 public:
  explicit CacheLine(const Load& load) : pause_(load) {
    void* memory =
        ::mmap(nullptr, sizeof(Line), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    line_ = ::new (memory) Line;
  }
  ~CacheLine() override { ::munmap(line_, sizeof(Line)); }

  void client(Side& side) override {
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) {
      post(side, line_->turn + 1, number);
      await(number * 2);
      side.check(line_->payload, sizeof(line_->payload), number);
    }
    post(side, line_->turn + 1, kLastNumber);
    side.finish();
  }

  void server(Side& side, unsigned) override {
    side.ready();
    for (std::uint64_t number = 1;; ++number) {
      await(number * 2 - 1);
      if (!side.take(line_->payload, sizeof(line_->payload), number)) break;
      post(side, number * 2, number);
    }
    side.finish();
  }

 private:
  // `turn` is the client's when it is even.
  struct Line {
    alignas(128) std::atomic<std::uint64_t> turn{0};
    unsigned char payload[16];  // NOLINT(modernize-avoid-c-arrays)
  };

  void post(Side& side, std::uint64_t turn, std::uint64_t number) {
    side.write(line_->payload, sizeof(line_->payload), number);
    line_->turn.store(turn, std::memory_order_release);
  }
  void await(std::uint64_t turn) {
    while (line_->turn.load(std::memory_order_acquire) != turn) pause_();
  }

  const Pause pause_;
  Line* line_;
};

class Memcpy final : public Duel {
 public:
  explicit Memcpy(const Load& load)
      : bytes_(load.payload_bytes), count_(std::max<std::size_t>(1, kArenaBytes / bytes_)) {}

  void client(Side& side) override {
    std::vector<std::byte> source(bytes_ * count_);
    std::vector<std::byte> target(bytes_ * count_);
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) {
      const std::size_t at = number % count_ * bytes_;
      side.write(&source[at], bytes_, number);
      std::memcpy(&target[at], &source[at], bytes_);
      side.check(&target[at], bytes_, number);
    }
    side.finish();
  }

  void server(Side& side, unsigned) override {
    side.ready();
    side.finish();
  }

 private:
  static constexpr std::size_t kArenaBytes = std::size_t{8} << 20;
  const std::size_t bytes_;
  const std::size_t count_;
};

}  // namespace

std::vector<Entry> memory_entries() {
  return {
      {"cache_line", "cache_line", {Mode::kAwake}, make<CacheLine>, 16, false, 2},
      // The client counts each message twice, sent and received. The cpu time that the run prints is that of two.
      {"memcpy", "memcpy", {Mode::kAwake}, make<Memcpy>, kPayloadBytesMax, false, 2},
  };
}

}  // namespace wharf::perf
