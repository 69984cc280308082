// Cap'n Proto RPC between two parties over a Unix socket: an event loop on each side; a stream is a streaming method, with
// the library's flow control. Payloads are written where the request or the response is built, and read where it arrived.
#include <sys/socket.h>
#include <unistd.h>

#include <deque>

#include <capnp/rpc-twoparty.h>
#include <contest.capnp.h>
#include <kj/async-io.h>

#include "wharf/perf/peers/peers.h"

namespace wharf::perf {
namespace {

capnp::MessageSize size_of(const Load& load) { return {load.payload_bytes / 8 + 16, 0}; }

class Servant final : public Contest::Server {
 public:
  Servant(Side& side, const Load& load) : side_(side), load_(load) {}

 private:
  // The last call has an empty response.
  kj::Promise<void> call(CallContext context) override {
    if (take(context.getParams().getPayload())) {
      auto reply = context.getResults(size_of(load_)).initPayload(load_.payload_bytes);
      side_.write(reply.begin(), reply.size(), number_);
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> push(PushContext context) override {
    take(context.getParams().getPayload());
    return kj::READY_NOW;
  }

  kj::Promise<void> end(EndContext) override { return kj::READY_NOW; }

  bool take(capnp::Data::Reader payload) {
    const bool more = side_.take(payload.begin(), payload.size(), ++number_);
    if (!more) side_.finish();
    return more;
  }

  Side& side_;
  const Load& load_;
  std::uint64_t number_ = 0;
};

class CapnpDuel : public Duel {
 public:
  explicit CapnpDuel(const Load& load) : load_(load) {
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds_), "socketpair");
  }

  void client(Side& side) final {
    auto io = kj::setupAsyncIo();
    ::close(fds_[1]);
    auto stream = io.lowLevelProvider->wrapSocketFd(fds_[0], kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP);
    capnp::TwoPartyClient party(*stream);
    auto contest = party.bootstrap().castAs<Contest>();
    contest.endRequest().send().wait(io.waitScope);  // the parties are linked
    side.ready();
    run(side, contest, io.waitScope);
    side.finish();
  }

  void server(Side& side, unsigned) final {
    auto io = kj::setupAsyncIo();
    ::close(fds_[0]);
    auto stream = io.lowLevelProvider->wrapSocketFd(fds_[1], kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP);
    capnp::TwoPartyClient party(*stream, kj::heap<Servant>(side, load_), capnp::rpc::twoparty::Side::SERVER);
    side.all_ready();  // its thread must go on turning
    party.onDisconnect().wait(io.waitScope);
  }

 protected:
  virtual void run(Side& side, Contest::Client& contest, kj::WaitScope& scope) = 0;

  auto request(Side& side, Contest::Client& contest, std::uint64_t number) {
    auto request = contest.callRequest(size_of(load_));
    auto payload = request.initPayload(load_.payload_bytes);
    side.write(payload.begin(), payload.size(), number);
    return request.send();
  }

  const Load load_;

 private:
  int fds_[2] = {-1, -1};
};

// Keeps Load::count calls under way: one for a round trip.
class Calls final : public CapnpDuel {
 public:
  using CapnpDuel::CapnpDuel;

 private:
  void run(Side& side, Contest::Client& contest, kj::WaitScope& scope) override {
    std::deque<capnp::RemotePromise<Contest::CallResults>> calls;
    std::uint64_t sent = 0;
    while (sent < load_.count) calls.push_back(request(side, contest, ++sent));
    for (std::uint64_t received = 1; !calls.empty(); ++received) {
      auto response = calls.front().wait(scope);
      calls.pop_front();
      const auto reply = response.getPayload();
      side.check(reply.begin(), reply.size(), received);
      if (side.more()) calls.push_back(request(side, contest, ++sent));
    }
    request(side, contest, kLastNumber).wait(scope);
  }
};

class Stream final : public CapnpDuel {
 public:
  using CapnpDuel::CapnpDuel;

 private:
  void run(Side& side, Contest::Client& contest, kj::WaitScope& scope) override {
    for (std::uint64_t number = 1; side.more(); ++number) push(side, contest, scope, number);
    push(side, contest, scope, kLastNumber);
    contest.endRequest().send().wait(scope);
  }

  // Returns when more may be sent.
  void push(Side& side, Contest::Client& contest, kj::WaitScope& scope, std::uint64_t number) {
    auto message = contest.pushRequest(size_of(load_));
    auto payload = message.initPayload(load_.payload_bytes);
    side.write(payload.begin(), payload.size(), number);
    message.send().wait(scope);
  }
};

}  // namespace
}  // namespace wharf::perf

int main(int argc, char** argv) {
  using namespace wharf::perf;
  constexpr std::size_t kLargest = 1 << 20;
  const std::vector<Mode> modes{Mode::kDefault};
  return run_contest(argc, argv,
                     {{"capnp", "round_trip", modes, make<Calls>, kLargest, false, 2},
                      {"capnp", "stream", modes, make<Stream>, kLargest, false, 1},
                      {"capnp", "calls", modes, make<Calls>, kLargest, false, 2}});
}
