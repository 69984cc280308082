// What the server answers: a table of paths, and one function for each. It runs in the worker.
//
//     /            GET   hello
//     /echo        POST  the body again: the same blocks of shared memory, not a copy
//     /bytes/N     GET   N bytes: byte i is i % 251
//     /sleep/MS    GET   answered after MS milliseconds
//     /file/NAME   GET   a file below the root directory: the router gets its descriptor
//     /crash       POST  the worker dies
//
// Every GET may be a HEAD. /stats is the router's own: see stats.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "wharf/coro/task.h"
#include "wharf/docs/examples/appserver/body_memory.h"
#include "wharf/docs/examples/appserver/budget.h"
#include "wharf/docs/examples/appserver/protocol.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/unique_fd.h"

namespace appserver {

// What a worker has for its handlers. It outlives them.
struct RouteContext {
  wharf::ipc::Port* port = nullptr;
  int root = -1;                     // of /file; -1: there is none
  std::uint64_t body_bytes_max = 0;  // of an answer that is made here
  Budget* building = nullptr;        // bytes of answers that are being made
};

struct Request {
  Method method;
  std::string_view path;  // behind the route's own: "12" of "/bytes/12"
  std::size_t head_bytes;
  wharf::ipc::Message* message;  // the head, then the body
};

struct Answer {
  std::uint16_t status = 200;
  std::string_view fields = "Content-Type: text/plain\r\n";  // text that lives for ever
  // The body is one of these.
  std::string text;
  BodyMemory made;
  bool echo = false;  // that of the request
  wharf::runtime::UniqueFd file;
  std::uint64_t content_bytes = 0;  // to a HEAD, if the body was not made
};

// What a handler throws is answered with 500, and told on stderr.
wharf::coro::Task<Answer> answer_request(RouteContext* context, Request request);

}  // namespace appserver
