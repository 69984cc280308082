// gRPC over a Unix socket: a callback service; unary calls that the client starts and reaps with one completion queue,
// and a client stream. Calls under way at once have no order.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <contest.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include "wharf/perf/peers/peers.h"

namespace wharf::perf {
namespace {

using rpc::Contest;
using rpc::Payload;

void write(Side& side, const Load& load, std::uint64_t number, Payload& payload) {
  payload.mutable_bytes()->resize(load.payload_bytes);
  side.write(payload.mutable_bytes()->data(), load.payload_bytes, number);
}

void must(const grpc::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "grpc: %s\n", status.error_message().c_str());
  std::_Exit(1);
}

// Its methods are called by the library's threads.
class Service final : public Contest::CallbackService {
 public:
  Service(Side& side, const Load& load) : side_(side), load_(load) {}

  void wait_for_last() { last_.get_future().wait(); }

 private:
  class PushReactor final : public grpc::ServerReadReactor<Payload> {
   public:
    explicit PushReactor(Service& service) : service_(service) { StartRead(&payload_); }
    void OnReadDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::OK);
      service_.take(payload_, ++number_);
      StartRead(&payload_);
    }
    void OnDone() override { delete this; }

   private:
    Service& service_;
    Payload payload_;
    std::uint64_t number_ = 0;
  };

  // The last call has an empty reply.
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const Payload* request,
                                 Payload* reply) override {
    const std::uint64_t number = request->bytes().size() < sizeof(number) ? 0 : number_of(request->bytes().data());
    if (take(*request, number)) {
      const std::lock_guard lock(mutex_);
      write(side_, load_, number, *reply);
    }
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerReadReactor<Payload>* Push(grpc::CallbackServerContext*, Payload*) override {
    return new PushReactor(*this);
  }

  bool take(const Payload& payload, std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    const std::string& bytes = payload.bytes();
    if (bytes.size() != load_.payload_bytes) std::_Exit(1);
    if (side_.take(bytes.data(), bytes.size(), number)) return true;
    side_.finish();
    last_.set_value();
    return false;
  }

  Side& side_;
  const Load& load_;
  std::mutex mutex_;  // of the side
  std::promise<void> last_;
};

class GrpcDuel : public Duel {
 public:
  explicit GrpcDuel(const Load& load) : load_(load) {}

  void client(Side& side) final {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);  // the server may come later
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
    const auto channel = grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments);
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30))) {
      fail("WaitForConnected");
    }
    const auto stub = Contest::NewStub(channel);
    side.ready();
    run(side, *stub);
    side.finish();
  }

  void server(Side& side, unsigned) final {
    Service service(side, load_);
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
    builder.RegisterService(&service);
    const auto server = builder.BuildAndStart();
    if (server == nullptr) fail("BuildAndStart");
    side.ready();
    service.wait_for_last();
    server->Shutdown();  // when the last call has its reply
  }

 protected:
  virtual void run(Side& side, Contest::Stub& stub) = 0;

  const Load load_;

 private:
  const Directory directory_;
  const std::string address_ = "unix:" + directory_.file("socket");
};

// Keeps Load::count calls under way: one for a round trip.
class Calls final : public GrpcDuel {
 public:
  using GrpcDuel::GrpcDuel;

 private:
  struct UnaryCall {
    std::optional<grpc::ClientContext> context;
    Payload request;
    Payload reply;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Payload>> reader;
    std::uint64_t number = 0;

    void start(Contest::Stub& stub, grpc::CompletionQueue& queue) {
      context.emplace();
      reader = stub.AsyncCall(&*context, request, &queue);
      reader->Finish(&reply, &status, this);
    }
  };

  static UnaryCall& next(grpc::CompletionQueue& queue) {
    void* tag = nullptr;
    bool ok = false;
    if (!queue.Next(&tag, &ok) || !ok) fail("CompletionQueue::Next");
    auto& call = *static_cast<UnaryCall*>(tag);
    must(call.status);
    return call;
  }

  void run(Side& side, Contest::Stub& stub) override {
    grpc::CompletionQueue queue;
    std::vector<UnaryCall> calls(load_.count);
    std::uint64_t sent = 0;
    const auto start = [&](UnaryCall& call, std::uint64_t number) {
      call.number = number;
      write(side, load_, number, call.request);
      call.start(stub, queue);
    };
    for (UnaryCall& call : calls) start(call, ++sent);
    for (std::uint64_t received = 1; received <= sent; ++received) {
      UnaryCall& call = next(queue);
      const std::string& reply = call.reply.bytes();
      if (reply.size() != load_.payload_bytes) std::_Exit(1);
      side.check(reply.data(), reply.size(), call.number);
      if (side.more()) start(call, ++sent);
    }
    start(calls[0], kLastNumber);
    next(queue);
  }
};

class Stream final : public GrpcDuel {
 public:
  using GrpcDuel::GrpcDuel;

 private:
  void run(Side& side, Contest::Stub& stub) override {
    grpc::ClientContext context;
    Payload payload;
    Payload none;
    const auto writer = stub.Push(&context, &none);
    const auto push = [&](std::uint64_t number) {
      write(side, load_, number, payload);
      if (!writer->Write(payload)) fail("Write");
    };
    for (std::uint64_t number = 1; side.more(); ++number) push(number);
    push(kLastNumber);
    writer->WritesDone();
    must(writer->Finish());
  }
};

}  // namespace
}  // namespace wharf::perf

int main(int argc, char** argv) {
  using namespace wharf::perf;
  constexpr std::size_t kLargest = 1 << 20;
  const std::vector<Mode> modes{Mode::kDefault};
  return run_contest(argc, argv,
                     {{"grpc", "round_trip", modes, make<Calls>, kLargest, false, 2},
                      {"grpc", "stream", modes, make<Stream>, kLargest, false, 1},
                      {"grpc", "calls", modes, make<Calls>, kLargest, false, 2}});
}
