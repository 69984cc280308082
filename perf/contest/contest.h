// What a program of contenders is made of. A contender is a library, or a floor, that can be given a load; each makes a
// Duel for it, whose two sides run in processes of their own:
//
//     class Echo : public perf::Duel {
//      public:
//       explicit Echo(const Load& load);                          // before the fork: what both sides inherit
//       void client(Side& side) override {
//         side.ready();
//         for (std::uint64_t n = 1; side.more(); ++n) { side.write(...); send; receive; side.check(..., n); }
//         the last message, of kLastNumber; side.finish();
//       }
//       void server(Side& side, unsigned index) override { ... while (side.take(...)) ... side.finish(); }
//     };
//     int main(int argc, char** argv) {
//       return perf::run_contest(argc, argv, {{"zeromq", "round_trip", {Mode::kDefault}, perf::make<Echo>}, ...});
//     }
//
// The program makes one run at a time and prints it as a line of JSON; see perf/contest/README.md. The order of runs,
// the repetitions and the ratios are perf/suite's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "wharf/perf/contest/load.h"
#include "wharf/perf/contest/side.h"

namespace wharf::perf {

class Duel {
 public:
  virtual ~Duel() = default;
  // The measuring side, in the process that was started.
  virtual void client(Side& side) = 0;
  // The other side; `index` of so many processes, each forked after the constructor ran.
  virtual void server(Side& side, unsigned index) = 0;
};

template <class AnyDuel>
std::unique_ptr<Duel> make(const Load& load) {
  return std::make_unique<AnyDuel>(load);
}

// What a contender can do.
struct Entry {
  std::string contender;
  std::string what;         // the case
  std::vector<Mode> modes;  // those that it has; a library with no such setting has kDefault alone
  std::function<std::unique_ptr<Duel>(const Load&)> make;
  std::size_t payload_bytes_max = 1 << 20;
  bool server_each = false;             // Load::count servers; otherwise one
  unsigned messages_per_operation = 1;  // that arrive anywhere: 2 for a round trip
  // Load::count pairs of processes: the client and server 0, then servers 1 and 2, and so on.
  bool pair_each = false;
};

// The body of main(). Exit status 1 if the run failed, or a message was lost or damaged.
int run_contest(int argc, char** argv, const std::vector<Entry>& entries);

// Ends the process with the failed operation and errno on stderr; the run has then failed.
[[noreturn]] void fail(const char* operation);
inline int check(int result, const char* operation) {
  if (result < 0) fail(operation);
  return result;
}

}  // namespace wharf::perf
