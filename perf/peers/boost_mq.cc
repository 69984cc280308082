// Boost.Interprocess: a message_queue in shared memory for each direction.
#include <boost/interprocess/ipc/message_queue.hpp>

#include "wharf/perf/peers/queue_duel.h"

namespace wharf::perf {
namespace {

namespace interprocess = boost::interprocess;

class BoostQueue {
 public:
  static constexpr std::size_t kStreamMessages = 64;

  BoostQueue(std::size_t messages, std::size_t payload_bytes)
      : queue_(interprocess::create_only, queue_name(this).c_str(), messages, payload_bytes) {
    interprocess::message_queue::remove(queue_name(this).c_str());
  }

  void send(const void* payload, std::size_t bytes) { queue_.send(payload, bytes, 0); }
  std::size_t receive(void* payload, std::size_t bytes_max) {
    interprocess::message_queue::size_type bytes = 0;
    unsigned priority = 0;
    queue_.receive(payload, bytes_max, bytes, priority);
    return bytes;
  }

 private:
  interprocess::message_queue queue_;
};

}  // namespace
}  // namespace wharf::perf

int main(int argc, char** argv) {
  using namespace wharf::perf;
  constexpr std::size_t kLargest = 1 << 20;
  const std::vector<Mode> modes{Mode::kDefault};
  return run_contest(argc, argv,
                     {{"boost_mq", "round_trip", modes, make<QueueCalls<BoostQueue>>, kLargest, false, 2},
                      {"boost_mq", "stream", modes, make<QueueStream<BoostQueue>>, kLargest, false, 1},
                      {"boost_mq", "calls", modes, make<QueueCalls<BoostQueue>>, kLargest, false, 2}});
}
