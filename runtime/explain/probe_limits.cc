#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <string>

#include "wharf/runtime/cpus.h"
#include "wharf/runtime/explain/probe.h"

namespace wharf::runtime::explain {
namespace {

constexpr rlim_t kNofileWanted = 4096;
constexpr rlim_t kMemlockWantedBytes = rlim_t{64} << 10;

std::string amount(rlim_t value, rlim_t unit, const char* name) {
  if (value == RLIM_INFINITY) return "unlimited";
  return std::to_string(value / unit) + name;
}

std::string both(const rlimit& limit, rlim_t unit, const char* name) {
  return amount(limit.rlim_cur, unit, name) + ", at most " + amount(limit.rlim_max, unit, name);
}

Finding descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  Finding finding{"limit.nofile", State::kYes, both(limit, 1, ""), "a descriptor for each connection", "", ""};
  if (limit.rlim_cur < kNofileWanted) {
    finding.state = State::kLimited;
    finding.cause = "RLIMIT_NOFILE is " + amount(limit.rlim_cur, 1, "");
    finding.remedy = "raise ulimit -n, or LimitNOFILE= of the systemd unit";
  }
  return finding;
}

Finding locked_memory() {
  rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  Finding finding{"limit.memlock",
                  State::kYes,
                  both(limit, 1024, " KiB"),
                  "registered buffers; before Linux 5.12 every ring",
                  "",
                  ""};
  if (limit.rlim_cur < kMemlockWantedBytes) {
    finding.state = State::kLimited;
    finding.cause = "RLIMIT_MEMLOCK is " + amount(limit.rlim_cur, 1024, " KiB");
    finding.remedy = "raise ulimit -l, or LimitMEMLOCK= of the systemd unit; root has no need to";
  }
  return finding;
}

// How many cpus the cgroup of this process may use, from "150000 100000"; 0 if there is no limit.
double cpu_quota() {
  const std::string groups = detail::read_proc("/proc/self/cgroup");
  const std::size_t unified = groups.find("0::");
  if (unified == std::string::npos) return 0;
  std::string path = groups.substr(unified + 3, groups.find('\n', unified) - unified - 3);
  if (path == "/") path.clear();
  const std::string text = detail::read_proc(("/sys/fs/cgroup" + path + "/cpu.max").c_str());
  double quota_us = 0;
  double period_us = 0;
  const std::size_t space = text.find(' ');
  if (space == std::string::npos || text.starts_with("max")) return 0;
  std::from_chars(text.data(), text.data() + space, quota_us);
  std::from_chars(text.data() + space + 1, text.data() + text.size(), period_us);
  return period_us > 0 ? quota_us / period_us : 0;
}

std::string list_of(const std::vector<int>& cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(cpus[i]);
    if (last != i) text += "-" + std::to_string(cpus[last]);
    i = last;
  }
  return text;
}

Finding cpus() {
  const std::vector<int> allowed = allowed_cpus();
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);  // NOLINT(google-runtime-int)
  Finding finding{"cpus",
                  State::kYes,
                  std::to_string(allowed.size()) + " (" + list_of(allowed) + ") of " + std::to_string(online),
                  "RuntimeOptions::reactor_count = 0 makes a reactor for each",
                  "",
                  ""};
  const double quota = cpu_quota();
  if (quota > 0 && quota < static_cast<double>(allowed.size())) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof(text), quota, std::chars_format::general, 3).ptr;
    finding.state = State::kLimited;
    finding.cause = "cpu.max of the cgroup allows the time of " + std::string(text, end) + " cpus";
    finding.remedy = "raise it, or make fewer reactors than cpus";
  }
  return finding;
}

}  // namespace

std::vector<Finding> probe_limits() { return {descriptors(), locked_memory(), cpus()}; }

}  // namespace wharf::runtime::explain
