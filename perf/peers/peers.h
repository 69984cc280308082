// What the contenders of perf/peers share. Each peer is used as its documentation recommends, with its settings as they
// come; where one is changed, a comment says why.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "wharf/perf/contest/contest.h"

namespace wharf::perf {

// A directory of its own for the names of a run's sockets; made before the fork, and removed by the client.
class Directory {
 public:
  Directory() {
    if (::mkdtemp(path_.data()) == nullptr) fail("mkdtemp");
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = "/tmp/wharf-perf-XXXXXX";
};

// How many servers the run has: see Entry::server_each.
inline unsigned server_count(const Load& load) {
  return load.what == "fan_in" || load.what == "fan_out" ? load.count : 1;
}

// The n-th number of one sender of many that share a socket.
constexpr std::uint64_t number_from(unsigned sender, std::uint64_t n) { return (std::uint64_t{sender} << 48) | n; }
constexpr unsigned sender_of(std::uint64_t number) { return static_cast<unsigned>(number >> 48); }

}  // namespace wharf::perf
