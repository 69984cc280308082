// S13, M1, M3, M8, M9 against a peer that breaks the rules, scenario by scenario (lies.h): the link ends with a reason that
// names the field, or goes on if nobody but the liar is harmed; everything that came is closed, everything that was lent
// comes back, memory stays within bounds, and another link is served all the while.
#include <array>
#include <cstddef>
#include <fstream>
#include <set>
#include <string>

#include "wharf/tests/ipc/evil/lies.h"
#include "wharf/tests/ipc/evil/victim.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

constexpr std::size_t kMemoryCeilingKib = 128 * 1024;  // of growth, over a whole table

std::size_t peak_memory_kib() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6));
  }
  return 0;
}

class EvilTest : public PortTest, public ::testing::WithParamInterface<Table> {};

TEST_P(EvilTest, S13_M3_M8_M9_EndsTheLinkAndNamesTheFieldAndServesTheOthers) {
  const std::size_t memory_before = peak_memory_kib();

  run(hear_lies(all_of(GetParam())));

  if (!kSanitized) {
    EXPECT_LT(peak_memory_kib() - memory_before, kMemoryCeilingKib);
  }
}

constexpr std::array kTableNames = {"Handshake", "HandshakeMemory", "Memory", "Positions", "Socket", "Fds"};
INSTANTIATE_TEST_SUITE_P(, EvilTest, ::testing::ValuesIn(kTables), [](const auto& table) {
  return std::string(kTableNames[static_cast<std::size_t>(table.param)]);
});

TEST(EvilTableTest, S13_HasAtLeast150ScenariosOfDifferentNames) {
  std::set<std::string> names;
  std::size_t count = 0;
  for (const Table table : kTables) {
    for (const Lie& lie : lies_of(table)) {
      EXPECT_TRUE(names.insert(full_name(lie)).second) << full_name(lie) << " is there twice";
      ++count;
    }
  }
  EXPECT_GE(count, 150u);
}

coro::Task<void> be_intruded_upon(PeerSetup setup) {
  PeerProcess intruder(setup);
  auto port = co_await intruder.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  EXPECT_OK(port->status());
  port.reset();
  co_await intruder.join();
}

TEST_F(PortTest, M1_ThePeerCanReadOurMemoryAndInNoWayWriteIt) { run(be_intruded_upon(peer_setup("intruder"))); }

}  // namespace
}  // namespace wharf::test
