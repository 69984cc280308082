// FaultBackend: a Backend on top of a real one, which lets the k-th of what passes through it go wrong.
//
// Every operation is carried out by a stand-in, so that what the runtime asked for and what the kernel is given may differ.
//
// Threads: those of a Backend.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "wharf/runtime/backend.h"

namespace wharf::test {

enum class Fault : std::uint8_t {
  kNone,
  kSubmission,     // the kernel never hears of the operation, which ends with the error (kClose closes nevertheless)
  kCompletion,     // what the operation did is undone where it would leak, and its final completion says the error
  kShortTransfer,  // one byte is moved
  kMultishot,      // a multishot operation ends with the error after a completion that it said more would follow
};

struct FaultPlan {
  Fault fault = Fault::kNone;
  std::uint64_t at = 0;  // the first is 1; 0: every one
  int error = 0;         // an errno
};

class FaultBackend final : public runtime::Backend {
 public:
  explicit FaultBackend(std::unique_ptr<runtime::Backend> kernel) noexcept : kernel_(std::move(kernel)) {}

  // Counts anew, from here on.
  void set_plan(const FaultPlan& plan) noexcept {
    plan_ = plan;
    count_ = 0;
    faults_met_ = 0;
  }
  // How many there have been of what the plan may fail.
  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t faults_met() const noexcept { return faults_met_; }
  std::uint64_t in_flight_count() const noexcept { return stand_ins_.size() - free_.size(); }

  void submit(runtime::Operation& operation) noexcept override;
  void cancel(runtime::Operation& operation) noexcept override;
  std::size_t poll() noexcept override;
  std::size_t wait(std::int64_t deadline_ns) noexcept override;
  void wake() noexcept override { kernel_->wake(); }
  std::int64_t now_ns() const noexcept override { return kernel_->now_ns(); }
  runtime::BackendCounters counters() const noexcept override { return kernel_->counters(); }
  int add_buffers(std::uint16_t group, void* ring, std::uint32_t entry_count) noexcept override {
    return kernel_->add_buffers(group, ring, entry_count);
  }
  void remove_buffers(std::uint16_t group) noexcept override { kernel_->remove_buffers(group); }
  const char* name() const noexcept override { return kernel_->name(); }

 private:
  struct StandIn final : runtime::Operation {
    void on_complete(std::int32_t result, bool more) noexcept override;
    bool shorten() noexcept;
    void undo(std::int32_t result) const noexcept;

    FaultBackend* owner = nullptr;
    runtime::Operation* original = nullptr;
    std::uint32_t index = 0;
    int error = 0;  // what its final completion shall say; 0: what the kernel says
    iovec part{};
    msghdr message{};
    runtime::SpliceRequest splice{};
  };

  StandIn& stand_in_for(runtime::Operation& operation);
  bool strikes(Fault fault) noexcept;
  std::size_t deliver_failed() noexcept;

  std::unique_ptr<runtime::Backend> kernel_;
  FaultPlan plan_;
  std::uint64_t count_ = 0;
  std::uint64_t faults_met_ = 0;
  std::deque<StandIn> stand_ins_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> failed_;  // never given to the kernel
};

}  // namespace wharf::test
