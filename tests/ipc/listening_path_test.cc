// The path of a PortListener: its mode, what is in its way, and what becomes of it.
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "wharf/ipc/connector.h"
#include "wharf/ipc/detail/socket_name.h"
#include "wharf/ipc/listener.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/supervisor_watch.h"

namespace wharf::test {
namespace {

namespace sys = runtime::sys;
using ipc::PortListener;

bool has(const Status& status, const std::string& part) {
  return std::string(status.message()).find(part) != std::string::npos;
}
mode_t mode_of(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}
bool exists(const std::string& path) { return std::filesystem::exists(std::filesystem::symlink_status(path)); }

class ListeningPathTest : public PortTest {
 protected:
  StatusOr<std::unique_ptr<PortListener>> listen(mode_t mode = 0600) const {
    return PortListener::listen(path_, ipc::same_user_or_root, {.mode = mode});
  }
  const TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/port";
};

TEST_F(ListeningPathTest, HasTheModeThatWasAskedForWhateverTheUmask) {
  for (const mode_t umask : {0u, 022u, 077u}) {
    const mode_t before = ::umask(umask);
    for (const mode_t mode : {0600u, 0660u, 0666u}) {
      auto listener = listen(mode);
      EXPECT_OK(listener.status());
      EXPECT_EQ(mode_of(path_), mode) << umask;
    }
    ::umask(before);
  }
}

// Before bind() there is no path, and from then on its mode is never more open than wanted.
TEST_F(ListeningPathTest, IsNeverMoreOpenThanAsked) {
  const mode_t before = ::umask(0);
  const sys::FailureInjection no_more(2, EPERM, sys::Call::kChmod);
  auto listener = listen(0600);
  ::umask(before);

  EXPECT_OK(listener.status());
  EXPECT_EQ(mode_of(path_), 0600u);
  EXPECT_FALSE(no_more.fired()) << "one call, before bind, was enough";
}

TEST_F(ListeningPathTest, OfALiveServerIsLeftAlone) {
  auto first = listen();
  ASSERT_TRUE(first.ok()) << first.status();

  auto second = listen();

  EXPECT_EQ(second.status().code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(has(second.status(), path_) && has(second.status(), "stop it")) << second.status();
  EXPECT_TRUE(exists(path_));
  first->reset();
  EXPECT_FALSE(exists(path_));
  EXPECT_OK(listen().status());
}

TEST_F(ListeningPathTest, OfAServerThatIsBoundAndDoesNotListenYetIsLeftAlone) {
  const runtime::UniqueFd starting(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  auto name = ipc::detail::SocketName::parse(path_);
  ASSERT_EQ(::bind(starting.get(), name->address(), name->address_bytes()), 0);

  EXPECT_EQ(listen().status().code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(exists(path_));
}

coro::Task<void> kill_the_server(std::string path) {
  PeerProcess server(peer_setup("listen_and_wait"));
  auto port = co_await server.open({});
  Status sent = co_await port->send(ipc::Message(path));
  EXPECT_OK(sent);
  co_await server.until_cued();
  EXPECT_EQ(PortListener::listen(path).status().code(), StatusCode::kAlreadyExists);

  co_await server.kill();

  EXPECT_TRUE(exists(path));
  auto nobody = co_await ipc::connect_port(path);
  EXPECT_EQ(nobody.status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(has(nobody.status(), path) && has(nobody.status(), "is the server running?")) << nobody.status();
  auto listener = PortListener::listen(path);
  EXPECT_OK(listener.status());
}

TEST_F(ListeningPathTest, OfAServerThatWasKilledIsReplaced) { run(kill_the_server(path_)); }

TEST_F(ListeningPathTest, WithoutASocketIsLeftAlone) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(listen().status().code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(has(listen().status(), "no socket")) << listen().status();
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);

  std::filesystem::remove(path_);
  std::filesystem::create_symlink(folder_.path() + "/elsewhere", path_);
  EXPECT_EQ(listen().status().code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(exists(path_));
}

TEST_F(ListeningPathTest, ThatIsAnothersByNowStaysAtTheClose) {
  auto first = listen();
  ASSERT_TRUE(first.ok()) << first.status();
  std::filesystem::remove(path_);
  auto second = listen();
  ASSERT_TRUE(second.ok()) << second.status();

  (*first)->close();
  EXPECT_TRUE(exists(path_));

  (*second)->close();
  EXPECT_FALSE(exists(path_));
}

TEST_F(ListeningPathTest, ThatCannotBeIsRefusedWithTheRemedy) {
  const auto code_of = [](const std::string& name) { return PortListener::listen(name).status().code(); };
  EXPECT_EQ(code_of(""), StatusCode::kInvalidArgument);
  EXPECT_EQ(code_of("@"), StatusCode::kInvalidArgument);
  EXPECT_EQ(code_of(std::string(108, 'x')), StatusCode::kInvalidArgument);
  EXPECT_EQ(code_of(std::string("/tmp/a\0b", 8)), StatusCode::kInvalidArgument);
  EXPECT_OK(PortListener::listen("@" + std::string(106, 'x')).status());
  EXPECT_EQ(PortListener::listen(path_, nullptr).status().code(), StatusCode::kInvalidArgument);

  const Status status = PortListener::listen(folder_.path() + "/no/such/port").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_TRUE(has(status, "create the folder")) << status;
}

TEST_F(ListeningPathTest, AbstractNamesAreTakenOnceAndFreeAfterwards) {
  const std::string name = "@wharf_test_" + std::to_string(::getpid());
  auto first = PortListener::listen(name);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(PortListener::listen(name).status().code(), StatusCode::kAlreadyExists);
  first->reset();
  EXPECT_OK(PortListener::listen(name).status());
}

// As a server that was killed leaves it.
void leave_a_dead_path(const std::string& path) {
  const runtime::UniqueFd server(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  auto name = ipc::detail::SocketName::parse(path);
  EXPECT_EQ(::bind(server.get(), name->address(), name->address_bytes()), 0);
}

// Whatever fails, nothing is left: no descriptor (run() looks), and no path.
coro::Task<void> listen_with_failures(std::string path, bool replaces) {
  bool fired = true;
  for (std::uint64_t nth = 1; fired; ++nth) {
    if (replaces) leave_a_dead_path(path);
    StatusOr<std::unique_ptr<PortListener>> listener = absl::UnknownError("");
    {
      const sys::FailureInjection failure(nth, EIO);
      listener = PortListener::listen(path);
      fired = failure.fired();
    }
    EXPECT_TRUE(listener.ok() || has(listener.status(), path)) << listener.status();
    EXPECT_TRUE(fired || listener.ok());
    if (listener.ok()) listener->reset();
    EXPECT_TRUE(replaces || !exists(path)) << nth;
    CO_ASSERT_TRUE(nth < 50);
    std::filesystem::remove(path);
  }
  co_await next_turn();
}

TEST_F(ListeningPathTest, ListenFailsCleanlyWhicheverSystemCallFails) {
  for (const bool replaces : {true, false}) run(listen_with_failures(path_, replaces));
}

}  // namespace
}  // namespace wharf::test
