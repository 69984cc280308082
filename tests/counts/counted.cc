// counted LOAD PLACE COUNT: runs a load of loads.h over a link, and prints as JSON what each side did for it; or one of
// task_loads.h, which have no link and are inside alone.
// counted build: prints what instructions depend on beside the source.
//
// PLACE: inside  both ends in this process and on one reactor, which is never idle: the same instructions every time
//        awake   two processes on two processors, which never sleep; the kernel's word on their system calls beside their own
//        asleep  two processes on one processor, which sleep whenever they can
//        traced  as asleep, with the kernel's word; being traced, they sleep at other moments
// tests/counts/counts_check.py runs it, and knows what is to come out.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "wharf/coro/when_all.h"
#include "wharf/runtime/poller.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/counts/loads.h"
#include "wharf/tests/counts/task_loads.h"
#include "wharf/tests/counts/traced.h"
#include "wharf/tests/ipc/processes.h"

namespace wharf::test {
namespace {

constexpr unsigned kSecondsMax = 100;
constexpr int kTooFewProcessors = 77;

struct Place {
  bool awake = false;
  bool traced = false;
};

std::unique_ptr<runtime::Reactor> make_reactor(bool awake) {
  auto reactor = runtime::Reactor::create({.spin_ns = awake ? runtime::kSpinAlways : 0});
  check(reactor.status());
  return *std::move(reactor);
}

coro::Task<std::unique_ptr<ipc::Port>> open(ipc::PortEnd end) {
  auto port = co_await ipc::Port::open(std::move(end), counted_options());
  check(port.status());
  if (!(*port)->uses_shared_memory()) give_up("the link has no shared memory");
  co_return *std::move(port);
}

// Inside one process.

// A reactor with nothing to do would look at the clock, and sleep.
class Busy final : public runtime::Poller {
 public:
  Busy() { runtime::Reactor::current().make_hot(*this); }
  ~Busy() override { runtime::Reactor::current().remove(*this); }
  bool poll() noexcept override { return true; }
  bool prepare_sleep() noexcept override { return false; }
  void flush() noexcept override {}
  Spinning spinning() const noexcept override { return Spinning::kUseless; }
};

coro::Task<void> run_inside(Load load, std::uint64_t count) {
  auto ends = ipc::Port::end_pair();
  check(ends.status());
  auto [client, server] = co_await coro::when_all(open(std::move(ends->first)), open(std::move(ends->second)));
  const Busy busy;
  auto [asked, served] = co_await coro::when_all(run_client(*client, load, count, [] {}), run_server(*server, [] {}));
  print("client", asked, -1);
  std::printf(", ");
  print("server", served, -1);
}

coro::Task<void> run_task(TaskLoad load, std::uint64_t count) {
  const Busy busy;
  const Tally done = co_await run_task_load(load, count);
  print("task", done, -1);
}

// Between two.

coro::Task<void> run_side(ipc::PortEnd end, bool is_client, Load load, std::uint64_t count, Tally& result) {
  auto port = co_await open(std::move(end));
  if (is_client) {
    result = co_await run_client(*port, load, count, mark);
  } else {
    result = co_await run_server(*port, mark);
    co_await port->closed();  // the reply is on its way: the client closes when it has it
  }
}

pid_t start_side(ipc::PortEnd& end, bool is_client, int cpu, Place place, Load load, std::uint64_t count,
                 Tally& result) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::alarm(kSecondsMax);
  if (place.traced) be_traced();
  const PinnedTo pinned(cpu);
  make_reactor(place.awake)->run(run_side(std::move(end), is_client, load, count, result));
  std::_Exit(0);
}

struct Results {
  Tally client;
  Tally server;
};

// Lies in memory that children share with their parent.
Results& shared_results() {
  void* memory = ::mmap(nullptr, sizeof(Results), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) give_up("no shared memory");
  return *new (memory) Results;
}

void print_side(const char* name, const Tally& tally, const Watched& watched) {
  if (!WIFEXITED(watched.status) || WEXITSTATUS(watched.status) != 0) give_up("a side has failed");
  print(name, tally, watched.traced ? watched.system_calls : -1);
}

void run_between_two(Place place, Load load, std::uint64_t count) {
  const std::vector<int> cpus = allowed_cpus();
  const int server_cpu = place.awake ? cpus[1] : cpus[0];
  auto ends = ipc::Port::end_pair();
  check(ends.status());
  Results& results = shared_results();
  const pid_t client = start_side(ends->first, true, cpus[0], place, load, count, results.client);
  const pid_t server = start_side(ends->second, false, server_cpu, place, load, count, results.server);
  ends->first.close();
  ends->second.close();
  std::map<pid_t, Watched> ended = watch(2);
  print_side("client", results.client, ended[client]);
  std::printf(", ");
  print_side("server", results.server, ended[server]);
}

int run(std::string_view load_name, std::string_view place, std::uint64_t count) {
  const Load load = load_of(load_name);
  const TaskLoad task_load = task_load_of(load_name);
  const bool inside = place == "inside";
  const bool awake = place == "awake";
  const bool known =
      task_load != nullptr ? inside : load != Load{} && (inside || awake || place == "asleep" || place == "traced");
  if (!known || count == 0) {
    std::fprintf(stderr, "usage: counted %s inside|awake|asleep|traced COUNT\n       counted %s inside COUNT\n",
                 kLoadNames, kTaskLoadNames);
    return 2;
  }
  if (awake && allowed_cpus().size() < 2) return kTooFewProcessors;
  ::alarm(kSecondsMax);
  std::printf("{");
  std::fflush(stdout);
  if (task_load != nullptr) {
    make_reactor(true)->run(run_task(task_load, count));
  } else if (inside) {
    make_reactor(true)->run(run_inside(load, count));
  } else {
    run_between_two({.awake = awake, .traced = awake || place == "traced"}, load, count);
  }
  std::printf("}\n");
  return 0;
}

}  // namespace
}  // namespace wharf::test

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "build") return std::puts(WHARF_COUNTED_BUILD) < 0 ? 1 : 0;
  if (argc != 4) return wharf::test::run("", "", 0);
  return wharf::test::run(argv[1], argv[2], std::strtoull(argv[3], nullptr, 10));
}
