#include "wharf/runtime/base/status.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace wharf::runtime {
namespace {

TEST(StatusTest, AnErrnoBecomesAMessageWithOperationTextAndName) {
  const Status status = errno_status(EADDRINUSE, "bind");

  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "bind: Address already in use (EADDRINUSE)");
}

TEST(StatusTest, TheRemedyFollowsTheCause) {
  const Status status = errno_status(EMFILE, "accept", "raise ulimit -n");

  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "accept: Too many open files (EMFILE); raise ulimit -n");
}

TEST(StatusTest, NoErrorIsOk) { EXPECT_TRUE(errno_status(0, "bind").ok()); }

TEST(StatusTest, AnUnknownErrnoKeepsItsNumber) { EXPECT_EQ(errno_status(4000, "bind").message(), "bind: error 4000"); }

TEST(StatusTest, ThePeersGoingIsUnavailable) {
  for (const int error : {EPIPE, ECONNRESET, ECONNREFUSED, ENOTCONN, ECONNABORTED, ESHUTDOWN}) {
    EXPECT_EQ(errno_code(error), StatusCode::kUnavailable) << error;
  }
}

TEST(StatusTest, CodesFitTheirCause) {
  EXPECT_EQ(errno_code(ECANCELED), StatusCode::kCancelled);
  EXPECT_EQ(errno_code(ENOENT), StatusCode::kNotFound);
  EXPECT_EQ(errno_code(EACCES), StatusCode::kPermissionDenied);
  EXPECT_EQ(errno_code(EPERM), StatusCode::kPermissionDenied);
  EXPECT_EQ(errno_code(ENOMEM), StatusCode::kResourceExhausted);
  EXPECT_EQ(errno_code(ENOSYS), StatusCode::kUnimplemented);
  EXPECT_EQ(errno_code(EINVAL), StatusCode::kInvalidArgument);
  EXPECT_EQ(errno_code(ETIMEDOUT), StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace wharf::runtime
