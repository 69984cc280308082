// POSIX message queues, mq_overview(7): one for each direction, within the limits that every user has. They hold 10
// messages by default: not 64 calls at once.
#include <fcntl.h>
#include <mqueue.h>

#include <fstream>

#include "wharf/perf/peers/queue_duel.h"

namespace wharf::perf {
namespace {

std::size_t limit(const char* name, std::size_t otherwise) {
  std::ifstream file(std::string("/proc/sys/fs/mqueue/") + name);
  std::size_t value = 0;
  return file >> value ? value : otherwise;
}

class PosixQueue {
 public:
  static constexpr std::size_t kStreamMessages = 10;

  PosixQueue(std::size_t messages, std::size_t payload_bytes) {
    mq_attr attributes{};
    attributes.mq_maxmsg = static_cast<long>(messages);
    attributes.mq_msgsize = static_cast<long>(payload_bytes);
    const std::string name = queue_name(this);
    queue_ = check(::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600, &attributes), "mq_open");
    ::mq_unlink(name.c_str());
  }

  void send(const void* payload, std::size_t bytes) {
    check(::mq_send(queue_, static_cast<const char*>(payload), bytes, 0), "mq_send");
  }
  std::size_t receive(void* payload, std::size_t bytes_max) {
    const ssize_t bytes = ::mq_receive(queue_, static_cast<char*>(payload), bytes_max, nullptr);
    if (bytes < 0) fail("mq_receive");
    return static_cast<std::size_t>(bytes);
  }

 private:
  mqd_t queue_;
};

}  // namespace
}  // namespace wharf::perf

int main(int argc, char** argv) {
  using namespace wharf::perf;
  const std::size_t largest = limit("msgsize_max", 8192);
  const std::vector<Mode> modes{Mode::kDefault};
  return run_contest(argc, argv,
                     {{"posix_mq", "round_trip", modes, make<QueueCalls<PosixQueue>>, largest, false, 2},
                      {"posix_mq", "stream", modes, make<QueueStream<PosixQueue>>, largest, false, 1}});
}
