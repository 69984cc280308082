#include <cstddef>
#include <cstdint>
#include <string>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/evil/lies.h"
#include "wharf/tests/ipc/peer_setup.h"

namespace wharf::test {
namespace {

// A good packet, but for what a lie changes.
PacketHeader good_packet(RawLink& link, std::size_t bytes) {
  return {
      .kind = PacketKind::kMessage,
      .fragment_bytes = static_cast<std::uint32_t>(bytes),
      .message_bytes = bytes,
      .sequence = link.next_sequence(),
  };
}

template <class Change>
void send_changed(RawLink& link, Change change) {
  PacketHeader header = good_packet(link, 4);
  change(header);
  link.send_bytes(std::string(bytes_of(header)) + "ahoy");
}

Fds some_fds(std::size_t count) {
  Fds fds;
  for (std::size_t i = 0; i < count; ++i) fds.push_back(numbered_file(i));
  return fds;
}

// The first fragment of a message of 100 bytes.
void begin_message(RawLink& link, std::uint32_t assembly = 1) {
  link.send_packet({.kind = PacketKind::kMessage, .assembly = assembly, .message_bytes = 100}, std::string(60, 'x'));
}

// So many requests that answer themselves.
void ask_too_late(RawLink& link, int count) {
  for (int i = 0; i < count; ++i) {
    link.send_packet({.kind = PacketKind::kMessage, .flags = shm::kFlagRequest, .stream = 1, .deadline_ns = 1});
  }
}

// Makes the other side read its socket: a record whose descriptors should be there.
void expect_fds(RawLink& link) {
  shm::RecordHeader header{};
  header.kind = shm::RecordKind::kMessage;
  header.fd_count = 1;
  header.fds_sequence = 2;
  link.write_record(header);
}

constexpr Lie kLies[] = {
    {"EmptyPacket", Stage::kSocket, "packet is empty",
     [](RawLink& link) {
       link.send_bytes("");
       begin_message(link);
     }},
    {"EmptyPacketWithDescriptors", Stage::kSocket, "packet is empty",
     [](RawLink& link) { link.send_bytes("", some_fds(2)); }},
    {"ShorterThanItsHeader", Stage::kSocket, "shorter than its header",
     [](RawLink& link) { link.send_bytes("short"); }},
    {"LongerThanAgreed", Stage::kSocket, "longer than agreed",
     [](RawLink& link) {
       const std::string payload(20'000, 'x');
       link.send_packet({.kind = PacketKind::kMessage, .message_bytes = payload.size()}, payload);
     }},
    {"LongerThanAgreedWithDescriptors", Stage::kSocket, "packet",
     [](RawLink& link) {
       const std::string payload(20'000, 'x');
       link.send_packet({.kind = PacketKind::kMessage, .message_bytes = payload.size()}, payload, some_fds(3));
     }},
    {"Kind0", Stage::kSocket, "packet.kind",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.kind = PacketKind{0}; }); }},
    {"Kind7", Stage::kSocket, "packet.kind",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.kind = PacketKind{7}; }); }},
    {"HelloAgain", Stage::kSocket, "packet.kind",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.kind = PacketKind::kHello; }); }},
    {"DescriptorsOfARecord", Stage::kSocket, "packet.kind",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kFds}, "", some_fds(1)); }},
    {"UnknownFlag", Stage::kSocket, "packet.flags",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.flags = 0x80; }); }},
    {"Reserved0", Stage::kSocket, "packet.reserved",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.reserved0 = 1; }); }},
    {"FragmentBytesTooMany", Stage::kSocket, "packet.fragment_bytes",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.fragment_bytes = 5; }); }},
    {"FragmentBytesTooFew", Stage::kSocket, "packet.fragment_bytes",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.fragment_bytes = 3; }); }},
    {"SequenceSkipped", Stage::kSocket, "packet.sequence",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { ++header.sequence; }); }},
    {"SequenceRepeated", Stage::kSocket, "packet.sequence",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { --header.sequence; }); }},
    {"DescriptorsClaimed", Stage::kSocket, "packet.fd_count",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.fd_count = 1; }); }},
    {"DescriptorsUnclaimed", Stage::kSocket, "packet.fd_count",
     [](RawLink& link) { link.send_bytes(std::string(bytes_of(good_packet(link, 0))), some_fds(2)); }},
    {"SeventeenDescriptors", Stage::kSocket, "packet.fd_count",
     [](RawLink& link) { link.send_packet(good_packet(link, 0), "", some_fds(17)); }},
    {"ThirtyDescriptors", Stage::kSocket, "too many descriptors",
     [](RawLink& link) { link.send_packet(good_packet(link, 0), "", some_fds(30)); }},
    {"MessageBegunTwice", Stage::kSocket, "packet.assembly",
     [](RawLink& link) {
       begin_message(link);
       begin_message(link);
     }},
    {"FragmentWithoutANumber", Stage::kSocket, "packet.assembly", [](RawLink& link) { begin_message(link, 0); }},
    {"NumberOfAWholeMessage", Stage::kSocket, "packet.assembly",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.assembly = 1; }); }},
    {"FragmentOfAnother", Stage::kSocket, "packet.assembly",
     [](RawLink& link) {
       begin_message(link, 2);
       link.send_packet({.kind = PacketKind::kMore, .assembly = 1, .message_bytes = 100}, "x");
     }},
    {"SeventeenUnfinished", Stage::kSocket, "packet.assembly",
     [](RawLink& link) {
       for (std::uint32_t i = 1; i <= 17; ++i) begin_message(link, i);
     }},
    {"UnfinishedTooLargeTogether", Stage::kSocket, "packet.message_bytes",
     [](RawLink& link) {
       for (std::uint32_t i = 1; i <= 3; ++i) {
         link.send_packet({.kind = PacketKind::kMessage, .assembly = i, .message_bytes = 1 << 20}, "x");
       }
     }},
    {"EndInsideAMessage", Stage::kSocket, "the end came before",
     [](RawLink& link) {
       begin_message(link);
       link.send_packet({.kind = PacketKind::kFin});
     }},
    {"FragmentOfNothing", Stage::kSocket, "fragment of nothing",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMore, .assembly = 1, .message_bytes = 100}, "x"); }},
    {"MessageBeyondTheLimit", Stage::kSocket, "packet.message_bytes",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMessage, .message_bytes = UINT64_MAX}, "x"); }},
    {"FragmentLargerThanItsMessage", Stage::kSocket, "packet.fragment_bytes",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMessage, .message_bytes = 1}, "xx"); }},
    {"EmptyFirstFragment", Stage::kSocket, "packet.fragment_bytes",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMessage, .message_bytes = 1}); }},
    {"EmptyFragment", Stage::kSocket, "packet.fragment_bytes",
     [](RawLink& link) {
       begin_message(link);
       link.send_packet({.kind = PacketKind::kMore, .assembly = 1, .message_bytes = 100});
     }},
    {"FragmentBeyondTheEnd", Stage::kSocket, "packet.fragment_bytes",
     [](RawLink& link) {
       begin_message(link);
       link.send_packet({.kind = PacketKind::kMore, .assembly = 1, .message_bytes = 100}, std::string(41, 'x'));
     }},
    {"MessageBytesChanged", Stage::kSocket, "packet.message_bytes",
     [](RawLink& link) {
       begin_message(link);
       link.send_packet({.kind = PacketKind::kMore, .assembly = 1, .message_bytes = 99}, "x");
     }},
    {"DescriptorsOnALaterFragment", Stage::kSocket, "packet.fd_count",
     [](RawLink& link) {
       begin_message(link);
       link.send_packet({.kind = PacketKind::kMore, .assembly = 1, .message_bytes = 100}, "x", some_fds(1));
     }},
    {"DescriptorsOnTheEnd", Stage::kSocket, "packet.fd_count",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kFin}, "", some_fds(1)); }},
    {"PayloadOnTheEnd", Stage::kSocket, "packet.fragment_bytes",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kFin}, "more"); }},
    {"OneByte", Stage::kSocket, "shorter than its header", [](RawLink& link) { link.send_bytes("x"); }},
    {"OneByteShortOfAHeader", Stage::kSocket, "shorter than its header",
     [](RawLink& link) { link.send_bytes(bytes_of(good_packet(link, 0)).substr(1)); }},
    {"OneByteLongerThanAgreed", Stage::kSocket, "longer than agreed",
     [](RawLink& link) {
       const std::string payload(16 * 1024 + 1, 'x');
       link.send_packet({.kind = PacketKind::kMessage, .message_bytes = payload.size()}, payload);
     }},
    {"AsLongAsAgreed", Stage::kSocket, kGoesOn,
     [](RawLink& link) {
       const std::string payload(16 * 1024, 'x');
       link.send_packet({.kind = PacketKind::kMessage, .message_bytes = payload.size()}, payload);
     }},
    {"KindOfTheLastNumber", Stage::kSocket, "packet.kind",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.kind = PacketKind{255}; }); }},
    {"ReadyAgain", Stage::kSocket, "packet.kind",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.kind = PacketKind::kReady; }); }},
    {"WakeWithoutALane", Stage::kSocket, "packet.kind",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kWake}); }},
    {"EveryFlag", Stage::kSocket, "packet.flags",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.flags = 0xff; }); }},
    {"EveryDescriptorClaimed", Stage::kSocket, "packet.fd_count",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.fd_count = 255; }); }},
    {"EveryByteClaimed", Stage::kSocket, "packet.fragment_bytes",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.fragment_bytes = UINT32_MAX; }); }},
    {"SequenceFromTheEnd", Stage::kSocket, "packet.sequence",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.sequence = UINT64_MAX; }); }},
    {"SequenceFromTheBeginning", Stage::kSocket, "packet.sequence",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.sequence = 0; }); }},
    {"MessageOneByteBeyondTheLimit", Stage::kSocket, "packet.message_bytes",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMessage, .message_bytes = (1 << 20) + 1}, "x"); }},
    {"TruncatedAndWithEveryDescriptor", Stage::kSocket, "packet",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMessage}, std::string(20'000, 'x'), some_fds(253)); }},
    {"EmptyPacketBesideALane", Stage::kLane, "packet is empty",
     [](RawLink& link) {
       link.send_bytes("");
       expect_fds(link);
     }},
    {"GarbageBesideALane", Stage::kLane, "shorter than its header",
     [](RawLink& link) {
       link.send_bytes("garbage");
       expect_fds(link);
     }},
    {"HelloBesideALane", Stage::kLane, "record.fd_count",
     [](RawLink& link) {
       link.send_packet({.kind = PacketKind::kHello});
       expect_fds(link);
     }},
    {"WakeThatWasNotAgreedOn", Stage::kLane, "packet.kind",
     [](RawLink& link) {
       link.send_packet({.kind = PacketKind::kWake});
       expect_fds(link);
     }},
    {"DiesInsideAMessage", Stage::kSocket, "has gone",
     [](RawLink& link) {
       begin_message(link);
       ::shutdown(link.socket(), SHUT_RDWR);
     }},
    {"DiesAfterAMessage", Stage::kSocket, "has gone",
     [](RawLink& link) {
       link.send_packet({.kind = PacketKind::kMessage});
       ::shutdown(link.socket(), SHUT_RDWR);
     }},
    {"StopsReadingAndGoesOnWriting", Stage::kSocket, "has gone",
     [](RawLink& link) {
       ::shutdown(link.socket(), SHUT_RD);
       ask_too_late(link, 1);  // the answer finds that out
       for (int i = 0; i < 500'000; ++i) link.send_packet({.kind = PacketKind::kMessage});
     }},
    {"MessagesWithoutPause", Stage::kSocket, kGoesOn,
     [](RawLink& link) {
       for (int i = 0; i < 5000; ++i) link.send_packet({.kind = PacketKind::kMessage});
     }},
    {"AsksTooLateAndReadsNoAnswer", Stage::kSocket, "does not read the answers",
     [](RawLink& link) { ask_too_late(link, 200'000); }},
    {"AnswersToNobody", Stage::kSocket, kGoesOn,
     [](RawLink& link) {
       for (std::uint64_t i = 0; i < 1000; ++i) {
         link.send_packet({.kind = PacketKind::kMessage, .flags = shm::kFlagReply, .stream = i << 32});
       }
     }},
};

}  // namespace

std::span<const Lie> socket_lies() { return kLies; }

}  // namespace wharf::test
