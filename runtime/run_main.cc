#include "wharf/runtime/run_main.h"

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

namespace wharf::runtime {

int run_main(coro::Task<Status> main, const ReactorOptions& options) {
  StatusOr<std::unique_ptr<Reactor>> reactor = Reactor::create(options);
  const Status ended = reactor.ok() ? (*reactor)->run(std::move(main)) : reactor.status();
  if (ended.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(ended.message()).c_str());
  return 1;
}

}  // namespace wharf::runtime
