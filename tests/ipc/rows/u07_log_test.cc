// U7: a new log file reaches every process as an ordinary message.
#include <memory>
#include <string>
#include <utility>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/peers/logging.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

std::string text_in(const runtime::UniqueFd& file) {
  std::string text(256, '\0');
  const ssize_t bytes = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return text;
}
runtime::UniqueFd log_file() { return runtime::UniqueFd(::memfd_create("log", MFD_CLOEXEC)); }
runtime::UniqueFd copy_of(const runtime::UniqueFd& file) {
  return runtime::UniqueFd(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
}

// Both workers write to `first`, then to `second`; each line is in the file that was theirs when it was logged.
coro::Task<void> reopen(PeerSetup setup) {
  PeerProcess one(setup);
  PeerProcess two(setup);
  auto to_one = co_await one.open(setup.port);
  auto to_two = co_await two.open(setup.port);
  CO_ASSERT_TRUE(to_one != nullptr && to_two != nullptr);
  const runtime::UniqueFd first = log_file();
  const runtime::UniqueFd second = log_file();
  Tracer old_log;  // the log before the first

  for (ipc::Port* port : {to_one.get(), to_two.get()}) {
    ipc::Message before(kReopenLog);
    before.attach(port == to_one.get() ? old_log.take() : log_file());
    Status sent = co_await port->send(std::move(before));
    EXPECT_OK(sent);
    for (const runtime::UniqueFd* file : {&first, &second}) {
      ipc::Message reopened(kReopenLog);
      reopened.attach(copy_of(*file));
      sent = co_await port->send(std::move(reopened));
      EXPECT_OK(sent);
      const std::string line = file == &first ? "first;" : "second;";
      std::string logged = co_await ask(*port, ipc::Message(kLogLine, line));
      EXPECT_EQ(logged, "logged");
    }
  }

  EXPECT_EQ(text_in(first), "first;first;");
  EXPECT_EQ(text_in(second), "second;second;");
  co_await old_log.until_closed_everywhere();
  to_one.reset();
  to_two.reset();
  co_await one.join();
  co_await two.join();
}

TEST_P(PortRowTest, U7_ANewLogFileIsPushedToEveryProcessAndTheOldOneIsClosed) { run(reopen(setup("logger"))); }

}  // namespace
}  // namespace wharf::test
