// Old defects of such port layers that a hostile peer can reach, each named with what holds instead. The lies are told
// by the peer `evil` (../evil/lies.h).
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/evil/victim.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

class HostileDefectTest : public PortTest {
 protected:
  void hear(std::initializer_list<std::string_view> names) { run(hear_lies(named(names))); }
};

TEST_F(HostileDefectTest, D9_GarbageEndsTheLinkInsteadOfBeingTriedAgain) {
  hear({"Lane.PublishedARingOfNothing", "Lane.PublishedTooFar", "Lane.ConsumedFarTooMuch"});
}

TEST_F(HostileDefectTest, D12_AFloodHasItsBudgetInEachTurn) {
  hear({"Lane.SendsMessagesWithoutPause", "Socket.MessagesWithoutPause", "Lane.EndsItsSocketAndGoesOn"});
}

TEST_F(HostileDefectTest, D14_ARecordThatSaysItIsLargerThanItsCellsIsNotRead) {
  hear({"Lane.TooMuchInline", "Lane.LargerThanPublished", "Lane.PublishedHalfARecord"});
}

TEST_F(HostileDefectTest, D15_BlockAndSizeAreCheckedTogether) {
  hear({"Lane.BlockBehindTheSegment", "Lane.BlockBeyondTheSegment", "Lane.BlockThatWrapsAround"});
}

TEST_F(HostileDefectTest, D16_TheLengthOfAMappingIsTheFilesOwn) {
  hear({"Handshake.MemorySaysItIsLarger", "Handshake.MemorySaysItIsSmaller", "Lane.SegmentSaysItIsLarger",
        "Lane.HeaderGrows"});
}

TEST_F(HostileDefectTest, D17_D18_D19_SegmentIdsHaveNoHolesAndNoTwins) {
  hear({"Lane.SegmentHasTheLastId", "Lane.SegmentOutOfOrder", "Lane.SegmentAnnouncedTwice", "Lane.BlockOfNoSegment"});
}

TEST_F(HostileDefectTest, D20_PayloadIsMappedForAsLongAsItsMessageLives) {
  run(peer_setup("echo"), [](ipc::Port& port, PeerProcess&) -> coro::Task<void> {
    const std::string text = pattern(50'000);
    auto reply = co_await port.call(ipc::Message(text));
    CO_ASSERT_OK(reply.status());

    port.close();

    EXPECT_TRUE(reply->to_string() == text);
  });
}

TEST_F(HostileDefectTest, D22_APacketWithoutDescriptorsHasNoneOfTheLastOne) {
  run(peer_setup("echo"), [](ipc::Port& port, PeerProcess&) -> coro::Task<void> {
    ipc::Message with("with");
    with.attach(numbered_file(1)).attach(numbered_file(2));
    auto first = co_await port.call(std::move(with));
    auto second = co_await port.call(ipc::Message("without"));
    CO_ASSERT_TRUE(first.ok() && second.ok());

    EXPECT_EQ(first->fd_count(), 2u);
    EXPECT_EQ(second->fd_count(), 0u);
  });
}

TEST_F(HostileDefectTest, D23_WhatHasNoHandlerIsRefusedByName) {
  hear({"Lane.Kind0", "Socket.KindOfTheLastNumber", "Socket.HelloAgain"});
}

TEST_F(HostileDefectTest, D24_D25_AnIntroductionIsMeasuredBeforeItIsRead) {
  hear({"Handshake.HelloOneByteShort", "Handshake.PacketsOneByteTooSmall", "Handshake.RingIsLargerThanItsSegment",
        "Handshake.MemoryIsSparse"});
}

TEST_F(HostileDefectTest, D26_AHeaderHasToFitBeforeItsPayload) {
  hear({"Socket.OneByteShortOfAHeader", "Handshake.MemoryIsEmpty", "Lane.SegmentHasNoRoom"});
}

TEST_F(HostileDefectTest, D27_AnAnswerIsFoundByTheLinkAndStreamAlone) {
  hear({"Lane.AnswersWhatNobodyAsked", "Socket.AnswersToNobody"});
}

TEST_F(HostileDefectTest, D28_NobodyElseCanWriteASegment) {
  hear({"Handshake.MemoryMayBeWrittenByOthers", "Lane.SegmentMayBeWrittenByOthers"});
}

TEST_F(HostileDefectTest, D29_WhatAPeerSaysIsNeverAsserted) {
  hear({"Lane.ReturnedTheLastToken", "Lane.ReturnedBackwards", "Lane.PublishedHalfOfAll", "Lane.HeaderIsAllOnes",
        "Socket.EveryFlag"});
}

TEST_F(HostileDefectTest, D30_SegmentsHaveALimit) { hear({"Lane.SegmentsWithoutEnd", "Lane.SegmentBeyondTheLimit"}); }

TEST_F(HostileDefectTest, D31_FragmentsHaveALimit) {
  hear({"Socket.MessageOneByteBeyondTheLimit", "Socket.FragmentBeyondTheEnd", "Socket.DiesInsideAMessage"});
}

TEST_F(HostileDefectTest, D36_D37_EveryDescriptorArrivesCloseOnExec) {
  run(peer_setup("echo"), [](ipc::Port& port, PeerProcess&) -> coro::Task<void> {
    ipc::Message message("sixteen");
    for (std::uint64_t i = 0; i < 16; ++i) message.attach(numbered_file(i));
    auto reply = co_await port.call(std::move(message));
    CO_ASSERT_OK(reply.status());
    CO_ASSERT_EQ(reply->fd_count(), 16u);

    for (std::uint64_t i = 0; i < 16; ++i) {
      const runtime::UniqueFd fd = reply->take_fd(i);
      EXPECT_EQ(number_in(fd), i);
      EXPECT_TRUE(is_close_on_exec(fd.get()));
    }
  });
}

TEST_F(HostileDefectTest, D38_OddCountsOfDescriptorsLeakNone) {
  run(peer_setup("echo"), [](ipc::Port& port, PeerProcess&) -> coro::Task<void> {
    for (std::size_t count = 1; count <= 15; count += 2) {
      ipc::Message message("odd");
      for (std::size_t i = 0; i < count; ++i) message.attach(numbered_file(i));
      auto reply = co_await port.call(std::move(message));
      CO_ASSERT_OK(reply.status());
      EXPECT_EQ(reply->fd_count(), count);
    }
  });
}

TEST_F(HostileDefectTest, D39_AnEmptyPacketIsNotTheEnd) {
  hear({"Socket.EmptyPacket", "Socket.EmptyPacketWithDescriptors", "Lane.EmptyPacketBesideALane",
        "Handshake.NothingFirst"});
}

TEST_F(HostileDefectTest, D40_AFlagOnASharedDescriptionBlocksNobody) {
  hear({"Lane.BlocksWhoeverRingsIt", "Lane.FillsTheDoorbellThatItRings"});
}

}  // namespace
}  // namespace wharf::test
