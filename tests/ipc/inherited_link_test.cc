#include "wharf/ipc/inherited_link.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

#include "wharf/ipc/port.h"
#include "wharf/tests/ipc/descriptors.h"

namespace wharf::ipc {
namespace {

class InheritedLinkTest : public ::testing::Test {
 protected:
  ~InheritedLinkTest() override { ::unsetenv(kInheritedLinkVariable); }
  static void set(const std::string& value) { ::setenv(kInheritedLinkVariable, value.c_str(), 1); }
};

TEST_F(InheritedLinkTest, TakesTheSocketOnceAndClosesItOnExec) {
  auto ends = Port::end_pair();
  ASSERT_TRUE(ends.ok());
  const int fd = ends->first.take_socket().release();
  ASSERT_EQ(::fcntl(fd, F_SETFD, 0), 0);
  set(std::to_string(fd));

  auto link = take_inherited_link();

  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_EQ(link->get(), fd);
  EXPECT_TRUE(test::is_close_on_exec(fd));
  EXPECT_EQ(::getenv(kInheritedLinkVariable), nullptr);
  EXPECT_EQ(take_inherited_link().status().code(), StatusCode::kNotFound);
}

TEST_F(InheritedLinkTest, SaysThatItWasStartedByHand) {
  const Status status = take_inherited_link().status();

  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(std::string(status.message()).find("WHARF_LINK is not set"), std::string::npos);
}

TEST_F(InheritedLinkTest, RefusesWhatIsNoNumber) {
  for (const char* value : {"", "x", "3x", " 3", "-1", "99999999999", "0x3"}) {
    set(value);

    EXPECT_EQ(take_inherited_link().status().code(), StatusCode::kInvalidArgument) << value;

    EXPECT_EQ(::getenv(kInheritedLinkVariable), nullptr) << "and does not try it again";
  }
}

TEST_F(InheritedLinkTest, RefusesWhatIsNoSocketAndLeavesItAlone) {
  const runtime::UniqueFd file = test::numbered_file(1);
  set(std::to_string(file.get()));
  EXPECT_EQ(take_inherited_link().status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(test::is_open(file.get()));

  set("1023");  // not open
  EXPECT_EQ(take_inherited_link().status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace wharf::ipc
