// Question: what do registered files and registered buffers spare an operation on a file in the page cache, or on a socket?
// Method:   bare liburing, without wharf. An iteration is one enter with 1 or 8 operations. They complete inside it, but for
//           writes to a file where its system has a thread of the kernel do them (ext4). kPlain names a descriptor and memory;
//           kFile a registered file; kBuffer registered memory; kBoth the two.
// Floor:    kNop, the same entries without work; kPlain.
// Reading:  the ratio of a case to its kPlain. docs/uring-options.md has it, and the decision.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include <benchmark/benchmark.h>

#include "wharf/perf/bench.h"
#include "wharf/perf/runtime/bare_uring.h"

namespace wharf::perf {
namespace {

enum class Way { kNop, kPlain, kFile, kBuffer, kBoth };

constexpr std::size_t kBatchMax = 8;
constexpr std::size_t kFileBytes = std::size_t{64} << 10;

constexpr bool file_registered(Way way) { return way == Way::kFile || way == Way::kBoth; }
constexpr bool buffer_registered(Way way) { return way == Way::kBuffer || way == Way::kBoth; }

// A ring with two files and one piece of memory registered.
class Registered {
 public:
  Registered(int first, int second, std::size_t bytes) : files_{first, second}, memory_(bytes) {
    must(io_uring_register_files(ring_.get(), files_, 2) == 0, "io_uring_register_files");
    const iovec whole{memory_.data(), memory_.size()};
    must(io_uring_register_buffers(ring_.get(), &whole, 1) == 0, "io_uring_register_buffers");
  }

  BareUring& ring() noexcept { return ring_; }
  std::byte* memory() noexcept { return memory_.data(); }
  // What stands for a file in an entry.
  int name_of(unsigned index, Way way) const noexcept {
    return file_registered(way) ? static_cast<int>(index) : files_[index];
  }
  static void mark(io_uring_sqe& sqe, Way way) noexcept {
    if (file_registered(way)) sqe.flags |= IOSQE_FIXED_FILE;
  }

 private:
  BareUring ring_;
  int files_[2];
  std::vector<std::byte> memory_;
};

struct TemporaryFile {
  TemporaryFile() {
    char path[] = "/tmp/wharf_registered_XXXXXX";
    fd = ::mkstemp(path);
    must(fd >= 0, "mkstemp");
    ::unlink(path);
    const std::vector<char> zeros(kFileBytes);
    must(::pwrite(fd, zeros.data(), zeros.size(), 0) == static_cast<ssize_t>(zeros.size()), "pwrite");
  }
  ~TemporaryFile() { ::close(fd); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  int fd = -1;
};

template <Way way, bool writes>
void file(benchmark::State& state) {
  const auto bytes = static_cast<unsigned>(state.range(0));
  const auto batch = static_cast<unsigned>(state.range(1));
  const TemporaryFile target;
  Registered registered(target.fd, target.fd, kFileBytes);
  for (auto _ : state) {
    for (unsigned i = 0; i < batch; ++i) {
      io_uring_sqe& sqe = registered.ring().entry();
      const int name = registered.name_of(0, way);
      void* const memory = registered.memory();
      if (way == Way::kNop) {
        io_uring_prep_nop(&sqe);
      } else if (buffer_registered(way) && writes) {
        io_uring_prep_write_fixed(&sqe, name, memory, bytes, 0, 0);
      } else if (buffer_registered(way)) {
        io_uring_prep_read_fixed(&sqe, name, memory, bytes, 0, 0);
      } else if (writes) {
        io_uring_prep_write(&sqe, name, memory, bytes, 0);
      } else {
        io_uring_prep_read(&sqe, name, memory, bytes, 0);
      }
      Registered::mark(sqe, way);
    }
    registered.ring().finish(batch, way == Way::kNop ? 0 : static_cast<int>(bytes));
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

// Each operation is a send, and the receive of what it sent.
template <Way way>
void socket(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const auto batch = static_cast<unsigned>(state.range(1));
  int sockets[2] = {-1, -1};
  must(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "socketpair");
  Registered registered(sockets[0], sockets[1], 2 * kFileBytes);
  std::byte* const target = registered.memory() + kFileBytes;
  for (auto _ : state) {
    for (unsigned i = 0; i < batch; ++i) {
      io_uring_sqe& send = registered.ring().entry();
      if (way == Way::kNop) {
        io_uring_prep_nop(&send);
      } else {
        io_uring_prep_send(&send, registered.name_of(0, way), registered.memory(), bytes, MSG_NOSIGNAL);
      }
      Registered::mark(send, way);
      io_uring_sqe& receive = registered.ring().entry();
      if (way == Way::kNop) {
        io_uring_prep_nop(&receive);
      } else {
        io_uring_prep_recv(&receive, registered.name_of(1, way), target, bytes, 0);
      }
      Registered::mark(receive, way);
    }
    registered.ring().finish(2 * batch, way == Way::kNop ? 0 : static_cast<int>(bytes));
  }
  ::close(sockets[0]);
  ::close(sockets[1]);
  state.SetItemsProcessed(state.iterations() * batch);
}

void files(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"bytes", "batch"})->ArgsProduct({{4096, 65536}, {1, kBatchMax}});
  finely(benchmark);
}
void sockets(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"bytes", "batch"})->ArgsProduct({{64, 16384}, {1, kBatchMax}});
  finely(benchmark);
}

BENCHMARK(file<Way::kNop, false>)->Name("file/nop")->Apply(files);
BENCHMARK(file<Way::kPlain, false>)->Name("read/plain")->Apply(files);
BENCHMARK(file<Way::kFile, false>)->Name("read/file")->Apply(files);
BENCHMARK(file<Way::kBuffer, false>)->Name("read/buffer")->Apply(files);
BENCHMARK(file<Way::kBoth, false>)->Name("read/both")->Apply(files);
BENCHMARK(file<Way::kPlain, true>)->Name("write/plain")->Apply(files);
BENCHMARK(file<Way::kFile, true>)->Name("write/file")->Apply(files);
BENCHMARK(file<Way::kBuffer, true>)->Name("write/buffer")->Apply(files);
BENCHMARK(file<Way::kBoth, true>)->Name("write/both")->Apply(files);
BENCHMARK(socket<Way::kNop>)->Name("socket/nop")->Apply(sockets);
BENCHMARK(socket<Way::kPlain>)->Name("socket/plain")->Apply(sockets);
BENCHMARK(socket<Way::kFile>)->Name("socket/file")->Apply(sockets);

}  // namespace
}  // namespace wharf::perf
