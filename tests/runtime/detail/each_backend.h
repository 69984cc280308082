// EachBackend: a test that runs on every backend, and on every way to set up a ring. With Recorder and Listening, what such
// tests make use of.
//
//     using ThingTest = test::EachBackend;
//     TEST_P(ThingTest, ...) { make(); ... }
//     WHARF_EACH_BACKEND(ThingTest);
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/backend.h"
#include "wharf/runtime/detail/epoll_backend.h"
#include "wharf/runtime/detail/uring_backend.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::test {

// Notes what becomes of an operation.
struct Recorder final : runtime::Operation {
  Recorder() = default;
  Recorder(runtime::Opcode code, int file, void* address = nullptr, std::size_t bytes = 0) {
    opcode = code;
    fd = file;
    memory = address;
    memory_bytes = static_cast<std::uint32_t>(bytes);
  }
  void on_complete(std::int32_t result, bool more) noexcept override {
    results.push_back(result);
    final_count += more ? 0 : 1;
  }
  bool done() const noexcept { return final_count == 1 && !in_flight(); }
  std::vector<std::int32_t> results;
  int final_count = 0;
};

using Results = std::vector<std::int32_t>;

inline constexpr std::size_t kEpoll = runtime::detail::UringBackend::kSetupCount;  // the others: setups of rings

// Listens on a port of 127.0.0.1, in blocking mode.
struct Listening {
  Listening() : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(address);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), bytes), 0);
    EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &bytes), 0);
    EXPECT_EQ(::listen(socket.get(), 16), 0);
  }
  runtime::UniqueFd connect() const { return connect_to(ntohs(address.sin_port)); }
  runtime::UniqueFd socket;
  sockaddr_in address{};
};

class EachBackend : public ::testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override {
    if (GetParam() != kEpoll) WHARF_NEEDS_URING();
    set_up();
  }
  // What a test of these needs beside that.
  virtual void set_up() {}

  static StatusOr<std::unique_ptr<runtime::Backend>> create(std::uint32_t ring_entries, std::uint32_t operations_max) {
    if (GetParam() == kEpoll) return runtime::detail::EpollBackend::create(operations_max);
    return runtime::detail::UringBackend::create(ring_entries, operations_max, GetParam());
  }
  void make(std::uint32_t ring_entries = 16, std::uint32_t operations_max = 64) {
    auto backend = create(ring_entries, operations_max);
    ASSERT_TRUE(backend.ok()) << backend.status();
    backend_ = *std::move(backend);
    backend_->poll();  // what it needs itself is in the kernel
    own_count_ = backend_->counters().submitted;
  }
  void wait_for(const Recorder& operation) {
    while (operation.in_flight()) backend_->wait(runtime::kNever);
  }
  // Runs it to its end.
  std::int32_t result_of(Recorder& operation) {
    backend_->submit(operation);
    wait_for(operation);
    EXPECT_EQ(operation.final_count, 1);
    return operation.results.back();
  }
  std::uint64_t submitted() const { return backend_->counters().submitted - own_count_; }

  Watchdog watchdog_;
  std::unique_ptr<runtime::Backend> backend_;
  std::uint64_t own_count_ = 0;
  char buffer_[64] = {};
};

#define WHARF_EACH_BACKEND(suite)                                                                          \
  INSTANTIATE_TEST_SUITE_P(                                                                                \
      Backends, suite, ::testing::Range(std::size_t{0}, test::kEpoll + 1), [](const auto& given) {         \
        return given.param == test::kEpoll ? std::string("epoll") : "uring" + std::to_string(given.param); \
      })

}  // namespace wharf::test
