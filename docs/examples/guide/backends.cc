// The code of docs/guide/backends.md.

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/runtime/blocking.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/resolve.h"

using namespace wharf;

namespace {

std::string compress(const std::string& text) { return text.substr(0, 4); }

coro::Task<void> use_threads(std::string text) {
  StatusOr<std::string> compressed = co_await runtime::run_blocking(compress, text);
  if (compressed.ok()) std::printf("compressed: %s\n", compressed->c_str());
}

coro::Task<void> find_this_machine() {
  StatusOr<std::vector<runtime::Address>> found = co_await runtime::resolve("127.0.0.1", "80");
  if (!found.ok()) std::printf("%s\n", found.status().ToString().c_str());
}

int run() {
  runtime::ReactorOptions options;
  options.backend = runtime::BackendKind::kAuto;  // or kUring, or kEpoll
  StatusOr<std::unique_ptr<runtime::Reactor>> reactor = runtime::Reactor::create(options);
  if (!reactor.ok()) {
    std::fprintf(stderr, "%s\n", reactor.status().ToString().c_str());
    return 1;
  }
  std::printf("backend: %s %s\n", (*reactor)->backend_name(), (*reactor)->why_not_uring().c_str());
  (*reactor)->run(use_threads("quay, pier and jetty"));
  (*reactor)->run(find_this_machine());
  return 0;
}

}  // namespace

int main() { return run(); }
