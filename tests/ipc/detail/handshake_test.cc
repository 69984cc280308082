// The handshake against everything that is no honest peer. What it says first lies in the socket before we begin.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/runtime/timeout.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/raw_link.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {
namespace {

using runtime::UniqueFd;

UniqueFd copy_of(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

// Opens a port on a copy of `socket`, whose peer has said its part already, and expects a certain end.
coro::Task<void> expect_refusal(int socket, ipc::PortOptions options, StatusCode code, std::string text) {
  auto port = co_await ipc::Port::open(copy_of(socket), options);
  EXPECT_EQ(port.status().code(), code) << port.status();
  EXPECT_NE(std::string(port.status().message()).find(text), std::string::npos) << port.status();
}

struct Stranger {
  const char* name;
  StatusCode code;
  const char* text;
  void (*speak)(RawLink& link);
};
void PrintTo(const Stranger& stranger, std::ostream* out) { *out << stranger.name; }

template <class Change>
void say_hello(RawLink& link, Change change) {
  Hello hello = link.own_hello();
  change(hello);
  link.send_hello(hello, {});
}

// A good hello, with these two descriptors.
void offer(RawLink& link, UniqueFd control, UniqueFd doorbell) {
  Hello hello = link.own_hello();
  hello.shared_memory = 1;
  Fds fds;
  fds.push_back(std::move(control));
  fds.push_back(std::move(doorbell));
  link.send_hello(hello, fds);
}

UniqueFd eventfd() { return UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

UniqueFd control_segment(std::size_t ring_bytes = kRawRingBytes, std::size_t slots = kRawReleaseSlots,
                         MemfdOptions options = {.bytes = 24 * 1024}) {
  shm::SegmentHeader header = good_header(shm::SegmentKind::kControl, options.bytes);
  header.ring_bytes = static_cast<std::uint32_t>(ring_bytes);
  header.release_slot_count = static_cast<std::uint32_t>(slots);
  return make_memfd(header, options);
}

UniqueFd socket_of(int type) { return UniqueFd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)); }

constexpr StatusCode kStranger = StatusCode::kFailedPrecondition;
constexpr StatusCode kBroken = StatusCode::kInvalidArgument;

const Stranger kStrangers[] = {
    {"SaysNothing", StatusCode::kDeadlineExceeded, "said nothing in time", [](RawLink&) {}},
    {"SaysHelloAndNoMore", StatusCode::kDeadlineExceeded, "said nothing in time",
     [](RawLink& link) { say_hello(link, [](Hello&) {}); }},
    {"SpeaksHttp", kStranger, "handshake",
     [](RawLink& link) { link.send_bytes("GET / HTTP/1.1\r\nHost: quay\r\n\r\n"); }},
    {"SpeaksAtLength", kStranger, "handshake", [](RawLink& link) { link.send_bytes(std::string(5000, 'x')); }},
    {"SendsAnEmptyPacket", kStranger, "empty", [](RawLink& link) { link.send_bytes(""); }},
    {"SendsAMessageFirst", kStranger, "another kind",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMessage}); }},
    {"IsReadyFirst", kStranger, "another kind",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kReady, .message_bytes = 8}, std::string(8, '\0')); }},
    {"SaysHelloTwice", kStranger, "another kind",
     [](RawLink& link) {
       say_hello(link, [](Hello&) {});
       say_hello(link, [](Hello&) {});
     }},
    {"SaysHalfAHello", kStranger, "another kind or size",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kHello}, std::string(32, '\0')); }},
    {"HasAnotherMagic", kStranger, "no wharf program",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { ++hello.magic; }); }},
    {"HasAnotherVersion", kStranger, "link version 1, this program 2",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.version = 1; }); }},
    {"HasReservedBytes", kStranger, "hello.reserved",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.reserved[2] = 1; }); }},
    {"GivesNoWindow", kStranger, "hello.stream_window",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.stream_window = 0; }); }},
    {"WantsTinyPackets", kStranger, "hello.packet_bytes_max",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.packet_bytes_max = 100; }); }},
    {"WantsNoMessages", kStranger, "hello.message_bytes_max",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.message_bytes_max = 0; }); }},
    {"OffersMemoryAndSendsNone", kStranger, "hello.shared_memory",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.shared_memory = 1; }); }},
    {"OffersMemoryTwice", kStranger, "hello.shared_memory",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.shared_memory = 2; }); }},
    {"SendsMemoryWithoutOffer", kStranger, "hello.shared_memory",
     [](RawLink& link) {
       Fds fds;
       fds.push_back(control_segment());
       fds.push_back(eventfd());
       link.send_hello(link.own_hello(), fds);
     }},
    {"SendsThreeDescriptors", kStranger, "hello.shared_memory",
     [](RawLink& link) {
       Hello hello = link.own_hello();
       hello.shared_memory = 1;
       Fds fds;
       fds.push_back(control_segment());
       fds.push_back(eventfd());
       fds.push_back(eventfd());
       link.send_hello(hello, fds);
     }},
    {"SendsHundredsOfDescriptors", kStranger, "too many descriptors",
     [](RawLink& link) {
       Fds fds;
       for (int i = 0; i < 60; ++i) fds.push_back(eventfd());
       link.send_hello(link.own_hello(), fds);
     }},
    {"HasAPipeForMemory", kBroken, "not a memfd", [](RawLink& link) { offer(link, Tracer().take(), eventfd()); }},
    {"HasADirectoryForMemory", kBroken, "not a memfd",
     [](RawLink& link) { offer(link, UniqueFd(::open("/", O_RDONLY | O_DIRECTORY)), eventfd()); }},
    {"HasASocketForMemory", kBroken, "not a memfd",
     [](RawLink& link) { offer(link, socket_of(SOCK_STREAM), eventfd()); }},
    {"HasADeviceForMemory", kBroken, "not a memfd",
     [](RawLink& link) { offer(link, UniqueFd(::open("/dev/zero", O_RDWR)), eventfd()); }},
    {"HasAFileForMemory", kBroken, "not a memfd",
     [](RawLink& link) { offer(link, UniqueFd(::open("/proc/self/exe", O_RDONLY)), eventfd()); }},
    {"HasUnsealedMemory", kBroken, "seals",
     [](RawLink& link) {
       offer(link, control_segment(kRawRingBytes, kRawReleaseSlots, {.bytes = 24 * 1024, .seals = 0}), eventfd());
     }},
    {"HasMemoryThatMayShrink", kBroken, "seals",
     [](RawLink& link) {
       offer(link,
             control_segment(kRawRingBytes, kRawReleaseSlots,
                             {.bytes = 24 * 1024, .seals = kSegmentSeals & ~F_SEAL_SHRINK}),
             eventfd());
     }},
    {"HasSparseMemory", kBroken, "sparse",
     [](RawLink& link) {
       offer(link, control_segment(kRawRingBytes, kRawReleaseSlots, {.bytes = 24 * 1024, .allocated = false}),
             eventfd());
     }},
    {"HasAnArenaForControl", kBroken, "kind",
     [](RawLink& link) { offer(link, make_memfd(good_header(shm::SegmentKind::kArena, 8192)), eventfd()); }},
    {"HasAnOddRing", kBroken, "ring_bytes", [](RawLink& link) { offer(link, control_segment(20'000), eventfd()); }},
    {"HasATinyRing", kBroken, "ring_bytes", [](RawLink& link) { offer(link, control_segment(1024), eventfd()); }},
    {"HasARingBeyondItsSegment", kBroken, "segment_bytes",
     [](RawLink& link) { offer(link, control_segment(64 * 1024), eventfd()); }},
    {"ReturnsMoreBlocks", kBroken, "release_slot_count",
     [](RawLink& link) { offer(link, control_segment(kRawRingBytes, 512), eventfd()); }},
    {"HasAPipeForDoorbell", kStranger, "doorbell",
     [](RawLink& link) { offer(link, control_segment(), Tracer().take()); }},
    {"HasASocketForDoorbell", kStranger, "doorbell",
     [](RawLink& link) { offer(link, control_segment(), socket_of(SOCK_STREAM)); }},
    {"HasAFileForDoorbell", kStranger, "doorbell",
     [](RawLink& link) { offer(link, control_segment(), numbered_file(1)); }},
    {"HasATimerForDoorbell", kStranger, "doorbell",
     [](RawLink& link) { offer(link, control_segment(), UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC))); }},
    {"HasAnEpollForDoorbell", kStranger, "doorbell",
     [](RawLink& link) { offer(link, control_segment(), UniqueFd(::epoll_create1(EPOLL_CLOEXEC))); }},
    {"HasASignalfdForDoorbell", kStranger, "doorbell",
     [](RawLink& link) {
       sigset_t none;
       sigemptyset(&none);
       offer(link, control_segment(), UniqueFd(::signalfd(-1, &none, SFD_CLOEXEC)));
     }},
    {"IsReadyWithReservedBytes", kStranger, "ready",
     [](RawLink& link) {
       say_hello(link, [](Hello&) {});
       const ipc::detail::Ready ready{.shared_memory = 0, .reserved = 1};
       link.send_packet({.kind = PacketKind::kReady, .message_bytes = sizeof(ready)}, bytes_of(ready));
     }},
    {"IsReadyWithDescriptors", kStranger, "ready",
     [](RawLink& link) {
       say_hello(link, [](Hello&) {});
       const ipc::detail::Ready ready{};
       Fds fds;
       fds.push_back(numbered_file(1));
       link.send_packet({.kind = PacketKind::kReady, .message_bytes = sizeof(ready)}, bytes_of(ready), fds);
     }},
    {"IsReadyForWhatItDidNotOffer", kStranger, "ready",
     [](RawLink& link) {
       say_hello(link, [](Hello&) {});
       const ipc::detail::Ready ready{.shared_memory = 1, .reserved = 0};
       link.send_packet({.kind = PacketKind::kReady, .message_bytes = sizeof(ready)}, bytes_of(ready));
     }},
};

class HandshakeTest : public PortTest, public ::testing::WithParamInterface<Stranger> {};

TEST_P(HandshakeTest, AStrangerIsRefusedAndNothingIsLeft) {
  auto ends = ipc::Port::end_pair();
  ASSERT_TRUE(ends.ok());
  {
    RawLink link(ends->first.take_socket(), false);
    GetParam().speak(link);
    ipc::PortOptions options;
    options.handshake_timeout_ms = GetParam().code == StatusCode::kDeadlineExceeded ? 10 : 10'000;

    run(expect_refusal(ends->second.fd(), options, GetParam().code, GetParam().text));
  }
}

INSTANTIATE_TEST_SUITE_P(, HandshakeTest, ::testing::ValuesIn(kStrangers),
                         [](const auto& value) { return value.param.name; });

TEST_F(PortTest, HandshakeWithAPeerThatHasClosedIsUnavailable) {
  for (const bool after_hello : {false, true}) {
    auto ends = ipc::Port::end_pair();
    ASSERT_TRUE(ends.ok());
    {
      RawLink link(ends->first.take_socket(), false);
      if (after_hello) say_hello(link, [](Hello&) {});
    }

    run(expect_refusal(ends->second.fd(), {}, StatusCode::kUnavailable, ""));
  }
}

TEST_F(PortTest, HandshakeNeedsASeqpacketSocket) {
  int pipe_fds[2];
  int streams[2];
  int datagrams[2];
  ASSERT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, streams), 0);
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams), 0);
  const UniqueFd others[] = {UniqueFd(pipe_fds[0]),
                             UniqueFd(pipe_fds[1]),
                             UniqueFd(streams[0]),
                             UniqueFd(streams[1]),
                             UniqueFd(datagrams[0]),
                             UniqueFd(datagrams[1]),
                             UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};

  run(expect_refusal(others[2].get(), {}, StatusCode::kInvalidArgument, "SOCK_SEQPACKET"));
  run(expect_refusal(others[4].get(), {}, StatusCode::kInvalidArgument, "SOCK_SEQPACKET"));
  run(expect_refusal(others[6].get(), {}, StatusCode::kInvalidArgument, "SOCK_SEQPACKET"));
  run(expect_refusal(others[0].get(), {}, StatusCode::kInvalidArgument, "port end"));
  run(expect_refusal(-1, {}, StatusCode::kInvalidArgument, "port end"));
}

TEST_F(PortTest, HandshakeThatIsStoppedClosesItsSocket) {
  auto ends = ipc::Port::end_pair();
  ASSERT_TRUE(ends.ok());
  const UniqueFd other = ends->second.take_socket();

  run([](ipc::PortEnd& end) -> coro::Task<void> {
    coro::Scope scope;
    scope.spawn(expect_refusal(end.fd(), {}, StatusCode::kCancelled, ""));
    co_await next_turn();
    scope.cancel();
    co_await scope.join();
  }(ends->first));
  ends->first.close();

  char byte = 0;
  while (::recv(other.get(), &byte, 1, MSG_DONTWAIT) > 0) continue;
  EXPECT_EQ(::send(other.get(), "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT), -1);
}

}  // namespace
}  // namespace wharf::test
