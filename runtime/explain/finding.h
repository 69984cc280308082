// What `wharf explain` finds out: a list of findings, and what follows from them.
//
// Threads: plain values.
#pragma once

#include <string>
#include <vector>

#include "wharf/runtime/detail/uring_refusal.h"

namespace wharf::runtime::explain {

enum class State : unsigned char {
  kYes,
  kLimited,  // there, but less than wharf can use
  kNo,
  kNotTried,  // what it builds on is missing
};

// "yes", "limited", "no", "not tried".
const char* to_text(State state) noexcept;

struct Finding {
  std::string name;  // stable, for programs: "io_uring.send_zc"
  State state = State::kYes;
  std::string found;  // what was seen
  std::string use;    // what wharf does with it, or without it: one line
  std::string cause;  // why it is not there; with a remedy; both empty where it is
  std::string remedy;
};

struct Explanation {
  std::string kernel;    // "6.1.0-18-amd64"
  std::string machine;   // "x86_64"
  bool seccomp = false;  // a filter is active
  std::vector<Finding> findings;
  bool usable = false;  // a reactor can be made here
  std::string backend;  // what Reactor::create chooses; or why it fails
  std::string memory;   // how messages travel between processes
};

// A finding whose probe ended with `error`, an errno, or with 0 for success.
Finding finding_of(std::string name, int error, std::string found, std::string use, const detail::Refusal& refusal);

}  // namespace wharf::runtime::explain
