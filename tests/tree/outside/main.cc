#include <cstdio>
#include "wharf/ipc/inherited_link.h"
#include "wharf/ipc/supervisor.h"
#include "wharf/runtime/run_main.h"
using namespace wharf;

coro::Task<Status> worker(runtime::UniqueFd link) {     // runs in a process of its own
  auto port = co_await ipc::Port::open(std::move(link));
  if (!port.ok()) co_return port.status();
  while (auto request = co_await (*port)->receive()) {  // nothing: the router has closed
    Status sent = co_await request->reply("ahoy, " + request->to_string());
    if (!sent.ok()) co_return sent;
  }
  co_return absl::OkStatus();
}

coro::Task<Status> router() {
  ipc::Supervisor workers(ipc::WorkerOptions("/proc/self/exe"));
  Status up = co_await workers.start();
  if (!up.ok()) co_return up;
  auto answer = co_await workers.workers()[0].port->call("quay");
  if (answer.ok()) std::puts(answer->to_string().c_str());
  co_await workers.stop();
  co_return answer.status();
}

int main() {
  auto link = ipc::take_inherited_link();
  return runtime::run_main(link.ok() ? worker(std::move(*link)) : router());
}
