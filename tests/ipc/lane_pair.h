// Two lanes of one link in one process, without a port.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/ipc/piece.h"
#include "wharf/shm/lane.h"

namespace wharf::test {

struct LanePair {
  LanePair() : ours(make()), theirs(make()) {
    runtime::UniqueFd our_control = ours->take_control_fd();
    EXPECT_TRUE(ours->attach(theirs->take_control_fd()).ok());
    EXPECT_TRUE(theirs->attach(std::move(our_control)).ok());
  }
  ~LanePair() {
    ours->close();
    theirs->close();
  }
  LanePair(const LanePair&) = delete;
  LanePair& operator=(const LanePair&) = delete;

  // A loan of ours that holds `text`.
  ipc::Loan loan(std::string_view text) {
    shm::OwnBlock block;
    EXPECT_EQ(ours->arena().allocate(text.size(), block), shm::Allocation::kOk);
    std::memcpy(block.data, text.data(), text.size());
    return {ours, block, text.size()};
  }
  // The same, lent: as the peer learns of it, with its segment announced.
  shm::BlockDescriptor lend_to_peer(std::string_view text) {
    ipc::Piece piece = loan(text).take_piece();
    if (shm::Segment* segment = ours->unannounced(); segment != nullptr) {
      EXPECT_TRUE(theirs->peer_arena().adopt(segment->take_fd()).ok());
      ours->announced();
    }
    shm::BlockDescriptor descriptor = piece.descriptor();
    descriptor.token = ours->lend(piece.block_id());
    piece.forget();
    return descriptor;
  }

  shm::Ref<shm::Lane> ours;
  shm::Ref<shm::Lane> theirs;

 private:
  static shm::Ref<shm::Lane> make() {
    auto lane = shm::Lane::create({}, nullptr);
    EXPECT_TRUE(lane.ok()) << lane.status();
    return *std::move(lane);
  }
};

}  // namespace wharf::test
