#include "wharf/perf/contest/contest.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <span>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace wharf::perf {
namespace {

const std::map<std::string, Placement> kPlacements{
    {"split", Placement::kSplit}, {"same", Placement::kSame}, {"free", Placement::kFree}};
const std::map<std::string, Mode> kModes{
    {"awake", Mode::kAwake}, {"asleep", Mode::kAsleep}, {"default", Mode::kDefault}};

template <class Value>
std::string name_of(const std::map<std::string, Value>& names, Value value) {
  for (const auto& [name, named] : names) {
    if (named == value) return name;
  }
  return "?";
}

// The cores that this process may use; the client's is the first, the servers' the last.
std::pair<int, int> cores() {
  cpu_set_t allowed;
  check(::sched_getaffinity(0, sizeof(allowed), &allowed), "sched_getaffinity");
  int first = -1;
  int last = -1;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed)) continue;
    if (first < 0) first = core;
    last = core;
  }
  return {first, last};
}

void pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  check(::sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

// Memory that the processes of the run share: the run, then its sides, the client's first.
struct Shared {
  Side::Run& run;
  std::span<Side> sides;
};

Shared share(unsigned side_count, const Load& load) {
  void* memory =
      ::mmap(nullptr, (side_count + 1) * sizeof(Side), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  static_assert(sizeof(Side::Run) <= sizeof(Side));
  auto* run = ::new (memory) Side::Run;
  run->sides = side_count;
  auto* sides = static_cast<Side*>(memory) + 1;
  for (unsigned i = 0; i < side_count; ++i) (::new (sides + i) Side)->init(*run, load);
  return {*run, {sides, side_count}};
}

pid_t start_server(Duel& duel, Side& side, unsigned index, const Load& load, int core) {
  const pid_t child = check(::fork(), "fork");
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(static_cast<unsigned>(load.duration_ns / 1'000'000'000 * 3 + 60));  // a run that hangs ends
  if (load.placement != Placement::kFree) pin(core);
  duel.server(side, index);
  std::fflush(stdout);
  ::_exit(0);
}

nlohmann::json report(const Entry& entry, const Load& load, const Shared& shared) {
  const Side& client = shared.sides[0];
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t bad = 0;
  std::uint64_t system_calls = 0;
  std::int64_t finished_ns = 0;
  Usage used;
  for (const Side& side : shared.sides) {
    sent += side.sent();
    received += side.received();
    bad += side.bad();
    system_calls += side.system_calls();
    finished_ns = std::max(finished_ns, side.finished_ns());
    used.cpu_ns += side.used().cpu_ns;
    used.voluntary_switches += side.used().voluntary_switches;
    used.involuntary_switches += side.used().involuntary_switches;
  }
  const double all = static_cast<double>(received) / entry.messages_per_operation;
  // What the client counts of an operation is both messages of a round trip, and one otherwise.
  const double operations =
      static_cast<double>(client.sent() + client.received() - client.measured_from()) / entry.messages_per_operation;
  const double nanoseconds = static_cast<double>(finished_ns - client.started_ns());
  nlohmann::json result{{"contender", entry.contender},
                        {"case", entry.what},
                        {"payload_bytes", load.payload_bytes},
                        {"placement", name_of(kPlacements, load.placement)},
                        {"mode", name_of(kModes, load.mode)},
                        {"count", load.count},
                        {"operations", operations},
                        {"ns_per_operation", nanoseconds / operations},
                        {"sent", sent},
                        {"received", received},
                        {"bad", bad},
                        {"cpu_ns_per_operation", static_cast<double>(used.cpu_ns) / all},
                        {"voluntary_switches_per_operation", static_cast<double>(used.voluntary_switches) / all},
                        {"involuntary_switches_per_operation", static_cast<double>(used.involuntary_switches) / all}};
  std::int64_t server_cpu_ns = 0;
  std::uint64_t server_calls = 0;
  bool servers_count_calls = true;
  for (const Side& side : shared.sides.subspan(1)) {
    server_cpu_ns += side.used().cpu_ns;
    server_calls += side.system_calls();
    servers_count_calls &= side.counts_system_calls();
  }
  result["server_cpu_ns_per_operation"] = static_cast<double>(server_cpu_ns) / all;
  // Most libraries do not count theirs.
  if (servers_count_calls) result["server_system_calls_per_operation"] = static_cast<double>(server_calls) / all;
  if (client.counts_system_calls()) {
    result["system_calls_per_operation"] = static_cast<double>(system_calls) / all;
  }
  return result;
}

int run(const Entry& entry, const Load& load) {
  const unsigned servers = entry.pair_each ? 2 * load.count - 1 : entry.server_each ? load.count : 1;
  const Shared shared = share(servers + 1, load);
  const auto [first, last] = cores();
  const std::unique_ptr<Duel> duel = entry.make(load);
  std::vector<pid_t> children;
  for (unsigned i = 0; i < servers; ++i) {
    const bool asks = entry.pair_each && i % 2 == 1;  // it is the client of its pair
    children.push_back(
        start_server(*duel, shared.sides[i + 1], i, load, load.placement == Placement::kSplit && !asks ? last : first));
  }
  ::alarm(static_cast<unsigned>(load.duration_ns / 1'000'000'000 * 3 + 60));
  if (load.placement != Placement::kFree) pin(first);
  duel->client(shared.sides[0]);
  bool failed = false;
  for (const pid_t child : children) {
    int status = 0;
    check(::waitpid(child, &status, 0), "waitpid");
    failed |= status != 0;
  }
  const nlohmann::json result = report(entry, load, shared);
  std::printf("%s\n", result.dump().c_str());
  if (failed) std::fprintf(stderr, "%s: a server ended with an error\n", entry.contender.c_str());
  if (result["bad"] != 0 || result["sent"] != result["received"]) {
    std::fprintf(stderr, "%s: messages were lost or damaged\n", entry.contender.c_str());
    failed = true;
  }
  return failed ? 1 : 0;
}

nlohmann::json list(const std::vector<Entry>& entries) {
  nlohmann::json all = nlohmann::json::array();
  for (const Entry& entry : entries) {
    nlohmann::json modes = nlohmann::json::array();
    for (const Mode mode : entry.modes) modes.push_back(name_of(kModes, mode));
    all.push_back({{"contender", entry.contender},
                   {"case", entry.what},
                   {"modes", modes},
                   {"payload_bytes_max", entry.payload_bytes_max}});
  }
  return all;
}

}  // namespace

void fail(const char* operation) {
  std::fprintf(stderr, "%s: %s\n", operation, std::strerror(errno));
  std::_Exit(1);
}

int run_contest(int argc, char** argv, const std::vector<Entry>& entries) {
  CLI::App app("Runs one case of the performance suite with one contender, and prints a line of JSON.");
  Load load;
  bool only_list = false;
  double seconds = 0.2;
  app.add_flag("--list", only_list, "Print what the contenders of this program can do");
  app.add_option("--contender", load.contender, "Who");
  app.add_option("--case", load.what, "Which case");
  app.add_option("--payload", load.payload_bytes, "Bytes of each message, a multiple of 16")->capture_default_str();
  app.add_option("--placement", load.placement, "Which cores")->transform(CLI::CheckedTransformer(kPlacements));
  app.add_option("--mode", load.mode, "How to wait")->transform(CLI::CheckedTransformer(kModes));
  app.add_option("--count", load.count, "Of what the case counts")->capture_default_str();
  app.add_option("--seconds", seconds, "Measured time; a fifth more goes before")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  load.duration_ns = static_cast<std::int64_t>(seconds * 1e9);

  if (only_list) {
    std::printf("%s\n", list(entries).dump(1).c_str());
    return 0;
  }
  if (load.payload_bytes == 0 || load.payload_bytes % 16 != 0) {
    std::fprintf(stderr, "--payload must be a multiple of 16\n");
    return 2;
  }
  for (const Entry& entry : entries) {
    if (entry.contender != load.contender || entry.what != load.what) continue;
    if (std::find(entry.modes.begin(), entry.modes.end(), load.mode) == entry.modes.end()) continue;
    if (load.payload_bytes <= entry.payload_bytes_max) return run(entry, load);
  }
  std::fprintf(stderr, "no such contender, case, mode or payload; --list shows them\n");
  return 2;
}

}  // namespace wharf::perf
