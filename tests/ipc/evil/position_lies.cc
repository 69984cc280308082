// Lies about how far one is: positions, the release ring, the words of the sleep protocol, records changed too late, and
// the deaths between two steps. Words that are hints alone do no harm, whatever they say.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/evil/lies.h"
#include "wharf/tests/ipc/peer_setup.h"

namespace wharf::test {
namespace {

using shm::RecordHeader;
using shm::RecordKind;

constexpr std::uint64_t kHalf = std::uint64_t{1} << 63;
constexpr std::uint64_t kCells = kRawRingBytes / shm::kCellBytes;

RecordHeader message(std::uint32_t type = 0) {
  RecordHeader header{};
  header.kind = RecordKind::kMessage;
  header.type = type;
  return header;
}

void say_published(RawLink& link, std::uint64_t cells) { link.lines().published.store(cells); }

// One honest record, until the peer has read it.
void be_honest_once(RawLink& link) {
  link.write_record(message());
  link.publish();
  while (link.peer_lines().consumed.load() == 0 && link.wait_a_moment()) link.ring();
}

// Waits until the peer has sent something, then says that so much of it has been read.
void say_consumed(RawLink& link, std::uint64_t more_than_published) {
  while (link.peer_lines().published.load() == 0 && link.wait_a_moment()) continue;
  link.lines().consumed.store(link.peer_lines().published.load() + more_than_published);
}

void give_back(RawLink& link, std::uint32_t token, std::uint32_t reserved = 0) {
  const shm::ReleaseEntry entry{token, reserved};
  std::memcpy(reinterpret_cast<std::byte*>(&link.lines()) + shm::kRingOffset + kRawRingBytes, &entry, sizeof(entry));
  link.lines().returned.store(1);
}

shm::SegmentHeader& own_header(RawLink& link) { return link.lines().header; }

// `step` many times, between messages.
template <class Step>
void go_wild(RawLink& link, Step step) {
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    step(i);
    if (i % 20 == 0) {
      link.write_record(message());
      link.publish();
    }
    if (i % 200 == 0 && !link.wait_a_moment()) return;
  }
}

// So many messages, as fast as they are taken.
void flood(RawLink& link, std::uint64_t count, RecordHeader header) {
  for (std::uint64_t sent = 0; sent < count;) {
    std::byte* at = link.writer().reserve(1);
    if (at != nullptr) {
      std::memcpy(at, &header, sizeof(header));
      link.writer().commit();
      ++sent;
    } else {
      link.publish();
      if (!link.wait_a_moment()) return;
    }
  }
}

// Requests that answer themselves.
RecordHeader late_request() {
  RecordHeader header = message();
  header.flags = shm::kFlagRequest;
  header.stream = 1;
  header.deadline_ns = 1;
  return header;
}

void die(RawLink& link) { ::shutdown(link.socket(), SHUT_RDWR); }

constexpr Lie kLies[] = {
    // Positions that cannot be.
    {"PublishedHalfOfAll", Stage::kLane, "published", [](RawLink& link) { say_published(link, kHalf); }},
    {"PublishedBeforeTheBeginning", Stage::kLane, "published", [](RawLink& link) { say_published(link, 0 - kCells); }},
    {"PublishedBackToTheBeginning", Stage::kLane, "published",
     [](RawLink& link) {
       be_honest_once(link);
       say_published(link, 0);
     }},
    {"PublishedARingTooFarLater", Stage::kLane, "published",
     [](RawLink& link) {
       be_honest_once(link);
       say_published(link, 1 + 2 * kCells);
     }},
    {"PublishedNothingAsARecord", Stage::kLane, "record.kind", [](RawLink& link) { say_published(link, 1); }},
    {"PublishedARingOfNothing", Stage::kLane, "record.kind", [](RawLink& link) { say_published(link, kCells); }},
    {"PublishedHalfARecord", Stage::kLane, "record size",
     [](RawLink& link) {
       RecordHeader header = message();
       header.inline_bytes = 100;
       link.write_record(header, std::string(100, 'x'), 3);
       say_published(link, 1);
       link.ring();
       link.wait_for_end();
     }},
    {"ConsumedFarTooMuch", Stage::kLane, "consumed", [](RawLink& link) { say_consumed(link, 100'000); }},
    {"ConsumedHalfOfAll", Stage::kLane, "consumed", [](RawLink& link) { say_consumed(link, kHalf); }},
    {"ConsumedBackwards", Stage::kLane, "consumed",
     [](RawLink& link) {
       say_consumed(link, 0);
       link.lines().consumed.store(UINT64_MAX - kCells);
     }},

    // The release ring.
    {"ReturnedBackwards", Stage::kLane, "it does not hold",
     [](RawLink& link) { link.lines().returned.store(UINT64_MAX); }},
    {"ReturnedATokenBeyondTheTable", Stage::kLane, "it does not hold",
     [](RawLink& link) { give_back(link, kRawReleaseSlots + 100); }},
    {"ReturnedTheLastToken", Stage::kLane, "it does not hold", [](RawLink& link) { give_back(link, UINT32_MAX); }},
    {"ReturnedWithReservedBytes", Stage::kLane, "it does not hold",
     [](RawLink& link) { give_back(link, UINT32_MAX, 1); }},
    {"ReturnedAFullRing", Stage::kLane, "it does not hold",
     [](RawLink& link) { link.lines().returned.store(kRawReleaseSlots); }},
    {"ReturnedMoreThanTheRing", Stage::kLane, "it does not hold",
     [](RawLink& link) { link.lines().returned.store(kRawReleaseSlots + 1); }},

    // Hints: noise. The link goes on.
    {"SleepsAndWantsEverythingAlways", Stage::kLane, kGoesOn,
     [](RawLink& link) { link.lines().sleep.store(UINT64_MAX); }},
    {"SleepWordIsGarbage", Stage::kLane, kGoesOn,
     [](RawLink& link) {
       go_wild(link, [&](std::uint64_t i) { link.lines().sleep.store(i * 0x9e37'79b9'7f4a'7c15); });
     }},
    {"SleepEpochsRunWild", Stage::kLane, kGoesOn,
     [](RawLink& link) { go_wild(link, [&](std::uint64_t i) { link.lines().sleep.store(i << 4 | 0xf); }); }},
    {"SleepEpochsRunBackwards", Stage::kLane, kGoesOn,
     [](RawLink& link) { go_wild(link, [&](std::uint64_t i) { link.lines().sleep.store((0 - i) << 4 | 0xf); }); }},
    {"NeverSleeps", Stage::kLane, kGoesOn, [](RawLink& link) { link.lines().sleep.store(0); }},
    {"RunsOnNoCpu", Stage::kLane, kGoesOn, [](RawLink& link) { link.lines().cpu.store(UINT32_MAX); }},
    {"RunsOnEveryCpu", Stage::kLane, kGoesOn,
     [](RawLink& link) {
       go_wild(link, [&](std::uint64_t i) { link.lines().cpu.store(static_cast<std::uint32_t>(i)); });
     }},
    {"ClaimedHalfOfAll", Stage::kLane, kGoesOn, [](RawLink& link) { link.lines().claimed.store(kHalf); }},
    {"ClaimedEverything", Stage::kLane, kGoesOn, [](RawLink& link) { link.lines().claimed.store(UINT64_MAX); }},
    {"RingsWithoutNews", Stage::kLane, kGoesOn,
     [](RawLink& link) { go_wild(link, [&](std::uint64_t) { link.ring(); }); }},
    {"ReadsTheRingAway", Stage::kLane, kGoesOn,
     [](RawLink& link) {
       go_wild(link, [&](std::uint64_t) {
         std::uint64_t rung = 0;
         link.ring();
         static_cast<void>(::read(link.peer_doorbell().get(), &rung, sizeof(rung)));
       });
     }},
    {"FillsTheDoorbellThatItRings", Stage::kLane, kGoesOn,
     [](RawLink& link) {
       // Only itself is kept from ringing, until it takes back what it put in.
       std::uint64_t all = UINT64_MAX - 1;
       std::uint64_t rung = 0;
       static_cast<void>(::read(link.peer_doorbell().get(), &rung, sizeof(rung)));
       static_cast<void>(::write(link.peer_doorbell().get(), &all, sizeof(all)));
       go_wild(link, [&](std::uint64_t) {});
       static_cast<void>(::read(link.peer_doorbell().get(), &rung, sizeof(rung)));
     }},
    {"BlocksWhoeverRingsIt", Stage::kLane, kGoesOn,
     [](RawLink& link) {
       // Full, and blocking: a write to it would never come back. It asks to be rung for everything.
       const std::uint64_t all = UINT64_MAX - 1;
       static_cast<void>(::write(link.own_doorbell().get(), &all, sizeof(all)));
       static_cast<void>(::fcntl(link.own_doorbell().get(), F_SETFL, O_RDWR));
       go_wild(link, [&](std::uint64_t i) { link.lines().sleep.store(i << 4 | 0xf); });
     }},

    // Constant words, and payload, changed after they were read.
    {"HeaderLosesItsMagic", Stage::kLane, kGoesOn, [](RawLink& link) { own_header(link).magic = 0; }},
    {"HeaderHasAnotherVersion", Stage::kLane, kGoesOn, [](RawLink& link) { own_header(link).version = 9; }},
    {"HeaderBecomesAnArena", Stage::kLane, kGoesOn,
     [](RawLink& link) { own_header(link).kind = shm::SegmentKind::kArena; }},
    {"HeaderGrows", Stage::kLane, kGoesOn, [](RawLink& link) { own_header(link).segment_bytes = UINT64_MAX; }},
    {"HeaderHasALargerRing", Stage::kLane, kGoesOn, [](RawLink& link) { own_header(link).ring_bytes = 1 << 30; }},
    {"HeaderHasNoRing", Stage::kLane, kGoesOn, [](RawLink& link) { own_header(link).ring_bytes = 0; }},
    {"HeaderHasMoreSlots", Stage::kLane, kGoesOn, [](RawLink& link) { own_header(link).release_slot_count = 65'536; }},
    {"HeaderIsAllOnes", Stage::kLane, kGoesOn,
     [](RawLink& link) { std::memset(static_cast<void*>(&own_header(link)), 0xff, sizeof(shm::SegmentHeader)); }},
    {"PayloadChangesAfterItWasPublished", Stage::kLane, kGoesOn,
     [](RawLink& link) {
       RecordHeader header = message();
       header.inline_bytes = 32;
       for (int i = 0; i < 100; ++i) {
         std::byte* at = link.writer().reserve(1);
         if (at == nullptr) return;
         std::memcpy(at, &header, sizeof(header));
         link.writer().commit();
         link.publish();
         for (int byte = 0; byte < 32; ++byte) at[sizeof(header) + byte] = static_cast<std::byte>(i + byte);
       }
     }},
    {"SendsMessagesWithoutPause", Stage::kLane, kGoesOn, [](RawLink& link) { flood(link, 20'000, message()); }},
    {"AsksTooLateAndReadsNoAnswer", Stage::kLane, "does not read the answers",
     [](RawLink& link) { flood(link, 200'000, late_request()); }},
    {"TakesEachRequestBackAndReadsNoAnswer", Stage::kLane, "does not read the answers",
     [](RawLink& link) {
       RecordHeader header = late_request();
       header.retracted = 1;
       flood(link, 200'000, header);
     }},
    {"AnswersWhatNobodyAsked", Stage::kLane, kGoesOn,
     [](RawLink& link) {
       RecordHeader header = message();
       header.flags = shm::kFlagReply;
       header.stream = 0x1234'5678'9abc;
       flood(link, 5000, header);
     }},

    // Deaths between two steps.
    {"DiesOnALane", Stage::kLane, "has gone", die},
    {"DiesBeforeItPublishes", Stage::kLane, "has gone",
     [](RawLink& link) {
       link.write_record(message());
       die(link);
     }},
    {"DiesBeforeItRings", Stage::kLane, "has gone",
     [](RawLink& link) {
       link.write_record(message());
       link.writer().publish();
       die(link);
     }},
    {"DiesAfterASecondPublish", Stage::kLane, "has gone",
     [](RawLink& link) {
       be_honest_once(link);
       be_honest_once(link);
       die(link);
     }},
    {"DiesHoldingABlock", Stage::kLane, "has gone",
     [](RawLink& link) {
       shm::BlockDescriptor block{};
       static_cast<void>(link.receive_block(block));
       die(link);
     }},
    {"DiesWithALieOnItsLips", Stage::kLane, "record.kind",
     [](RawLink& link) {
       link.write_record({});
       link.writer().publish();
       die(link);
     }},
    {"EndsItsSocketAndGoesOn", Stage::kLane, "has gone",
     [](RawLink& link) {
       ::shutdown(link.socket(), SHUT_WR);
       for (int i = 0; i < 2'000'000 && (i % 10'000 != 0 || link.wait_a_moment()); ++i) {
         link.write_record(message());
         link.writer().publish();
       }
     }},
    {"EndsItsSocketAndGoesOnWithWhatIsNoMessage", Stage::kLane, "has gone",
     [](RawLink& link) {
       RecordHeader credit{};
       credit.kind = RecordKind::kCredit;
       ::shutdown(link.socket(), SHUT_WR);
       const std::uint64_t before = link.peer_lines().consumed.load();
       for (int i = 0; i < 2'000'000 && (i % 10'000 != 0 || link.wait_a_moment()); ++i) {
         link.write_record(credit);
         link.writer().publish();
       }
       // Some turns may pass before the end is noticed; from then on nothing more is taken.
       if (link.peer_lines().consumed.load() - before < 16 * kCells) return;
       std::fputs("the last turn had no end\n", stderr);
       std::_Exit(1);
     }},
};

}  // namespace

std::span<const Lie> position_lies() { return kLies; }

}  // namespace wharf::test
