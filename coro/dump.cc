#include "wharf/coro/dump.h"

#include <array>
#include <cstddef>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "wharf/coro/executor.h"

namespace wharf::coro {

std::string duration_text(std::int64_t duration_ns) {
  struct Unit {
    double ns;
    const char* name;
  };
  static constexpr std::array<Unit, 3> kUnits = {{{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}}};
  for (const Unit& unit : kUnits) {
    const double count = static_cast<double>(duration_ns) / unit.ns;
    if (count < 0.9995) continue;  // what would be 1000 of the next smaller unit is 1 of this
    std::array<char, 32> text{};
    // %.3g writes 1500 s as 1.5e+03.
    std::snprintf(text.data(), text.size(), count < 999.5 ? "%.3g %s" : "%.0f %s", count, unit.name);
    return text.data();
  }
  return "0 us";
}

namespace {

// "static Task<void> serve(int)" without what comes before the name: the words that end outside of brackets.
std::string_view without_type(std::string_view name) {
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '(' && depth == 0) break;  // the parameters, or an anonymous namespace
    if (c == '<' || c == '{') ++depth;
    if (c == '>' || c == '}') --depth;
    if (c == ' ' && depth == 0) return without_type(name.substr(i + 1));
  }
  return name;
}

}  // namespace

// g++ 12 calls a coroutine's body "void PATH(NAME(PARAMETERS)::_Zmangled.Frame*) [with T = int]", and at some places of it
// "Task NAME(PARAMETERS)", as clang always does.
std::string function_of(std::string_view name) {
  static constexpr std::string_view kFrame = ".Frame*)";
  const std::size_t frame = name.find(kFrame);
  if (frame == std::string_view::npos) return std::string(without_type(name));
  const std::size_t mangled = name.rfind("::_Z", frame);
  if (mangled == std::string_view::npos) return std::string(name);
  // Back to the parenthesis that opens the parameters of the body.
  std::size_t begin = mangled;
  int depth = 1;
  while (begin != 0 && depth != 0) {
    --begin;
    if (name[begin] == ')') ++depth;
    if (name[begin] == '(') --depth;
  }
  if (depth != 0) return std::string(name);
  std::string function(name.substr(begin + 1, mangled - begin - 1));
  function += name.substr(frame + kFrame.size());
  return function;
}

std::string place_of(const std::source_location& site) {
  std::string_view file = site.file_name();
  while (file.starts_with("../")) file.remove_prefix(3);
  return std::string(file) + ':' + std::to_string(site.line());
}

#if WHARF_TASK_TRACE

// One dump, while it is written.
class TaskDump {
 public:
  explicit TaskDump(const Executor& executor) : executor_(executor) {
    for (const Frame* frame = executor.first_; frame != nullptr; frame = frame->next) ready_.insert(frame);
    for (const detail::TaskLink* link = executor.tasks_.newer; link != &executor.tasks_; link = link->newer) {
      const auto& task = static_cast<const Frame&>(*link);
      below_[task.joiner->awaited_by()].push_back(&task);
    }
  }

  std::string text() {
    write_tasks_of(nullptr, 0);
    if (text_.empty()) text_ = "no tasks\n";
    return std::move(text_);
  }

 private:
  // Longer chains are recursion, or the like; their beginning and their end say enough.
  static constexpr std::size_t kFramesShown = 32;

  void write_tasks_of(const Frame* parent, std::size_t depth) {
    const auto found = below_.find(parent);
    if (found == below_.end()) return;
    for (const Frame* task : found->second) write_task(*task, depth);
  }

  void write_task(const Frame& task, std::size_t depth) {
    std::vector<const Frame*> chain;
    for (const Frame* frame = &task; frame != nullptr; frame = child_of(*frame)) chain.push_back(frame);
    indent(depth);
    text_ += "task " + std::to_string(++count_) + ": ";
    write_state(*chain.back());
    std::size_t frame_depth = depth + 1;
    for (std::size_t i = 0; i < chain.size(); ++i, ++frame_depth) {
      if (chain.size() > kFramesShown && i == kFramesShown / 2) {
        const std::size_t left_out = chain.size() - kFramesShown;
        indent(frame_depth);
        text_ += "... and " + std::to_string(left_out) + " more\n";
        i += left_out;
      }
      write_frame(*chain[i], frame_depth);
    }
    write_tasks_of(chain.back(), frame_depth);
  }

  // The frame that this one awaits. One that is ready awaits nothing any more: its child has ended.
  const Frame* child_of(const Frame& frame) const noexcept {
    if (ready_.contains(&frame)) return nullptr;
    return static_cast<const Frame*>(frame.trace.child());
  }

  void write_state(const Frame& frame) {
    const detail::FrameTrace& trace = frame.trace;
    if (ready_.contains(&frame)) {
      text_ += "ready\n";
      return;
    }
    const detail::WaitKind* const wait = trace.wait();
    if (wait == nullptr) {
      text_ += "runs\n";
      return;
    }
    text_ += "waits for " + duration_text(executor_.now_ns_ - trace.since_ns()) + ": ";
    text_ += wait->name;
    if (wait->describe != nullptr) wait->describe(trace.awaiter(), text_, executor_.now_ns_);
    text_ += '\n';
  }

  void write_frame(const Frame& frame, std::size_t depth) {
    const std::source_location site = frame.trace.noted().site();
    indent(depth);
    text_ += function_of(site.function_name());
    text_ += "  ";
    text_ += place_of(site) + '\n';
  }

  void indent(std::size_t depth) { text_.append(2 * depth, ' '); }

  const Executor& executor_;
  std::unordered_set<const Frame*> ready_;
  std::unordered_map<const Frame*, std::vector<const Frame*>> below_;  // tasks, by the frame that waits for them
  std::size_t count_ = 0;
  std::string text_;
};

std::string dump_tasks(const Executor& executor) { return TaskDump(executor).text(); }

#else

std::string dump_tasks(const Executor& /*executor*/) {
  return "no tasks are known: wharf was built with task_trace=false\n";
}

#endif

void dump_tasks(const Executor& executor, std::FILE* file) {
  const std::string text = dump_tasks(executor);
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

}  // namespace wharf::coro
