#include "wharf/runtime/detail/uring_refusal.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/refuse_call.h"

namespace wharf::runtime::detail {
namespace {

// What `say` says in a process of its own, in which only the machine chooses the backend.
std::string in_child(const std::function<std::string()>& say) {
  int fds[2];
  EXPECT_EQ(::pipe(fds), 0);
  UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    ::unsetenv("WHARF_BACKEND");
    const std::string said = say();
    const ssize_t written = ::write(writer.get(), said.data(), said.size());
    ::_exit(written < 0 ? 1 : 0);
  }
  writer.reset();
  char text[2000];
  const ssize_t bytes = ::read(reader.get(), text, sizeof(text));
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return {text, static_cast<std::size_t>(bytes > 0 ? bytes : 0)};
}

// What Reactor::create says in a process where io_uring is refused with `error`.
std::string refused_with(int error) {
  return in_child([error]() -> std::string {
    if (!test::refuse_call(SYS_io_uring_setup, error)) return "no seccomp here";
    return Reactor::create({.backend = BackendKind::kUring}).status().ToString();
  });
}

coro::Task<int> sum_by_pipe() {
  int fds[2];
  if (::pipe(fds) != 0) co_return -1;
  const UniqueFd reader(fds[0]);
  const UniqueFd writer(fds[1]);
  std::array<std::byte, 4> bytes{};
  StatusOr<std::size_t> written = co_await write(writer.get(), bytes);
  StatusOr<std::size_t> count = co_await read(reader.get(), bytes);
  co_return written.ok() && count.ok() ? static_cast<int>(*count) : -1;
}

// The backend that a reactor gets here, why, and whether it works.
std::string chosen() {
  StatusOr<std::unique_ptr<Reactor>> reactor = Reactor::create();
  if (!reactor.ok()) return reactor.status().ToString();
  const int bytes = (*reactor)->run(sum_by_pipe());
  return std::string((*reactor)->backend_name()) + ", " + std::to_string(bytes) + " bytes; " +
         (*reactor)->why_not_uring();
}

TEST(UringRefusalTest, ASeccompFilterThatSaysEpermIsNamedWithItsRemedy) {
  const std::string said = refused_with(EPERM);

  EXPECT_NE(said.find("UNAVAILABLE: io_uring: Operation not permitted (EPERM)"), said.npos) << said;
  EXPECT_NE(said.find("seccomp"), said.npos) << said;
  EXPECT_NE(said.find("allow io_uring_setup"), said.npos) << said;
  EXPECT_EQ(said.find('\n'), said.npos) << said;
}

TEST(UringRefusalTest, ASeccompFilterThatSaysEnosysIsToldFromAnOldKernel) {
  const std::string said = refused_with(ENOSYS);

  EXPECT_NE(said.find("UNAVAILABLE: io_uring: Function not implemented (ENOSYS)"), said.npos) << said;
  EXPECT_NE(said.find("seccomp"), said.npos) << said;
}

TEST(UringRefusalTest, WantOfMemoryNamesTheLimits) {
  const std::string said = refused_with(ENOMEM);

  EXPECT_NE(said.find("RESOURCE_EXHAUSTED: io_uring: Cannot allocate memory (ENOMEM)"), said.npos) << said;
  EXPECT_NE(said.find("memory.max"), said.npos) << said;
}

TEST(UringRefusalTest, ASecurityModuleIsNamed) {
  const std::string said = refused_with(EACCES);

  EXPECT_NE(said.find("SELinux"), said.npos) << said;
}

TEST(UringRefusalTest, FlagsThatNoKernelKnowsMeanThatItIsOld) {
  const std::string said = refused_with(EINVAL);

  EXPECT_NE(said.find("too old: use Linux 6.1 or newer"), said.npos) << said;
}

TEST(UringRefusalTest, WhereIoUringIsRefusedAReactorWorksOnEpollAndSaysWhy) {
  for (const int error : {EPERM, ENOSYS, EACCES, EINVAL, ENOMEM}) {
    const std::string said = in_child([error]() -> std::string {
      return test::refuse_call(SYS_io_uring_setup, error) ? chosen() : "no seccomp here";
    });

    EXPECT_TRUE(said.starts_with("epoll, 4 bytes; io_uring: ")) << said;
    EXPECT_EQ(said.find('\n'), said.npos) << said;
  }
}

TEST(UringRefusalTest, AFilterThatAllowsTheSetUpAloneIsNoticed) {
  WHARF_NEEDS_URING();
  const std::string said = in_child(
      []() -> std::string { return test::refuse_call(SYS_io_uring_enter, EPERM) ? chosen() : "no seccomp here"; });

  EXPECT_TRUE(said.starts_with("epoll, 4 bytes; io_uring: Operation not permitted")) << said;
}

TEST(UringRefusalTest, AReactorNeedsNoLockedMemory) {
  const std::string said = in_child([]() -> std::string {
    const rlimit none{0, 0};
    return ::setrlimit(RLIMIT_MEMLOCK, &none) == 0 ? chosen() : "no limit here";
  });

  EXPECT_NE(said.find(", 4 bytes; "), said.npos) << said;
}

TEST(UringRefusalTest, AtTheEdgeOfItsDescriptorsAReactorWorksOrSaysWhatToRaise) {
  bool worked = false;
  for (rlim_t spare = 0; spare < 8 && !worked; ++spare) {
    const std::string said = in_child([spare]() -> std::string {
      const int lowest_free = ::dup(STDERR_FILENO);
      ::close(lowest_free);
      const rlimit few{static_cast<rlim_t>(lowest_free) + spare, 4096};
      return ::setrlimit(RLIMIT_NOFILE, &few) == 0 ? chosen() : "no limit here";
    });

    worked = said.find(", 4 bytes; ") != said.npos;
    const bool remedy = said.find("raise ulimit -n") != said.npos;
    const bool no_pipe = said.find(", -1 bytes; ") != said.npos;  // the reactor itself is there
    EXPECT_TRUE(worked || remedy || no_pipe) << spare << ": " << said;
  }
  EXPECT_TRUE(worked);
}

class ChoiceTest : public ::testing::Test {
 protected:
  // With WHARF_BACKEND set to `word`.
  static std::string with_word(const char* word, BackendKind kind) {
    return in_child([=]() -> std::string {
      ::setenv("WHARF_BACKEND", word, 1);
      StatusOr<std::unique_ptr<Reactor>> reactor = Reactor::create({.backend = kind});
      if (!reactor.ok()) return reactor.status().ToString();
      return std::string((*reactor)->backend_name()) + "; " + (*reactor)->why_not_uring();
    });
  }
};

TEST_F(ChoiceTest, TheOptionChooses) {
  WHARF_NEEDS_URING();
  EXPECT_EQ(with_word("", BackendKind::kEpoll), "epoll; ReactorOptions::backend is kEpoll");
  EXPECT_EQ(with_word("", BackendKind::kUring), "io_uring; ");
  EXPECT_EQ(with_word("", BackendKind::kAuto), "io_uring; ");
}

TEST_F(ChoiceTest, TheEnvironmentGoesBeforeTheOption) {
  WHARF_NEEDS_URING();
  EXPECT_EQ(with_word("epoll", BackendKind::kUring), "epoll; WHARF_BACKEND is epoll");
  EXPECT_EQ(with_word("uring", BackendKind::kEpoll), "io_uring; ");
}

TEST_F(ChoiceTest, AWordThatIsNeitherIsRefused) {
  EXPECT_EQ(with_word("kqueue", BackendKind::kAuto),
            "INVALID_ARGUMENT: reactor: WHARF_BACKEND is neither uring nor epoll");
}

}  // namespace
}  // namespace wharf::runtime::detail
