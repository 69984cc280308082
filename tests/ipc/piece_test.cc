#include "wharf/ipc/piece.h"

#include <cstddef>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/tests/ipc/lane_pair.h"
#include "wharf/tests/ipc/peer_setup.h"

namespace wharf::ipc {
namespace {

using test::LanePair;

std::string text_of(const Piece& piece) {
  return {reinterpret_cast<const char*>(piece.bytes().data()), piece.bytes().size()};
}

TEST(PieceTest, BorrowedBytesAreNobodysToGiveBack) {
  const std::string text = "quay";
  Piece piece(std::as_bytes(std::span(text)));

  EXPECT_EQ(piece.kind(), Piece::Kind::kPlain);
  EXPECT_EQ(piece.lane(), nullptr);
  EXPECT_EQ(static_cast<const void*>(piece.bytes().data()), text.data());
}

TEST(PieceTest, ALoanThatIsNotSentReturnsToTheArena) {
  LanePair lanes;
  {
    Loan loan = lanes.loan(std::string(1000, 'x'));
    EXPECT_EQ(loan.size_bytes(), 1000u);
    EXPECT_EQ(loan.capacity_bytes(), 1024u);
    EXPECT_EQ(lanes.ours->arena().used_bytes(), 1024u);
    const Piece piece = std::move(loan).take_piece();
    EXPECT_EQ(piece.kind(), Piece::Kind::kOwnBlock);
    EXPECT_EQ(lanes.ours->arena().used_bytes(), 1024u);
  }
  EXPECT_EQ(lanes.ours->arena().used_bytes(), 0u);
}

TEST(PieceTest, AForgottenBlockIsNotGivenBack) {
  LanePair lanes;
  shm::BlockId id;
  {
    Piece piece = lanes.loan("sent").take_piece();
    id = piece.block_id();
    piece.forget();
    EXPECT_EQ(piece.lane(), nullptr);
  }
  EXPECT_NE(lanes.ours->arena().used_bytes(), 0u);
  lanes.ours->free(id);
  EXPECT_EQ(lanes.ours->arena().used_bytes(), 0u);
}

TEST(PieceTest, MovingGivesBackOnceAndWhatWasThereBefore) {
  LanePair lanes;
  {
    Piece first = lanes.loan("one").take_piece();
    Piece second = lanes.loan("two").take_piece();
    EXPECT_EQ(lanes.ours->arena().used_bytes(), 512u);

    first = std::move(second);

    EXPECT_EQ(lanes.ours->arena().used_bytes(), 256u);
    EXPECT_EQ(text_of(first), "two");
    const Piece third(std::move(first));
    EXPECT_EQ(lanes.ours->arena().used_bytes(), 256u);
  }
  EXPECT_EQ(lanes.ours->arena().used_bytes(), 0u);
}

TEST(PieceTest, AViewOfThePeersBlockIsReturnedToThePeer) {
  LanePair lanes;
  const shm::BlockDescriptor descriptor = lanes.lend_to_peer("lent");
  std::span<const std::byte> bytes;
  ASSERT_TRUE(lanes.theirs->peer_arena().view(descriptor, bytes));
  EXPECT_EQ(lanes.ours->lent().lent_count(), 1u);
  {
    const Piece view(lanes.theirs, descriptor, bytes);
    EXPECT_EQ(view.kind(), Piece::Kind::kPeerBlock);
    EXPECT_EQ(text_of(view), "lent");
    EXPECT_EQ(view.descriptor().token, descriptor.token);
  }
  EXPECT_TRUE(lanes.theirs->publish_releases());

  EXPECT_EQ(lanes.ours->collect(), std::optional<std::size_t>(1));

  EXPECT_EQ(lanes.ours->lent().lent_count(), 0u);
  EXPECT_EQ(lanes.ours->arena().used_bytes(), 0u);
}

TEST(PieceTest, ALoanMayBeResizedUpToItsCapacity) {
  LanePair lanes;
  Loan loan = lanes.loan(std::string(100, 'x'));

  loan.resize(0);
  EXPECT_TRUE(loan.bytes().empty());
  loan.resize(256);
  EXPECT_EQ(loan.bytes().size(), 256u);

  EXPECT_DEATH(loan.resize(257), "256");
}

TEST(PieceTest, ALoanGrowsWhereItIsOrStaysAsItWas) {
  LanePair lanes;
  Loan loan = lanes.loan(std::string(100, 'x'));
  Loan behind = lanes.loan("in the way");

  const Status refused = loan.grow(1000, 500);
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(loan.size_bytes(), 100u);
  EXPECT_TRUE(loan.grow(1000, 200).ok()) << "its block is larger than it";
  EXPECT_EQ(loan.size_bytes(), 256u);
  EXPECT_TRUE(behind.grow(1000, 1000).ok());
  EXPECT_EQ(behind.bytes().size(), 1000u);
  EXPECT_EQ(lanes.ours->arena().used_bytes(), 256u + 1024u);
  behind.resize(10);
  behind.shrink_to_fit();
  EXPECT_EQ(lanes.ours->arena().used_bytes(), 512u);

  EXPECT_DEATH(static_cast<void>(loan.grow(10, 20)), "20");
}

}  // namespace
}  // namespace wharf::ipc
