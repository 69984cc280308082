#include "wharf/tests/ipc/elsewhere.h"

#include <utility>

#include <gtest/gtest.h>

namespace wharf::test {

Elsewhere::Elsewhere(coro::Task<void> task, const runtime::ReactorOptions& options)
    : thread_([this, options, here = runtime::Reactor::current().gate(), body = std::move(task)]() mutable {
        {
          auto reactor = runtime::Reactor::create(options);
          EXPECT_TRUE(reactor.ok()) << reactor.status();
          if (reactor.ok()) (*reactor)->run(std::move(body));
        }
        class End final : public runtime::Posted {
         public:
          explicit End(coro::Event& event) : event_(event) {}
          void run() noexcept override {
            event_.set();
            delete this;
          }
          void drop() noexcept override { delete this; }

         private:
          coro::Event& event_;
        };
        here->post(*new End(ended_));
      }) {}

coro::Task<void> Elsewhere::join() {
  bool ended = co_await ended_.wait();
  EXPECT_TRUE(ended);
}

}  // namespace wharf::test
