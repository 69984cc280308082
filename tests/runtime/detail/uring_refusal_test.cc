#include "wharf/runtime/detail/uring_refusal.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>

#include <gtest/gtest.h>

#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {
namespace {

// From here on io_uring_setup fails with `error` in this process.
bool refuse_io_uring(int error) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{sizeof(filter) / sizeof(filter[0]), filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// What Reactor::create says in a process where io_uring is refused with `error`.
std::string refused_with(int error) {
  int fds[2];
  EXPECT_EQ(::pipe(fds), 0);
  UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string said = "no seccomp here";
    if (refuse_io_uring(error)) said = Reactor::create().status().ToString();
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

TEST(UringRefusalTest, ASeccompFilterThatSaysEpermIsNamedWithItsRemedy) {
  const std::string said = refused_with(EPERM);

  EXPECT_NE(said.find("UNAVAILABLE: io_uring: Operation not permitted (EPERM)"), said.npos) << said;
  EXPECT_NE(said.find("seccomp"), said.npos) << said;
  EXPECT_NE(said.find("allow io_uring_setup"), said.npos) << said;
  EXPECT_EQ(said.find('\n'), said.npos) << said;
}

TEST(UringRefusalTest, ASeccompFilterThatSaysEnosysIsToldFromAnOldKernel) {
  const std::string said = refused_with(ENOSYS);

  EXPECT_NE(said.find("UNAVAILABLE: io_uring: Function not implemented (ENOSYS)"), said.npos)
      << said;
  EXPECT_NE(said.find("seccomp"), said.npos) << said;
}

TEST(UringRefusalTest, WantOfMemoryNamesTheLimits) {
  const std::string said = refused_with(ENOMEM);

  EXPECT_NE(said.find("RESOURCE_EXHAUSTED: io_uring: Cannot allocate memory (ENOMEM)"), said.npos)
      << said;
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

}  // namespace
}  // namespace wharf::runtime::detail
