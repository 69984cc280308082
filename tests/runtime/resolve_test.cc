#include "wharf/runtime/resolve.h"

#include <netdb.h>

#include <cerrno>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using test::Harness;

std::vector<std::string> texts(const StatusOr<std::vector<Address>>& addresses) {
  std::vector<std::string> result;
  if (!addresses.ok()) return {addresses.status().ToString()};
  for (const Address& address : *addresses) result.push_back(address.text());
  return result;
}

using Texts = std::vector<std::string>;

TEST(ResolveTest, WhatIsNumericNeedsNoLookUp) {
  Harness harness({.blocking_threads_max = 0});

  EXPECT_EQ(texts(harness.run(resolve("127.0.0.1", "80"))), Texts{"127.0.0.1:80"});
  EXPECT_EQ(texts(harness.run(resolve("::1", "80"))), Texts{"[::1]:80"});
}

TEST(ResolveTest, TheMachineItselfIsFound) {
  Harness harness;
  const Texts found = texts(harness.run(resolve("", "8080", {.family = AF_INET})));

  EXPECT_EQ(found, Texts{"127.0.0.1:8080"});
}

TEST(ResolveTest, AnAddressOfAnotherFamilyIsNotFound) {
  Harness harness;
  const auto addresses = harness.run(resolve("127.0.0.1", "80", {.family = AF_INET6}));

  EXPECT_EQ(addresses.status().code(), StatusCode::kNotFound) << addresses.status();
}

TEST(ResolveTest, AServiceThatIsUnknownIsAnErrorThatNamesBoth) {
  Harness harness;
  const auto addresses = harness.run(resolve("127.0.0.1", "no-such-service"));

  EXPECT_EQ(addresses.status().code(), StatusCode::kInvalidArgument) << addresses.status();
  EXPECT_NE(addresses.status().message().find("127.0.0.1:no-such-service"), std::string::npos);
}

TEST(ResolveTest, AZeroByteIsRefused) {
  Harness harness;
  const auto addresses = harness.run(resolve(std::string("a\0b", 3), "80"));

  EXPECT_EQ(addresses.status().code(), StatusCode::kInvalidArgument);
}

TEST(ResolveTest, AFailureOfTheSystemWithoutAnErrnoIsAFailure) {
  const Status without = detail::resolve_failure("resolve quay:80", EAI_SYSTEM, 0);
  const Status with = detail::resolve_failure("resolve quay:80", EAI_SYSTEM, EMFILE);

  EXPECT_EQ(without.code(), StatusCode::kUnknown) << without;
  EXPECT_EQ(without.message(), "resolve quay:80: System error");
  EXPECT_EQ(with.code(), StatusCode::kResourceExhausted) << with;
}

TEST(ResolveTest, AStoppedTaskLooksNothingUp) {
  Harness harness;
  harness.reactor().request_stop();

  EXPECT_EQ(harness.run(resolve("localhost", "http")).status().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace wharf::runtime
