// Two lanes in one process, attached to each other as the two ends of a link are.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/shm/lane.h"

namespace wharf::test {

// Counts what it hears.
class LaneOwner final : public shm::Lane::Owner {
 public:
  void on_lane_change() noexcept override { ++changes; }
  int changes = 0;
};

class LanePair {
 public:
  explicit LanePair(shm::LaneOptions options = {}) : a(make(options, &a_owner)), b(make(options, &b_owner)) {
    attach(*a, *b);
    attach(*b, *a);
  }

  static shm::Ref<shm::Lane> make(const shm::LaneOptions& options, shm::Lane::Owner* owner) {
    StatusOr<shm::Ref<shm::Lane>> lane = shm::Lane::create(options, owner);
    EXPECT_TRUE(lane.ok()) << lane.status().ToString();
    return std::move(lane).value();
  }
  static void attach(shm::Lane& lane, shm::Lane& to) {
    const Status status = lane.attach(to.take_control_fd());
    EXPECT_TRUE(status.ok()) << status.ToString();
  }

  LaneOwner a_owner;
  LaneOwner b_owner;
  shm::Ref<shm::Lane> a;
  shm::Ref<shm::Lane> b;
};

// A block of `from`'s arena with `text` in it.
inline shm::OwnBlock fill_block(shm::Lane& from, std::string_view text) {
  shm::OwnBlock block;
  EXPECT_EQ(from.arena().allocate(text.size(), block), shm::Allocation::kOk);
  std::memcpy(block.data, text.data(), text.size());
  return block;
}

// Lends such a block to `to`, which is told of new segments first, and gives what a record would say of it.
inline shm::BlockDescriptor lend(shm::Lane& from, shm::Lane& to, std::string_view text) {
  const shm::OwnBlock block = fill_block(from, text);
  while (shm::Segment* segment = from.unannounced()) {
    EXPECT_TRUE(to.peer_arena().adopt(segment->take_fd()).ok());
    from.announced();
  }
  return {from.lend(block.id), block.id.segment, block.id.unit, static_cast<std::uint32_t>(text.size())};
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What `at` reads where `descriptor` points.
inline std::string view(shm::Lane& at, const shm::BlockDescriptor& descriptor) {
  std::span<const std::byte> bytes;
  EXPECT_TRUE(at.peer_arena().view(descriptor, bytes));
  return text_of(bytes);
}

}  // namespace wharf::test
