// Fault points: a program that is built with them dies, or stops, at the step that its test has chosen. The steps are all
// that another process can see of it: stores to shared memory, and system calls. It happens before the step, so that
// step k + 1 is "after step k", and the last one is the end.
//
//     FaultPlan plan{.action = FaultAction::kKill, .nth = 17};          // in the test
//     setup.argument = plan.encode();
//     arm(FaultPlan::decode(peer.argument()));                          // in the peer
//
// Threads: one.
#pragma once

#include <cstdint>

#include "wharf/runtime/base/sys.h"

namespace wharf::test {

enum class FaultAction : std::uint8_t { kNone, kKill, kStop };

// Which steps are counted.
struct FaultSteps {
  std::uint8_t code;

  static constexpr FaultSteps all() noexcept { return {0xff}; }
  static constexpr FaultSteps stores() noexcept { return {0xfe}; }
  static constexpr FaultSteps calls(runtime::sys::Call call) noexcept { return {static_cast<std::uint8_t>(call)}; }

  constexpr bool contain(FaultSteps step) const noexcept { return code == 0xff || code == step.code; }
};

struct FaultPlan {
  FaultAction action = FaultAction::kNone;
  FaultSteps steps = FaultSteps::all();
  std::uint32_t nth = 0;  // of these steps, from 0

  constexpr std::uint64_t encode() const noexcept {
    return std::uint64_t{nth} << 16 | std::uint64_t{steps.code} << 8 | static_cast<std::uint64_t>(action);
  }
  static constexpr FaultPlan decode(std::uint64_t word) noexcept {
    return {.action = static_cast<FaultAction>(word & 0xff),
            .steps = {static_cast<std::uint8_t>(word >> 8)},
            .nth = static_cast<std::uint32_t>(word >> 16)};
  }
};

// What the peer writes to its cues just before it stops.
inline constexpr char kStoppedCue = 'T';

// Counts steps from here on, and does as planned, once.
void arm(const FaultPlan& plan) noexcept;

}  // namespace wharf::test
