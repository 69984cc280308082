#include "wharf/perf/wharf/resting_pair.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/perf/wharf/wharf_duel.h"

namespace wharf::perf {
namespace {

using Ends = std::vector<ipc::PortEnd>;

coro::Task<void> rest(ipc::Port* port) {
  const auto message = co_await port->receive();
  if (message) fail_with(absl::InternalError("a message to a link at rest"));
}

coro::Task<void> link_and_rest(Ends ends, bool first, std::atomic<int>* resting) {
  Ports ports;
  for (ipc::PortEnd& end : ends) {
    auto port = co_await ipc::Port::open(std::move(end));
    ports.push_back(value_or_fail(std::move(port)));
  }
  coro::Scope scope;
  for (auto& port : ports) {
    if (first) check(co_await port->send(ipc::Message("to rest")));
    const auto message = co_await port->receive();
    if (!message) fail_with(port->status());
    if (!first) check(co_await port->send(ipc::Message("to rest")));
    scope.spawn(&rest, port.get());
  }
  resting->fetch_add(1);
  co_await scope.join();
}

pid_t start(Ends ends, bool first, std::atomic<int>* resting) {
  const pid_t child = check(::fork(), "fork");
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto reactor = value_or_fail(runtime::Reactor::create());
  reactor->run(link_and_rest(std::move(ends), first, resting));
  ::_exit(1);
}

}  // namespace

RestingPair::RestingPair(unsigned links) {
  raise_descriptor_limit();
  void* memory = ::mmap(nullptr, sizeof(*resting_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  resting_ = ::new (memory) std::atomic<int>(0);
  std::array<Ends, 2> ends;
  for (unsigned i = 0; i < links; ++i) {
    auto pair = value_or_fail(ipc::Port::end_pair());
    ends[0].push_back(std::move(pair.first));
    ends[1].push_back(std::move(pair.second));
  }
  processes_[0] = start(std::move(ends[0]), true, resting_);
  ends[0].clear();
  processes_[1] = start(std::move(ends[1]), false, resting_);
  while (resting_->load() != 2) {
    ::usleep(10'000);
    if (::waitpid(-1, nullptr, WNOHANG) != 0) fail("a side ended");
  }
  ::usleep(300'000);  // whatever they still do of what has been
}

RestingPair::~RestingPair() {
  for (const pid_t process : processes_) {
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
  }
  ::munmap(resting_, sizeof(*resting_));
}

}  // namespace wharf::perf
