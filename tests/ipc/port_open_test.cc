// Opening a port where something is refused: an option, shared memory, descriptors, any one system call.
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/when_all.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {
namespace {

namespace sys = runtime::sys;
using PortOr = StatusOr<std::unique_ptr<ipc::Port>>;

coro::Task<void> expect_refused_option(ipc::PortOptions options, std::string name) {
  auto ends = ipc::Port::end_pair();
  CO_ASSERT_OK(ends.status());
  auto port = co_await ipc::Port::open(std::move(ends->first), options);
  EXPECT_EQ(port.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(port.status().message()).find(name), std::string::npos) << port.status();
}

TEST_F(PortTest, OpenRefusesEveryOptionThatIsOutOfRangeByName) {
  const std::vector<std::pair<std::string, std::function<void(ipc::PortOptions&)>>> changes = {
      {"ring_bytes", [](ipc::PortOptions& options) { options.lane.ring_bytes = 8 * 1024; }},
      {"ring_bytes", [](ipc::PortOptions& options) { options.lane.ring_bytes = 20'000; }},
      {"ring_bytes", [](ipc::PortOptions& options) { options.lane.ring_bytes = 32 << 20; }},
      {"release_slot_count", [](ipc::PortOptions& options) { options.lane.release_slot_count = 0; }},
      {"release_slot_count", [](ipc::PortOptions& options) { options.lane.release_slot_count = 300; }},
      {"release_slot_count", [](ipc::PortOptions& options) { options.lane.release_slot_count = 131'072; }},
      {"inline_bytes_max", [](ipc::PortOptions& options) { options.lane.inline_bytes_max = 2049; }},
      {"packet_bytes_max", [](ipc::PortOptions& options) { options.packet_bytes_max = 1023; }},
      {"packet_bytes_max", [](ipc::PortOptions& options) { options.packet_bytes_max = 128 * 1024 + 1; }},
      {"message_bytes_max", [](ipc::PortOptions& options) { options.message_bytes_max = 0; }},
      {"message_bytes_max", [](ipc::PortOptions& options) { options.message_bytes_max = (std::size_t{4} << 30) + 1; }},
      {"turn_bytes_max", [](ipc::PortOptions& options) { options.turn_bytes_max = 4095; }},
      {"socket_turn_bytes_max", [](ipc::PortOptions& options) { options.socket_turn_bytes_max = 17 << 20; }},
      {"assembly_timeout_ms", [](ipc::PortOptions& options) { options.assembly_timeout_ms = 0; }},
      {"turn_message_count_max", [](ipc::PortOptions& options) { options.turn_message_count_max = 0; }},
      {"handshake_timeout_ms", [](ipc::PortOptions& options) { options.handshake_timeout_ms = 0; }},
      {"handshake_timeout_ms", [](ipc::PortOptions& options) { options.handshake_timeout_ms = -1; }},
      {"handshake_timeout_ms", [](ipc::PortOptions& options) { options.handshake_timeout_ms = INT64_MAX; }},
  };
  for (const auto& [name, change] : changes) {
    ipc::PortOptions options;
    change(options);

    run(expect_refused_option(options, name));
  }
}

// Opens both ends in this process, side by side.
coro::Task<std::pair<PortOr, PortOr>> open_both(ipc::PortOptions options) {
  auto ends = ipc::Port::end_pair();
  if (!ends.ok()) co_return std::pair<PortOr, PortOr>(ends.status(), ends.status());
  auto [left, right] = co_await coro::when_all(ipc::Port::open(std::move(ends->first), options),
                                               ipc::Port::open(std::move(ends->second), options));
  co_return std::pair<PortOr, PortOr>(std::move(left), std::move(right));
}

coro::Task<void> answer_one(ipc::Port& port) {
  auto request = co_await port.receive();
  CO_ASSERT_TRUE(request.has_value());
  const std::string payload = request->to_string();
  Status sent = co_await request->reply(ipc::Message(payload));
  EXPECT_OK(sent);
}

coro::Task<void> expect_talk(ipc::Port& left, ipc::Port& right) {
  auto [reply, done] = co_await coro::when_all(ask(left, ipc::Message("ahoy")), answer_one(right));
  EXPECT_EQ(reply, "ahoy");
  EXPECT_EQ(left.uses_shared_memory(), right.uses_shared_memory());
}

// Lets call number `nth` of both handshakes together fail. False: there is no such call.
coro::Task<void> open_with_failure(std::uint64_t nth, int error, bool& fired) {
  sys::FailureInjection failure(nth, error);
  auto ports = co_await open_both({});
  fired = failure.fired();
  const bool both = ports.first.ok() && ports.second.ok();
  for (const PortOr* port : {&ports.first, &ports.second}) {
    if (port->ok()) continue;
    EXPECT_FALSE(port->status().message().empty());
    EXPECT_NE(port->status().code(), StatusCode::kDeadlineExceeded) << "at once, not in the end: " << port->status();
  }
  EXPECT_TRUE(fired || both);
  if (both) co_await expect_talk(**ports.first, **ports.second);
}

TEST_F(PortTest, OpenFailsCleanlyWhicheverSystemCallFails) {
  for (const int error : {ENOMEM, EMFILE, EPERM, EIO}) {
    bool fired = true;
    for (std::uint64_t nth = 1; fired; ++nth) {
      SCOPED_TRACE(std::to_string(error) + " at call " + std::to_string(nth));
      run(open_with_failure(nth, error, fired));
      ASSERT_LT(nth, 200u);
    }
  }
}

coro::Task<void> open_without(sys::Call call, std::uint64_t nth, int error) {
  PortOr left = absl::UnknownError("");
  PortOr right = absl::UnknownError("");
  {
    const sys::FailureInjection failure(nth, error, call);
    auto ports = co_await open_both({});
    EXPECT_TRUE(failure.fired());
    left = std::move(ports.first);
    right = std::move(ports.second);
  }
  CO_ASSERT_OK(left.status());
  CO_ASSERT_OK(right.status());
  EXPECT_FALSE((*left)->uses_shared_memory());
  EXPECT_FALSE((*right)->uses_shared_memory());
  co_await expect_talk(**left, **right);
}

TEST_F(PortTest, D41_OpenDoesWithoutSharedMemoryWhereItIsRefused) {
  for (const std::uint64_t nth : {1, 2}) {  // on one side or the other
    run(open_without(sys::Call::kMemfdCreate, nth, EPERM));
    run(open_without(sys::Call::kMemfdCreate, nth, ENOSYS));
    run(open_without(sys::Call::kFallocate, nth, ENOMEM));
    run(open_without(sys::Call::kEventfd, nth, EMFILE));
    run(open_without(sys::Call::kMmap, nth, ENOMEM));
    run(open_without(sys::Call::kMmap, nth + 2, ENOMEM));  // the peer's segment
  }
}

// Leaves this process so many descriptors and no more, for as long as it lives.
class FewFds {
 public:
  explicit FewFds(rlim_t spare) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &old_), 0);
    const int lowest_free = ::dup(STDERR_FILENO);
    ::close(lowest_free);
    const rlimit few{static_cast<rlim_t>(lowest_free) + spare, old_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~FewFds() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &old_), 0); }
  FewFds(const FewFds&) = delete;
  FewFds& operator=(const FewFds&) = delete;

 private:
  rlimit old_{};
};

coro::Task<void> open_with_few_fds(rlim_t spare, bool& opened) {
  const FewFds limit(spare);
  auto ports = co_await open_both({});
  opened = ports.first.ok() && ports.second.ok();
  if (opened) {
    co_await expect_talk(**ports.first, **ports.second);
    co_return;
  }
  for (const PortOr* port : {&ports.first, &ports.second}) {
    EXPECT_NE(port->status().code(), StatusCode::kDeadlineExceeded);
    EXPECT_TRUE(port->ok() || !port->status().message().empty());
  }
}

TEST_F(PortTest, OpenFailsCleanlyWhenDescriptorsRunOut) {
  bool opened = false;
  for (rlim_t spare = 0; !opened; ++spare) {
    SCOPED_TRACE(spare);
    run(open_with_few_fds(spare, opened));
    ASSERT_LT(spare, 40u);
  }
}

}  // namespace
}  // namespace wharf::test
