#include "wharf/runtime/reactor.h"

#include <utility>

#include "wharf/coro/compiler.h"
#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/cpu.h"

namespace wharf::runtime {
namespace {

// While turns are cheap, the clock (20 ns) is looked at once in so many turns and coroutines, and so
// many rounds of spinning.
constexpr std::uint32_t kLookPeriod = 32;

// While it spins it glances so many times at most at its pollers between two looks at everything else: for about half a
// microsecond.
constexpr std::uint32_t kGlanceCountMax = 16;

// And so many times at most in one turn for coroutines that linger: about 8 us, in which the kernel and the timers wait.
constexpr std::uint32_t kLingerGlanceCountMax = 8 * kLookPeriod;

// A poller that brought nothing for so many turns becomes cold. By then it has cost about what the ring
// costs that makes it hot again: a few microseconds.
constexpr std::uint32_t kIdleTurnsMax = 256;

WHARF_USES_THREAD_LOCAL Reactor*& current_reactor() noexcept {
  static thread_local Reactor* current = nullptr;
  return current;
}

class PostedFunction final : public Posted {
 public:
  explicit PostedFunction(std::function<void()> function) : function_(std::move(function)) {}
  void run() noexcept override {
    function_();
    delete this;
  }
  void drop() noexcept override { delete this; }

 private:
  std::function<void()> function_;
};

}  // namespace

StatusOr<std::unique_ptr<Reactor>> Reactor::create(ReactorOptions options) {
  if (options.turn_budget_frames == 0) {
    return make_status(StatusCode::kInvalidArgument, "reactor: turn_budget_frames is 0");
  }
  if (options.spin_ns < 0 && options.spin_ns != kSpinMeasured) {
    return make_status(StatusCode::kInvalidArgument, "reactor: spin_ns is negative");
  }
  StatusOr<detail::ChosenBackend> chosen =
      detail::choose_backend(options.backend, options.ring_entries, options.operations_max);
  if (!chosen.ok()) return chosen.status();
  const detail::SleepPrice price =
      options.spin_ns == kSpinMeasured ? detail::measure_sleep_price(*chosen->backend) : detail::SleepPrice();
  std::unique_ptr<Reactor> reactor(new Reactor(std::move(chosen->backend), options, price));
  reactor->why_not_uring_ = std::move(chosen->why_not_uring);
  return reactor;
}

std::unique_ptr<Reactor> Reactor::create_on(std::unique_ptr<Backend> backend, ReactorOptions options) {
  return std::unique_ptr<Reactor>(new Reactor(std::move(backend), options, detail::SleepPrice()));
}

Reactor::Reactor(std::unique_ptr<Backend> backend, const ReactorOptions& options, const detail::SleepPrice& sleep_price)
    : options_(options),
      backend_(std::move(backend)),
      spin_policy_(options.spin_ns == kSpinMeasured ? detail::SpinPolicy(sleep_price)
                                                    : detail::SpinPolicy(options.spin_ns)),
      context_{this, stop_.token()} {
  now_ns_ = backend_->now_ns();
}

Reactor::~Reactor() {
  check_thread();
  WHARF_CHECK(!running_, "a Reactor was destroyed inside its run()");
  // First of all: what is dropped may abandon operations.
  gate_->close([](Reactor& reactor) { reactor.posts_.drop_all(); });
  const Running running(*this);  // drains what was abandoned since the last run()
}

Reactor& Reactor::current() noexcept {
  Reactor* reactor = current_reactor();
  WHARF_CHECK(reactor != nullptr && reactor == Executor::current(),
              "this needs a Reactor: call it from a task that Reactor::run drives");
  return *reactor;
}

Reactor::Running::Running(Reactor& reactor) noexcept
    : reactor_(reactor), entered_(reactor), outer_(std::exchange(current_reactor(), &reactor)) {
  reactor.check_thread();
  WHARF_CHECK(!reactor.running_, "Reactor::run was called from inside itself");
  reactor.running_ = true;
  reactor.main_.done = false;
}

Reactor::Running::~Running() {
  reactor_.drain();
  reactor_.running_ = false;
  current_reactor() = outer_;
}

void Reactor::drive() noexcept {
  while (!main_.done) turn();
}

// Only what was abandoned is left: it has been cancelled, and ends soon.
void Reactor::drain() noexcept {
  pulse_.store(2 * counters_.turns, std::memory_order_relaxed);
  flush_dirty();
  while (!idle() || abandoned_count_ != 0) {
    run_ready(options_.turn_budget_frames);
    flush_dirty();
    if (idle() && abandoned_count_ != 0) backend_->wait(kNever);
  }
}

void Reactor::turn() noexcept {
  ++counters_.turns;
  pulse_.store(2 * counters_.turns + 1, std::memory_order_relaxed);
  if (!posts_.empty()) run_posted();
  const std::size_t frames = run_ready(options_.turn_budget_frames);
  counters_.resumed += frames;
  if (main_.done) return;
  const bool moved = !hot_.empty() && poll_hot(1);
  if (!dirty_.empty()) flush_dirty();
  if (moved || !nothing_to_do()) {
    backend_->poll();
  } else {
    rest();
  }
  since_look_count_ += 1 + static_cast<std::uint32_t>(frames);
  if (since_look_count_ >= kLookPeriod) look_at_clock();
  run_timers();
}

// There is nothing to do: spins, if that is worth it, and sleeps, unless something comes up.
void Reactor::rest() noexcept {
  pulse_.store(2 * counters_.turns, std::memory_order_relaxed);
  std::int64_t idle_since_ns = 0;
  const bool spun = !hot_.empty() && may_spin() && spin_policy_.should_spin();
  if (spun) {
    if (spin(idle_since_ns)) return;
  } else {
    look_at_clock();
    idle_since_ns = now_ns_;
  }
  const std::int64_t deadline_ns = timers_.first_deadline_ns();
  if (deadline_ns <= now_ns_ || !posts_.prepare_sleep()) {
    backend_->poll();
    return;
  }
  if (hot_.empty() || prepare_sleep()) {  // S5 of shm/sleep.h
    made_hot_ = false;
    const std::size_t completed = backend_->wait(deadline_ns);
    now_ns_ = backend_->now_ns();
    since_look_count_ = 0;
    if (!posts_.empty()) ++counters_.wakes;
    if (completed == 0 && now_ns_ >= deadline_ns) spin_policy_.overslept(now_ns_ - deadline_ns);
    if (made_hot_) spin_policy_.woken_after(now_ns_ - idle_since_ns);
  }
  posts_.awake();
}

// Looks at everything that can bring work, until something does. False: nothing came for so long that
// the reactor should sleep. `idle_since_ns` then says since when.
bool Reactor::spin(std::int64_t& idle_since_ns) noexcept {
  ++counters_.spins;
  std::int64_t limit_ns = 0;
  for (;;) {
    since_look_count_ += 1 + glance();
    if (poll_hot(0)) {
      ++counters_.spin_hits;
      spin_policy_.caught();
      return true;
    }
    if (backend_->poll() != 0 || !nothing_to_do()) return true;
    if (since_look_count_ >= kLookPeriod) {
      if (limit_ns == 0) {
        look_at_clock();
        idle_since_ns = now_ns_;
        limit_ns = deadline_after(now_ns_, spin_policy_.spin_ns());
      } else {
        now_ns_ = backend_->now_ns();  // spinning is no part of a turn
        since_look_count_ = 0;
      }
      if (timers_.first_deadline_ns() <= now_ns_) return true;
      if (now_ns_ >= limit_ns) {
        spin_policy_.missed();
        return false;
      }
      if (!may_spin()) return false;
    }
  }
}

// Until a hot poller has something, or it is time to look at everything. Returns how many times it glanced.
std::uint32_t Reactor::glance() noexcept {
  for (std::uint32_t i = 0; i < kGlanceCountMax; ++i) {
    for (Poller* poller = hot_.first(); poller != nullptr; poller = hot_.next(*poller)) {
      if (poller->glance()) return i;
    }
    cpu_relax();
  }
  return kGlanceCountMax;
}

bool Reactor::linger(Poller& poller) noexcept {
  if (!idle() || since_look_count_ >= kLingerGlanceCountMax || !spin_policy_.pays() || !posts_.empty()) return false;
  if (hot_.first() != &poller || hot_.next(poller) != nullptr) return false;
  if (!dirty_.empty() && (dirty_.first() != &poller || dirty_.next(poller) != nullptr)) return false;
  if (poller.spinning() != Poller::Spinning::kUseful) return false;
  poller.flush();
  for (std::uint32_t i = 0; i < kGlanceCountMax; ++i) {
    ++since_look_count_;
    if (poller.glance()) {
      poller.idle_turn_count_ = 0;
      return true;
    }
    cpu_relax();
  }
  return false;
}

bool Reactor::may_spin() noexcept {
  bool useful = false;
  for (Poller* poller = hot_.first(); poller != nullptr; poller = hot_.next(*poller)) {
    const Poller::Spinning spinning = poller->spinning();
    if (spinning == Poller::Spinning::kHarmful) return false;
    if (spinning == Poller::Spinning::kUseful) useful = true;
  }
  return useful;
}

// Lets every hot poller announce the sleep. False: there is work.
bool Reactor::prepare_sleep() noexcept {
  while (Poller* poller = hot_.first()) {
    if (!poller->prepare_sleep()) return false;
    if (hot_.first() == poller) make_cold(*poller);  // unless it has gone by itself
  }
  flush_dirty();
  return nothing_to_do() && hot_.empty();
}

// `turn_count`: how many turns this is for those that bring nothing: none while the reactor spins.
bool Reactor::poll_hot(std::uint32_t turn_count) noexcept {
  bool moved = false;
  ++round_;
  for (Poller* poller = hot_.first(); poller != nullptr; poller = poll_next_) {
    poll_next_ = hot_.next(*poller);
    if (poller->round_ == round_) continue;  // it became hot during this round
    poller->round_ = round_;
    if (poller->poll()) {
      moved = true;
      poller->idle_turn_count_ = 0;
    } else if ((poller->idle_turn_count_ += turn_count) > kIdleTurnsMax) {
      age(*poller);
    }
  }
  poll_next_ = nullptr;
  return moved;
}

// It has brought nothing for long: cold from here on, if it finds nothing now either.
void Reactor::age(Poller& poller) noexcept {
  poller.idle_turn_count_ = 0;
  if (options_.spin_ns == kSpinAlways || !HotList::linked(poller)) return;
  if (!poller.prepare_sleep() || !HotList::linked(poller)) return;
  make_cold(poller);
  ++counters_.pollers_aged;
}

void Reactor::make_hot(Poller& poller) noexcept {
  made_hot_ = true;
  if (HotList::linked(poller)) return;
  poller.round_ = round_;
  poller.idle_turn_count_ = 0;
  hot_.push_back(poller);
}

void Reactor::make_cold(Poller& poller) noexcept {
  if (!HotList::linked(poller)) return;
  if (poll_next_ == &poller) poll_next_ = hot_.next(poller);
  HotList::remove(poller);
}

void Reactor::remove(Poller& poller) noexcept {
  make_cold(poller);
  if (DirtyList::linked(poller)) DirtyList::remove(poller);
}

void Reactor::flush_dirty() noexcept {
  if (dirty_.empty()) return;
  DirtyList now;  // one that asks again has its turn in the next turn
  now.take_all(dirty_);
  while (Poller* poller = now.pop_front()) poller->flush();
}

void Reactor::run_posted() noexcept {
  for (Posted* work = posts_.take_all(); work != nullptr;) {
    Posted* next = detail::PostQueue::next_of(*work);
    ++counters_.posted;
    work->run();
    work = next;
  }
}

void Reactor::post(Posted& work) noexcept {
  if (posts_.push(work)) backend_->wake();
}

void Reactor::post(std::function<void()> function) { post(*new PostedFunction(std::move(function))); }

void Reactor::look_at_clock() noexcept {
  const std::int64_t now_ns = backend_->now_ns();
  if (now_ns - now_ns_ > counters_.longest_turn_ns) counters_.longest_turn_ns = now_ns - now_ns_;
  now_ns_ = now_ns;
  since_look_count_ = 0;
}

void Reactor::run_timers() noexcept {
  if (timers_.first_deadline_ns() <= now_ns_) timers_.expire(now_ns_);
}

ReactorCounters Reactor::counters() const noexcept {
  const BackendCounters kernel = backend_->counters();
  ReactorCounters counters = counters_;
  counters.enters = kernel.enters;
  counters.sleeps = kernel.sleeps;
  counters.completions = kernel.completions;
  counters.spin_ns = spin_policy_.spin_ns();
  return counters;
}

void Reactor::check_thread() const noexcept {
  WHARF_CHECK(std::this_thread::get_id() == thread_,
              "a Reactor was used on another thread than the one that created it");
}

}  // namespace wharf::runtime
