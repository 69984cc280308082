#include "wharf/runtime/address.h"

#include <array>
#include <cstddef>
#include <new>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace wharf::runtime {
namespace {

using namespace std::string_view_literals;

TEST(AddressTest, WhatIsParsedPrintsAsItWas) {
  for (const char* text : {"127.0.0.1:80", "0.0.0.0:0", "[::1]:65535", "[fe80::1%1]:7", "[::ffff:10.0.0.1]:1",
                           "unix:/run/quay", "unix:quay", "unix:@quay"}) {
    StatusOr<Address> address = Address::parse(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->text(), text);
    EXPECT_EQ(*Address::parse(address->text()), *address);
  }
}

TEST(AddressTest, WhatIsNoAddressIsRefused) {
  for (const char* text : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
                           "127.0.0.1:8x", "127.0.0.1: 8", "::1:80", "[::1]", "[::1:80", "[127.0.0.1]:80", "quay:80",
                           "256.0.0.1:80", "127.1:80", "[::1%nosuchinterface]:80", "unix:", "unix:@"}) {
    EXPECT_EQ(Address::parse(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
  for (const std::string_view host :
       {"::1\0"sv, "127.0.0.1\0"sv, "127.0.0.1\0x"sv, "fe80::1%1\0"sv, "fe80::1%lo\0"sv}) {
    EXPECT_EQ(Address::ip(host, 1).status().code(), StatusCode::kInvalidArgument) << host;
  }
}

TEST(AddressTest, TheErrorSaysWhatIsExpected) {
  EXPECT_EQ(Address::parse("quay:80").status().message(),
            "address 'quay': not a numeric IPv4 or IPv6 address, such as 127.0.0.1 or ::1");
}

TEST(AddressTest, NoHostIsEveryAddress) { EXPECT_EQ(Address::parse(":80")->text(), "[::]:80"); }

TEST(AddressTest, ItsPartsAreToBeHad) {
  const Address address = *Address::ip("10.1.2.3", 4567);

  EXPECT_EQ(address.family(), AF_INET);
  EXPECT_TRUE(address.is_ip());
  EXPECT_EQ(address.host(), "10.1.2.3");
  EXPECT_EQ(address.port(), 4567);
  EXPECT_EQ(address.bytes(), sizeof(sockaddr_in));
  EXPECT_EQ(Address::unix_path("/run/quay")->host(), "/run/quay");
  EXPECT_EQ(Address::unix_path("/run/quay")->port(), 0);
}

TEST(AddressTest, NamesOfUnixSocketsHaveAtMost107Bytes) {
  const std::string longest(107, 'x');
  EXPECT_EQ(Address::unix_path(longest)->host(), longest);
  EXPECT_EQ(Address::unix_abstract(longest)->host(), "@" + longest);

  EXPECT_FALSE(Address::unix_path(longest + "x").ok());
  EXPECT_FALSE(Address::unix_abstract(longest + "x").ok());
  EXPECT_FALSE(Address::unix_path("a\0b"sv).ok());
}

TEST(AddressTest, APathIsNeverTakenForAnAbstractName) {
  EXPECT_EQ(Address::unix_path("@quay").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(*Address::parse("unix:./@quay"), *Address::unix_path("./@quay"));
}

TEST(AddressTest, NoByteOfItIsLeftFromWhatTheMemoryHeldBefore) {
  alignas(Address) std::array<std::byte, sizeof(Address)> memory;
  memory.fill(std::byte{0xff});

  const auto* const none = ::new (memory.data()) Address();

  const auto* const bytes = reinterpret_cast<const char*>(none->get());
  EXPECT_EQ(std::string_view(bytes, sizeof(sockaddr_un)), std::string(sizeof(sockaddr_un), '\0'));
}

TEST(AddressTest, AnAbstractNameMayHoldAnyByte) {
  const Address address = *Address::unix_abstract("a\0\xff"sv);

  EXPECT_EQ(address.host(), "@a\0\xff"sv);
  EXPECT_EQ(address.text(), "unix:@a\\x00\\xff");
  EXPECT_EQ(Address::from(address.get(), address.bytes()), address);
}

TEST(AddressTest, WhatTheKernelGaveIsTakenOver) {
  const Address address = *Address::parse("[::1]:80");
  EXPECT_EQ(Address::from(address.get(), address.bytes()), address);
  sockaddr_un unnamed{};
  unnamed.sun_family = AF_UNIX;

  EXPECT_EQ(Address::from(reinterpret_cast<sockaddr*>(&unnamed), sizeof(sa_family_t)).text(), "unix:");
  EXPECT_EQ(Address::from(address.get(), 5).text(), "none");  // cut short
  EXPECT_EQ(Address::from(address.get(), 0).family(), AF_UNSPEC);
}

TEST(AddressTest, AddressesAreEqualIfAllPartsAre) {
  EXPECT_EQ(Address::loopback(80), *Address::parse("127.0.0.1:80"));
  EXPECT_NE(Address::loopback(80), Address::loopback(81));
  EXPECT_NE(*Address::unix_path("quay"), *Address::unix_abstract("quay"));
  EXPECT_NE(Address(), Address::loopback(0));
  EXPECT_EQ(Address(), Address());
}

}  // namespace
}  // namespace wharf::runtime
