// Exchange: a send or a call that a task of one reactor makes through a port of another. ExchangeWait: that task.
//
// A life: the task posts the exchange to the port's reactor, where it does its work as any task would; then it is posted
// home, with what came of it. A task that was stopped, or is out of time, waits no longer: it posts a recall, which ends
// the work at the port, and the exchange finds nobody at home.
//
// Ownership: counted: by the task, by the journey there and back, and by the recall. The last one destroys it, on
//            whatever thread. Neither frame is touched from the other's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "wharf/ipc/detail/errand.h"
#include "wharf/ipc/detail/mailbox.h"
#include "wharf/ipc/detail/message_copy.h"
#include "wharf/ipc/detail/port_wait.h"
#include "wharf/ipc/remote_message.h"
#include "wharf/runtime/base/status.h"

namespace wharf::ipc::detail {

class ExchangeWait;

class Exchange final : private Errand {
 public:
  enum class Kind : std::uint8_t { kSend, kCall };

  // Its message was admitted to the mailbox. The caller holds it, and lets go with give_up().
  Exchange(std::shared_ptr<Mailbox> mailbox, Kind kind, Message message, std::int64_t deadline_ns);

  // The task's thread: begins the journey, after which `waiter` is told on this reactor, unless it gives up first.
  void depart(ExchangeWait& waiter) noexcept;
  void give_up() noexcept;

 private:
  class Homecoming final : public runtime::Posted {
   public:
    explicit Homecoming(Exchange& exchange) noexcept : exchange_(exchange) {}
    void run() noexcept override { exchange_.arrive(); }
    void drop() noexcept override { exchange_.vanish(); }

   private:
    Exchange& exchange_;
  };
  class Recall final : public runtime::Posted {
   public:
    explicit Recall(Exchange& exchange) noexcept : exchange_(exchange) {}
    void run() noexcept override {
      exchange_.stop();
      exchange_.release();
    }
    void drop() noexcept override { exchange_.release(); }

   private:
    Exchange& exchange_;
  };

  ~Exchange() override { mailbox_->forgo(); }

  // At the port.
  coro::Task<void> carry_out() override;
  SendAwaiter send(const shm::Ref<Link>& link);
  CallAwaiter call(const shm::Ref<Link>& link);
  void done() noexcept override { go_home(); }
  void drop() noexcept override;
  void go_home() noexcept;
  // At home.
  void arrive() noexcept;
  void vanish() noexcept;
  void release() noexcept;

  const std::shared_ptr<Mailbox> mailbox_;
  const Kind kind_;
  const std::int64_t deadline_ns_;
  std::shared_ptr<runtime::PostGate> home_;
  MessageCopy message_;
  Status result_;                       // the port's until it goes home
  std::optional<RemoteMessage> reply_;  // likewise
  ExchangeWait* waiter_ = nullptr;      // home's; null: nobody waits
  Homecoming homecoming_{*this};
  Recall recall_{*this};
  std::atomic<int> holder_count_{1};
};

// A list for one, which outlives the wait in it.
struct OwnWaitList {
  coro::detail::WaitList list;
};

class ExchangeWait : private OwnWaitList, private PortWait {
 public:
  // `exchange` is taken over; null if it has failed before it began, with `refusal`.
  ExchangeWait(Exchange* exchange, Status refusal, std::int64_t deadline_ns) noexcept
      : exchange_(exchange), result_(std::move(refusal)), deadline_ns_(deadline_ns) {}
  // Told of the end.
  void arrive(Status result, std::optional<RemoteMessage> reply) noexcept;

 protected:
  ~ExchangeWait() {
    if (exchange_ != nullptr) exchange_->give_up();
  }

  bool ready() const noexcept { return exchange_ == nullptr; }
  template <class Promise, class Awaiter>
  bool depart(std::coroutine_handle<Promise> handle, const coro::Site& site, const Awaiter& awaiter) noexcept {
    if (!suspend_until(handle, list, deadline_ns_, site, awaiter)) return false;
    exchange_->depart(*this);
    return true;
  }
  // What came of it, or why the task waits no longer.
  Status take_result(const char* operation);
  std::optional<RemoteMessage>& reply() noexcept { return reply_; }

 private:
  Exchange* exchange_;  // null once it has come home
  Status result_;
  std::optional<RemoteMessage> reply_;
  const std::int64_t deadline_ns_;
};

}  // namespace wharf::ipc::detail
