// Lets the tests of a program run where io_uring is refused, as in most containers: with WHARF_TEST_REFUSE_URING=EPERM, or
// ENOSYS, the program forbids it to itself before the first test.

#include <sys/syscall.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>

#include "wharf/tests/runtime/refuse_call.h"

namespace wharf::test {
namespace {

class RefusedUring final : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* const word = std::getenv("WHARF_TEST_REFUSE_URING");
    if (word == nullptr) return;
    const std::string_view name(word);
    ASSERT_TRUE(name == "EPERM" || name == "ENOSYS") << "WHARF_TEST_REFUSE_URING is neither: " << name;
    ASSERT_TRUE(refuse_call(SYS_io_uring_setup, name == "EPERM" ? EPERM : ENOSYS)) << "no seccomp here";
  }
};

const auto* const refused_uring = ::testing::AddGlobalTestEnvironment(new RefusedUring);

}  // namespace
}  // namespace wharf::test
