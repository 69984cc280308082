// The cases for message queues that copy a message in and out, one queue for each direction. A Queue is made before the
// fork, with room for so many messages, and has
//
//     Queue(std::size_t messages, std::size_t payload_bytes);
//     void send(const void* payload, std::size_t bytes);           // waits while it is full
//     std::size_t receive(void* payload, std::size_t bytes_max);   // waits while it is empty
#pragma once

#include <unistd.h>

#include <string>
#include <vector>

#include "wharf/perf/peers/peers.h"

namespace wharf::perf {

// For a queue whose name is to go as soon as it is open: the processes inherit it.
inline std::string queue_name(const void* queue) {
  return "/wharf-perf-" + std::to_string(::getpid()) + "-" + std::to_string(reinterpret_cast<std::uintptr_t>(queue));
}

template <class Queue>
class QueueDuel : public Duel {
 public:
  QueueDuel(const Load& load, std::size_t messages)
      : load_(load),
        requests_(messages, load.payload_bytes),
        replies_(messages, load.payload_bytes),
        payload_(load.payload_bytes) {}

 protected:
  void send(Side& side, Queue& queue, std::uint64_t number) {
    side.write(payload_.data(), payload_.size(), number);
    queue.send(payload_.data(), payload_.size());
  }
  void check_reply(Side& side, std::uint64_t number) {
    const std::size_t bytes = replies_.receive(payload_.data(), payload_.size());
    side.check(payload_.data(), bytes, number);
  }
  bool take(Side& side, std::uint64_t number) {
    const std::size_t bytes = requests_.receive(payload_.data(), payload_.size());
    return side.take(payload_.data(), bytes, number);
  }

  const Load load_;
  Queue requests_;
  Queue replies_;
  std::vector<std::byte> payload_;
};

// Keeps Load::count requests under way: one for a round trip.
template <class Queue>
class QueueCalls final : public QueueDuel<Queue> {
 public:
  explicit QueueCalls(const Load& load) : QueueDuel<Queue>(load, load.count) {}

  void client(Side& side) override {
    side.ready();
    std::uint64_t sent = 0;
    while (sent < this->load_.count) this->send(side, this->requests_, ++sent);
    for (std::uint64_t received = 1; received <= sent; ++received) {
      this->check_reply(side, received);
      if (side.more()) this->send(side, this->requests_, ++sent);
    }
    this->send(side, this->requests_, kLastNumber);
    side.finish();
  }

  void server(Side& side, unsigned) override {
    side.ready();
    for (std::uint64_t number = 1; this->take(side, number); ++number) {
      this->send(side, this->replies_, number);
    }
    side.finish();
  }
};

template <class Queue>
class QueueStream final : public QueueDuel<Queue> {
 public:
  explicit QueueStream(const Load& load) : QueueDuel<Queue>(load, Queue::kStreamMessages) {}

  void client(Side& side) override {
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) this->send(side, this->requests_, number);
    this->send(side, this->requests_, kLastNumber);
    side.finish();
  }

  void server(Side& side, unsigned) override {
    side.ready();
    std::uint64_t number = 1;
    while (this->take(side, number)) ++number;
    side.finish();
  }
};

}  // namespace wharf::perf
