// What tests of introductions and their peers tell each other.
#pragma once

#include <cstdint>

namespace wharf::test {

enum IntroductionType : std::uint32_t {
  kGuest = 201,           // to `introducer`: carries its end of a link to `guest`
  kIntroduce = 202,       // request to `introducer`: it introduces its guest to the test
  kUntilGuestEnds = 203,  // request to `introducer`: answered when its link to the guest has ended
  kMeet = 204,            // the introduction: carries an end of the direct link
};

// What `introduce_badly` sends instead of an end, one after the other, as kMeet; and the end of it.
inline constexpr std::uint64_t kWrongIntroductions = 6;

}  // namespace wharf::test
