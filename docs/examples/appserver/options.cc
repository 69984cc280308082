#include "wharf/docs/examples/appserver/options.h"

#include <filesystem>
#include <iostream>
#include <system_error>

#include <CLI/CLI.hpp>

namespace appserver {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40;
constexpr std::int64_t kDayMs = 86'400'000;

// Checked, but not spelled out in --help.
template <class T>
CLI::Validator within(T least, T most) {
  CLI::Validator range = CLI::Range(least, most);
  range.description("");
  return range;
}

template <class T>
void add_number(CLI::App& app, const char* name, T& value, const char* unit, std::uint64_t least, std::uint64_t most,
                const char* text) {
  app.add_option(name, value, text)->type_name(unit)->check(within(static_cast<T>(least), static_cast<T>(most)));
}

void add_limits(CLI::App& app, Options& options) {
  add_number(app, "--connections-max", options.connections_max, "N", 1, kTiB,
             "Connections at once; more wait to be accepted");
  add_number(app, "--header-bytes-max", options.header_bytes_max, "BYTES", 1024, kMiB,
             "Of a request's head; more is answered with 431");
  add_number(app, "--body-bytes-max", options.body_bytes_max, "BYTES", 0, 200 * kMiB,
             "Of a request's body; more is answered with 413");
  add_number(app, "--arena-bytes-max", options.arena_bytes_max, "BYTES", kMiB, kTiB,
             "Shared memory, to each worker and from it; bodies wait for it");
  add_number(app, "--worker-requests-max", options.worker_requests_max, "N", 1, kTiB,
             "Requests at once in a worker; more wait");
  add_number(app, "--spin-us", options.spin_us, "US", 0, 1'000'000,
             "How long a process polls for messages before it sleeps");
}

void add_timeouts(CLI::App& app, Options& options) {
  const auto add = [&](const char* name, std::int64_t& value, const char* text) {
    add_number(app, name, value, "MS", 1, kDayMs, text);
  };
  add("--header-timeout-ms", options.header_timeout_ms, "For the head of a request, once begun; then 408");
  add("--idle-timeout-ms", options.idle_timeout_ms, "Without a request; then the connection is closed");
  add("--body-stall-ms", options.body_stall_ms, "Without a byte of a request's body; then 408");
  add("--write-stall-ms", options.write_stall_ms, "Without the client reading anything; then the connection is closed");
  add("--request-timeout-ms", options.request_timeout_ms, "For the worker to answer; then 504");
  add("--worker-wait-ms", options.worker_wait_ms, "For a worker to come up, or for memory; then 503");
  add("--drain-ms", options.drain_ms, "After SIGTERM, for requests in flight to be answered");
}

// Beside this program, as the build and an installation have it.
std::string default_worker_program() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "appserver_worker").string();
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv, int& exit_code) {
  Options options;
  CLI::App app(
      "An HTTP/1.1 server of several processes: this one takes requests, workers answer them, and "
      "shared memory lies "
      "between.\nRoutes: / /echo /bytes/N /sleep/MS /file/NAME /crash /stats. It stops at SIGTERM "
      "or SIGINT, after the "
      "requests in flight.");
  app.option_defaults()->always_capture_default();
  app.add_option("--host", options.host, "Numeric IPv4 or IPv6 address to listen on")->type_name("ADDRESS");
  add_number(app, "--port", options.port, "N", 0, 65'535, "TCP port; 0 takes a free one, and says which");
  add_number(app, "--workers", options.workers, "N", 1, 256, "Worker processes");
  app.add_option("--root", options.root, "Folder that /file/NAME serves from")
      ->type_name("FOLDER")
      ->check(CLI::Validator(CLI::ExistingDirectory).description(""));
  app.add_option("--worker-program", options.worker_program, "Default: appserver_worker beside this program")
      ->type_name("FILE");
  app.add_flag("--socket-only", options.socket_only, "No shared memory: the same through sockets");
  app.add_flag("--hostile", options.hostile, "Workers are not trusted: theirs is a link for hostile peers");
  add_limits(app, options);
  add_timeouts(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    exit_code = app.exit(help);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    std::cerr << "appserver: " << error.what() << "; see appserver --help\n";
    exit_code = 1;
    return std::nullopt;
  }
  if (options.arena_bytes_max < 2 * options.body_bytes_max) {
    std::cerr << "appserver: --arena-bytes-max is too small for such bodies: make it at least "
              << 2 * options.body_bytes_max << ", or --body-bytes-max smaller\n";
    exit_code = 1;
    return std::nullopt;
  }
  if (options.worker_program.empty()) options.worker_program = default_worker_program();
  return options;
}

}  // namespace appserver
