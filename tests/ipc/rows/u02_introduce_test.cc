// U2: two processes are introduced, and talk directly, also when the introducer has gone. U3: each link learns by itself of
// a death.
#include <memory>
#include <string>
#include <utility>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/peers/introductions.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

// Three processes: this one, an introducer that it knows, and a guest that only the introducer knows.
struct Company {
  explicit Company(const ipc::PortOptions& options)
      : introducer(peer_setup("introducer", options)),
        ends(ipc::Port::end_pair()),
        guest(peer_setup("guest", options), ends->first.fd()) {
    ends->first.close();
  }

  PeerProcess introducer;
  StatusOr<std::pair<ipc::PortEnd, ipc::PortEnd>> ends;
  PeerProcess guest;
  std::unique_ptr<ipc::Port> to_introducer;
  std::unique_ptr<ipc::Port> to_guest;
};

coro::Task<void> introduce_guest(Company& company, ipc::PortOptions options) {
  company.to_introducer = co_await company.introducer.open(options);
  CO_ASSERT_TRUE(company.to_introducer != nullptr);
  ipc::Message message(kGuest);
  message.attach(std::move(company.ends->second));
  Status sent = co_await company.to_introducer->send(std::move(message));
  CO_ASSERT_OK(sent);
  co_await company.guest.until_cued();

  std::string introduced = co_await ask(*company.to_introducer, ipc::Message(kIntroduce));
  auto meeting = co_await company.to_introducer->receive();
  CO_ASSERT_TRUE(meeting.has_value());
  EXPECT_EQ(meeting->type(), kMeet);
  EXPECT_EQ(meeting->to_string(), "each other");
  auto end = meeting->take_port(0);
  CO_ASSERT_OK(end.status());
  auto port = co_await ipc::Port::open(*std::move(end), options);
  CO_ASSERT_OK(port.status());
  company.to_guest = *std::move(port);
  EXPECT_EQ(company.to_guest->uses_shared_memory(), options.shared_memory);
}

coro::Task<void> talk_without_the_introducer(ipc::PortOptions options) {
  Company company(options);
  co_await introduce_guest(company, options);
  CO_ASSERT_TRUE(company.to_guest != nullptr);
  std::string answer = co_await ask(*company.to_guest, ipc::Message("ahoy"));
  EXPECT_EQ(answer, "directly: ahoy");

  co_await company.introducer.kill();
  bool closed = co_await company.to_introducer->closed();

  EXPECT_TRUE(closed);
  for (const std::size_t bytes : {1, 1000, 100'000}) {
    const std::string payload = pattern(bytes);
    answer = co_await ask(*company.to_guest, ipc::Message(payload));
    EXPECT_TRUE(answer == "directly: " + payload);
  }
  company.to_guest.reset();
  co_await company.guest.join();
}

TEST_P(PortRowTest, U2_StrangersTalkDirectlyAndGoOnWhenTheIntroducerIsKilled) {
  run(talk_without_the_introducer(setup("").port));
}

coro::Task<void> learn_of_a_death(ipc::PortOptions options) {
  Company company(options);
  co_await introduce_guest(company, options);
  CO_ASSERT_TRUE(company.to_guest != nullptr);

  co_await company.guest.kill();

  bool closed = co_await company.to_guest->closed();
  EXPECT_TRUE(closed);
  EXPECT_EQ(company.to_guest->status().code(), StatusCode::kUnavailable);
  std::string seen = co_await ask(*company.to_introducer, ipc::Message(kUntilGuestEnds));
  EXPECT_EQ(seen, std::string(company.to_guest->status().message())) << "both links say the same";
  company.to_introducer.reset();
  co_await company.introducer.join();
}

TEST_P(PortRowTest, U3_EachLinkOfADeadProcessLearnsOfItByItself) { run(learn_of_a_death(setup("").port)); }

// Each is refused, and its descriptors are closed: run() looks.
coro::Task<void> refuse_wrong_introductions(ipc::Port& port, PeerProcess& /*peer*/) {
  for (std::uint64_t kind = 0; kind < kWrongIntroductions; ++kind) {
    auto meeting = co_await port.receive();
    CO_ASSERT_TRUE(meeting.has_value());
    auto end = meeting->take_port(0);
    EXPECT_EQ(end.status().code(), StatusCode::kInvalidArgument) << kind;
    EXPECT_NE(std::string(end.status().message()).find(kind == 0 ? "is not there" : "is no end of a link"),
              std::string::npos)
        << end.status();
  }
  EXPECT_OK(port.status());
}

TEST_P(PortRowTest, U2_D24_AnIntroductionThatIsTooShortOrCarriesSomethingElseIsRefused) {
  run(setup("introduce_badly"), refuse_wrong_introductions);
}

coro::Task<void> meet_nobody(ipc::Port& port, PeerProcess& peer) {
  auto meeting = co_await port.receive();
  CO_ASSERT_TRUE(meeting.has_value());
  Status sent = co_await port.send(ipc::Message("die"));
  EXPECT_OK(sent);
  auto ended = co_await peer.process().wait();
  EXPECT_OK(ended.status());

  auto end = meeting->take_port(0);
  CO_ASSERT_OK(end.status());
  auto direct = co_await ipc::Port::open(*std::move(end));

  EXPECT_EQ(direct.status().code(), StatusCode::kUnavailable) << direct.status();
}

coro::Task<void> meet_nobody_there(PeerSetup setup) {
  PeerProcess peer(setup);
  auto port = co_await peer.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  co_await meet_nobody(*port, peer);
}

TEST_P(PortRowTest, U2_AnIntroducerThatDiesInTheMiddleLeavesAnEndThatIsClosed) {
  run(meet_nobody_there(setup("introduce_and_die")));
}

coro::Task<void> take_both_ends(ipc::Port& port, PeerProcess& /*peer*/) {
  auto meeting = co_await port.receive();
  CO_ASSERT_TRUE(meeting.has_value());
  EXPECT_EQ(meeting->fd_count(), 3u);
  for (const std::size_t index : {0, 2}) {
    auto end = meeting->take_port(index);
    CO_ASSERT_OK(end.status());
    auto direct = co_await ipc::Port::open(*std::move(end));
    CO_ASSERT_OK(direct.status());
    std::string answer = co_await ask(**direct, ipc::Message("ahoy"));
    EXPECT_EQ(answer, "directly: ahoy");
    auto again = meeting->take_port(index);
    EXPECT_EQ(again.status().code(), StatusCode::kInvalidArgument) << "it is taken once";
  }
}

TEST_P(PortRowTest, U2_D36_D38_EveryEndOfAMessageArrivesAndWhatIsNotTakenIsClosed) {
  run(setup("introduce_twice"), take_both_ends);
}

}  // namespace
}  // namespace wharf::test
