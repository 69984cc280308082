// EchoDuel: `count` TCP connections on which a server gives back whatever comes. The client, the same for every contender,
// has one request under way on each; what is measured is the server.
#pragma once

#include <cstdint>
#include <vector>

#include "wharf/perf/contest/contest.h"

namespace wharf::perf {

class EchoDuel : public Duel {
 public:
  explicit EchoDuel(const Load& load);
  EchoDuel(const EchoDuel&) = delete;
  EchoDuel& operator=(const EchoDuel&) = delete;
  ~EchoDuel() override;

  void client(Side& side) final;
  void server(Side& side, unsigned index) final;

 protected:
  // Gets ready, calls side.ready(), and serves until every connection has ended. Returns how many bytes came.
  //
  // Ownership: of the connections: blocking sockets with TCP_NODELAY.
  virtual std::uint64_t serve(Side& side, std::vector<int> connections) = 0;

  const Load load_;

 private:
  int connect_one() const;
  void ask_one(Side& side, int connection) const;
  void ask_many(Side& side, const std::vector<int>& connections) const;

  int listener_;
  std::uint16_t port_ = 0;
};

}  // namespace wharf::perf
