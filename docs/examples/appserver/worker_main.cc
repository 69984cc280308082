// appserver_worker: the program that answers requests. The router starts it, and hands it its link.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "wharf/docs/examples/appserver/worker.h"
#include "wharf/ipc/inherited_link.h"
#include "wharf/runtime/reactor.h"

namespace {

int fail(std::string_view why) {
  std::fprintf(stderr, "appserver_worker: %.*s\n", static_cast<int>(why.size()), why.data());
  return 1;
}

int run(const appserver::WorkerSettings& settings) {
  auto link = wharf::ipc::take_inherited_link();
  if (!link.ok()) return fail(std::string(link.status().message()));
  wharf::runtime::ReactorOptions options;
  options.spin_ns = static_cast<std::int64_t>(settings.spin_us) * 1000;
  auto reactor = wharf::runtime::Reactor::create(options);
  if (!reactor.ok()) return fail(std::string(reactor.status().message()));
  appserver::Worker worker(settings);
  const wharf::Status ended = (*reactor)->run(worker.serve(std::move(*link)));
  return ended.ok() ? 0 : fail(std::string(ended.message()));
}

}  // namespace

int main(int argc, char** argv) {
  // They are meant for the router, which then closes the link: what is in hand is finished first.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  try {
    appserver::WorkerSettings settings;
    CLI::App app("The worker of appserver, which starts it with these options.");
    app.add_option("--root", settings.root);
    app.add_option("--requests-max", settings.requests_max);
    app.add_option("--body-bytes-max", settings.body_bytes_max);
    app.add_option("--arena-bytes-max", settings.arena_bytes_max);
    app.add_flag("--socket-only", settings.socket_only);
    app.add_option("--spin-us", settings.spin_us);
    CLI11_PARSE(app, argc, argv);
    return run(settings);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
