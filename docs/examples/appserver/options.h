// The server's options, from its command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace appserver {

// Units: as the names say. Each limit says what happens beyond it.
struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::uint32_t workers = 2;
  std::string root;            // of /file; empty: there is none
  std::string worker_program;  // empty: appserver_worker beside this program
  bool socket_only = false;
  bool hostile = false;  // workers are taken for hostile: see docs/trust.md

  std::uint64_t connections_max = 1024;                      // further ones wait in the kernel's backlog
  std::uint32_t header_bytes_max = 16 * 1024;                // 431
  std::uint64_t body_bytes_max = std::uint64_t{64} << 20;    // 413, before the body is read
  std::uint64_t arena_bytes_max = std::uint64_t{256} << 20;  // each way of each worker: bodies wait
  std::uint64_t worker_requests_max = 1024;                  // in one worker: further ones wait

  std::int64_t header_timeout_ms = 10'000;   // from a request's first byte to its head's end: 408
  std::int64_t idle_timeout_ms = 60'000;     // without a request: closed
  std::int64_t body_stall_ms = 20'000;       // without a byte of the body: 408
  std::int64_t write_stall_ms = 30'000;      // the client reads nothing: closed
  std::int64_t request_timeout_ms = 60'000;  // in the worker: 504
  std::int64_t worker_wait_ms = 2'000;       // while no worker is up, or for memory: 503
  std::int64_t drain_ms = 10'000;            // after SIGTERM, for requests in flight
  std::uint64_t spin_us = 50;                // of polling before a sleep, router and workers
};

// Nothing: main returns `exit_code` at once. What was wrong, or --help, has been printed.
std::optional<Options> parse_options(int argc, char** argv, int& exit_code);

}  // namespace appserver
