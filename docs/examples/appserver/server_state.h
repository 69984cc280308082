// ServerState: what all connections of the router share.
//
// Threads: the reactor's.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_set>

#include "wharf/docs/examples/appserver/options.h"
#include "wharf/docs/examples/appserver/response_head.h"

namespace appserver {

class Dispatch;
class HttpConnection;

struct ServerCounters {
  std::uint64_t connections = 0;             // accepted, ever
  std::uint64_t requests = 0;                // whose head was received
  std::array<std::uint64_t, 6> responses{};  // by the first digit of the status
};

struct ServerState {
  const Options& options;
  Dispatch& dispatch;
  std::int64_t started_ns = 0;
  ServerCounters counters;
  std::uint64_t open_connections = 0;
  std::unordered_set<HttpConnection*> connections;  // those that live; each puts itself here
  HttpDate date;
  bool draining = false;  // connections end with the request in hand
};

}  // namespace appserver
