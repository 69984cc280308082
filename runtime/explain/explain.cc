#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "wharf/runtime/explain/probe.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::explain {
namespace {

State state_of(const std::vector<Finding>& findings, const std::string& name) {
  const auto found =
      std::find_if(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.name == name; });
  return found != findings.end() ? found->state : State::kNotTried;
}

Finding kernel_version(const std::string& release) {
  char* end = nullptr;
  const long major = std::strtol(release.c_str(), &end, 10);               // NOLINT(google-runtime-int)
  const long minor = *end == '.' ? std::strtol(end + 1, nullptr, 10) : 0;  // NOLINT(google-runtime-int)
  const bool enough = major > 6 || (major == 6 && minor >= 1);
  Finding finding{"kernel", State::kYes, release, "6.1 or newer is wanted", "", ""};
  if (!enough) {
    finding.state = State::kLimited;
    finding.cause = "kernel " + release + " is older than 6.1";
    finding.remedy = "use Linux 6.1 or newer";
  }
  return finding;
}

}  // namespace

Explanation explain() {
  Explanation all;
  utsname names{};
  if (::uname(&names) == 0) {
    all.kernel = names.release;
    all.machine = names.machine;
  }
  all.seccomp = detail::has_seccomp_filter();
  all.findings.push_back(kernel_version(all.kernel));
  for (auto probe : {probe_uring, probe_kernel, probe_limits}) {
    std::vector<Finding> found = probe();
    std::move(found.begin(), found.end(), std::back_inserter(all.findings));
  }
  // What counts is what a reactor says: it is made as a program would make it.
  const StatusOr<std::unique_ptr<Reactor>> reactor = Reactor::create();
  all.usable = reactor.ok();
  if (!reactor.ok()) {
    all.backend = "none: " + std::string(reactor.status().message());
  } else {
    const std::string& why_not_uring = (*reactor)->why_not_uring();
    const bool best = state_of(all.findings, "io_uring.defer_taskrun") == State::kYes;
    if (!why_not_uring.empty()) {
      all.backend = "epoll (" + why_not_uring + ")";
    } else if (best) {
      all.backend = "io_uring with SINGLE_ISSUER and DEFER_TASKRUN";
    } else {
      all.backend = "io_uring with COOP_TASKRUN";
    }
  }
  const bool sealed = state_of(all.findings, "memfd.sealing") == State::kYes;
  all.memory = sealed ? "shared memory: sealed files, mapped read-only by the peer"
                      : "the socket: shared memory cannot be sealed here";
  return all;
}

}  // namespace wharf::runtime::explain
