// Which backend a Reactor gets, and why.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "wharf/runtime/backend.h"
#include "wharf/runtime/base/status.h"

namespace wharf::runtime {

enum class BackendKind : std::uint8_t {
  kAuto,   // io_uring, and epoll where that is refused
  kUring,  // io_uring, or an error
  kEpoll,
};

namespace detail {

struct ChosenBackend {
  std::unique_ptr<Backend> backend;
  std::string why_not_uring;  // one line; empty if it is io_uring
};

// The environment variable WHARF_BACKEND ("uring" or "epoll") goes before `kind`: it is the word of who runs the program.
//
// Errors: those of Reactor::create
StatusOr<ChosenBackend> choose_backend(BackendKind kind, std::uint32_t ring_entries, std::uint32_t operations_max);

}  // namespace detail
}  // namespace wharf::runtime
