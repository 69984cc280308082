// What tests and the peer of forking.cc tell each other.
#pragma once

#include <cstdint>

namespace wharf::test {

// Types of requests to `forker`. Each is answered with an empty reply when it is done; others are sent back.
enum ForkRequest : std::uint32_t {
  kForkAndExit = 301,  // a child that only _exits has come and gone
  kForkAndStay = 302,  // a child lives: it answers each byte at the socket that comes along, and goes when that ends
  kSpawn = 303,        // a program has run, by posix_spawn
  kVfork = 304,        // the same, by vfork and exec
};

}  // namespace wharf::test
