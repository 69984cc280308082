#include "wharf/ipc/detail/assemblies.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace wharf::ipc::detail {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

PacketHeader fragment(std::uint32_t assembly, std::uint64_t message_bytes) {
  PacketHeader header{};
  header.assembly = assembly;
  header.message_bytes = message_bytes;
  return header;
}

class AssembliesTest : public ::testing::Test {
 protected:
  Assemblies::Violation begin(std::uint32_t assembly, std::uint64_t message_bytes) {
    return assemblies_.begin(fragment(assembly, message_bytes), bytes("a"), Message(assembly));
  }
  // The message's payload once it is whole; until then nothing.
  std::string add(std::uint32_t assembly, std::uint64_t message_bytes, std::string_view text) {
    bool done = false;
    SmallBytes payload;
    EXPECT_EQ(assemblies_.add(fragment(assembly, message_bytes), bytes(text), whole_, payload, done), nullptr);
    if (!done) return {};
    return {reinterpret_cast<const char*>(payload.bytes().data()), payload.bytes().size()};
  }

  Assemblies assemblies_{1000};
  Message whole_;
};

TEST_F(AssembliesTest, FragmentsOfSeveralMessagesAlternate) {
  EXPECT_EQ(begin(1, 3), nullptr);
  EXPECT_EQ(begin(2, 2), nullptr);
  EXPECT_EQ(add(1, 3, "b"), "");

  EXPECT_EQ(add(2, 2, "z"), "az");
  EXPECT_EQ(whole_.type(), 2u);
  EXPECT_EQ(add(1, 3, "c"), "abc");
  EXPECT_EQ(whole_.type(), 1u);
  EXPECT_TRUE(assemblies_.empty());
}

TEST_F(AssembliesTest, SixteenMessagesMayBeUnfinishedAndANumberServesAgain) {
  for (std::uint32_t i = 1; i <= 16; ++i) EXPECT_EQ(begin(i, 2), nullptr);
  EXPECT_NE(begin(17, 2), nullptr);

  EXPECT_EQ(add(3, 2, "x"), "ax");

  EXPECT_EQ(begin(3, 2), nullptr);
  EXPECT_NE(begin(3, 2), nullptr);
}

TEST_F(AssembliesTest, UnfinishedMessagesAreBoundedTogether) {
  EXPECT_EQ(begin(1, 600), nullptr);
  EXPECT_NE(begin(2, 401), nullptr);
  EXPECT_EQ(begin(2, 400), nullptr);
  EXPECT_NE(begin(3, UINT64_MAX), nullptr);
}

TEST_F(AssembliesTest, OneStallsWhenEverythingWasReadForSoManyPeriodsAndNothingOfItCame) {
  EXPECT_EQ(begin(1, 10), nullptr);
  EXPECT_EQ(begin(2, 10), nullptr);
  EXPECT_FALSE(assemblies_.tick(true, 3));
  EXPECT_FALSE(assemblies_.tick(true, 3));
  EXPECT_EQ(add(1, 10, "b"), "");
  EXPECT_FALSE(assemblies_.tick(false, 3)) << "the next fragment may be what was not read";
  EXPECT_FALSE(assemblies_.tick(true, 3));
  EXPECT_FALSE(assemblies_.tick(true, 3));
  EXPECT_EQ(add(1, 10, "c"), "");

  EXPECT_TRUE(assemblies_.tick(true, 3)) << "the second one";
}

}  // namespace
}  // namespace wharf::ipc::detail
