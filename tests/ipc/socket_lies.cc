#include <cstddef>
#include <cstdint>
#include <string>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/lies.h"
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
void begin_message(RawLink& link) {
  link.send_packet({.kind = PacketKind::kMessage, .message_bytes = 100}, std::string(60, 'x'));
}

constexpr Lie kLies[] = {
    {"EmptyPacket", false, "packet is empty",
     [](RawLink& link) { link.send_bytes(""); begin_message(link); }},
    {"EmptyPacketWithDescriptors", false, "packet is empty",
     [](RawLink& link) { link.send_bytes("", some_fds(2)); }},
    {"ShorterThanItsHeader", false, "shorter than its header", [](RawLink& link) { link.send_bytes("short"); }},
    {"LongerThanAgreed", false, "longer than agreed",
     [](RawLink& link) {
       const std::string payload(20'000, 'x');
       link.send_packet({.kind = PacketKind::kMessage, .message_bytes = payload.size()}, payload);
     }},
    {"LongerThanAgreedWithDescriptors", false, "packet",
     [](RawLink& link) {
       const std::string payload(20'000, 'x');
       link.send_packet({.kind = PacketKind::kMessage, .message_bytes = payload.size()}, payload, some_fds(3));
     }},
    {"Kind0", false, "packet.kind",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.kind = PacketKind{0}; }); }},
    {"Kind7", false, "packet.kind",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.kind = PacketKind{7}; }); }},
    {"HelloAgain", false, "packet.kind",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.kind = PacketKind::kHello; }); }},
    {"DescriptorsOfARecord", false, "packet.kind",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kFds}, "", some_fds(1)); }},
    {"UnknownFlag", false, "packet.flags",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.flags = 0x80; }); }},
    {"Reserved0", false, "packet.reserved",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.reserved0 = 1; }); }},
    {"FragmentBytesTooMany", false, "packet.fragment_bytes",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.fragment_bytes = 5; }); }},
    {"FragmentBytesTooFew", false, "packet.fragment_bytes",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.fragment_bytes = 3; }); }},
    {"SequenceSkipped", false, "packet.sequence",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { ++header.sequence; }); }},
    {"SequenceRepeated", false, "packet.sequence",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { --header.sequence; }); }},
    {"DescriptorsClaimed", false, "packet.fd_count",
     [](RawLink& link) { send_changed(link, [](PacketHeader& header) { header.fd_count = 1; }); }},
    {"DescriptorsUnclaimed", false, "packet.fd_count",
     [](RawLink& link) { link.send_bytes(std::string(bytes_of(good_packet(link, 0))), some_fds(2)); }},
    {"SeventeenDescriptors", false, "packet.fd_count",
     [](RawLink& link) { link.send_packet(good_packet(link, 0), "", some_fds(17)); }},
    {"ThirtyDescriptors", false, "too many descriptors",
     [](RawLink& link) { link.send_packet(good_packet(link, 0), "", some_fds(30)); }},
    {"MessageInsideAnother", false, "began inside another",
     [](RawLink& link) { begin_message(link); begin_message(link); }},
    {"EndInsideAMessage", false, "began inside another",
     [](RawLink& link) { begin_message(link); link.send_packet({.kind = PacketKind::kFin}); }},
    {"FragmentOfNothing", false, "fragment of nothing",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMore, .message_bytes = 100}, "x"); }},
    {"MessageBeyondTheLimit", false, "packet.message_bytes",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMessage, .message_bytes = UINT64_MAX}, "x"); }},
    {"FragmentLargerThanItsMessage", false, "packet.fragment_bytes",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMessage, .message_bytes = 1}, "xx"); }},
    {"EmptyFirstFragment", false, "packet.fragment_bytes",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMessage, .message_bytes = 1}); }},
    {"EmptyFragment", false, "packet.fragment_bytes",
     [](RawLink& link) { begin_message(link); link.send_packet({.kind = PacketKind::kMore, .message_bytes = 100}); }},
    {"FragmentBeyondTheEnd", false, "packet.fragment_bytes",
     [](RawLink& link) {
       begin_message(link);
       link.send_packet({.kind = PacketKind::kMore, .message_bytes = 100}, std::string(41, 'x'));
     }},
    {"MessageBytesChanged", false, "packet.message_bytes",
     [](RawLink& link) {
       begin_message(link);
       link.send_packet({.kind = PacketKind::kMore, .message_bytes = 99}, "x");
     }},
    {"DescriptorsOnALaterFragment", false, "packet.fd_count",
     [](RawLink& link) {
       begin_message(link);
       link.send_packet({.kind = PacketKind::kMore, .message_bytes = 100}, "x", some_fds(1));
     }},
    {"DescriptorsOnTheEnd", false, "packet.fd_count",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kFin}, "", some_fds(1)); }},
    {"PayloadOnTheEnd", false, "packet.fragment_bytes",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kFin}, "more"); }},
};

}  // namespace

std::span<const Lie> socket_lies() { return kLies; }

}  // namespace wharf::test
