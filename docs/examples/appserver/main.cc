// appserver: an HTTP/1.1 server of several processes. This program is the router: it takes requests
// and sends answers. Workers (worker_main.cc) make the answers; between them are ports.
//
// Where to start reading: router.h, then http_connection.h; on the other side worker.h, then
// routes.h.
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "wharf/docs/examples/appserver/options.h"
#include "wharf/docs/examples/appserver/router.h"
#include "wharf/runtime/reactor.h"

namespace {

int fail(std::string_view why) {
  std::fprintf(stderr, "appserver: %.*s\n", static_cast<int>(why.size()), why.data());
  return 1;
}

// Descriptors for all connections, each with a file that is being sent, and for the workers' links.
void raise_fd_limit(const appserver::Options& options) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = 2 * options.connections_max + 16 * options.workers + 64;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);  // if it is not enough, accept() will say so
}

int run(const appserver::Options& options) {
  wharf::runtime::ReactorOptions reactor_options;
  reactor_options.spin_ns = static_cast<std::int64_t>(options.spin_us) * 1000;
  auto reactor = wharf::runtime::Reactor::create(reactor_options);
  if (!reactor.ok()) return fail(std::string(reactor.status().message()));
  appserver::Router router(options);
  const wharf::Status ended = (*reactor)->run(router.run());
  return ended.ok() ? 0 : fail(std::string(ended.message()));
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // sendfile to a client that has gone
  try {
    int exit_code = 0;
    const std::optional<appserver::Options> options = appserver::parse_options(argc, argv, exit_code);
    if (!options.has_value()) return exit_code;
    raise_fd_limit(*options);
    return run(*options);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
