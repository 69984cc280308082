// What makes `counted_slowed` slow: it is `counted` on the library's second build, which passes here before every store to
// shared memory and every system call (tests/kill/fault_atomic.h). $WHARF_SLOWED says what each such store is to cost:
// an allocation, a system_call, or 1000 instructions; without it, nothing but the way here.
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "wharf/runtime/base/sys.h"
#include "wharf/tests/kill/fault_atomic.h"

namespace wharf::test {
namespace {

enum class Slowed { kNot, kByAllocation, kBySystemCall, kByInstructions };

Slowed chosen() noexcept {
  const char* word = std::getenv("WHARF_SLOWED");
  const std::string_view name = word != nullptr ? word : "";
  if (name == "allocation") return Slowed::kByAllocation;
  if (name == "system_call") return Slowed::kBySystemCall;
  if (name == "instructions") return Slowed::kByInstructions;
  return Slowed::kNot;
}

const Slowed g_slowed = chosen();

void spend_instructions() noexcept {
  for (int i = 0; i < 500; ++i) asm volatile("");  // two each
}

void allocate() noexcept {
  void* volatile memory = std::malloc(16);
  std::free(memory);
}

}  // namespace

void fault_point_of_store() noexcept {
  if (g_slowed == Slowed::kByAllocation) allocate();
  if (g_slowed == Slowed::kBySystemCall) static_cast<void>(::getppid());
  if (g_slowed == Slowed::kByInstructions) spend_instructions();
}

}  // namespace wharf::test

namespace wharf::runtime::sys {

void fault_point(Call call) noexcept;  // sys.cc calls it

void fault_point(Call /*call*/) noexcept {}

}  // namespace wharf::runtime::sys
