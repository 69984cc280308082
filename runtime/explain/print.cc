#include "wharf/runtime/explain/print.h"

#include <algorithm>
#include <cstddef>

#include <nlohmann/json.hpp>

namespace wharf::runtime::explain {
namespace {

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::string to_table(const Explanation& explanation) {
  std::size_t name_width = 0;
  for (const Finding& finding : explanation.findings) {
    name_width = std::max(name_width, finding.name.size());
  }
  std::string text = "wharf " WHARF_VERSION " on Linux " + explanation.kernel + ", " + explanation.machine +
                     (explanation.seccomp ? ", under a seccomp filter" : "") + "\n\n";
  std::string missing;
  for (const Finding& finding : explanation.findings) {
    text += trimmed("  " + padded(finding.name, name_width + 2) + padded(to_text(finding.state), 11) +
                    (finding.found.empty() ? finding.use : finding.found));
    if (finding.cause.empty()) continue;
    missing += "  " + finding.name + "\n    cause:   " + finding.cause + "\n    remedy:  " + finding.remedy +
               "\n    for:     " + finding.use + "\n";
  }
  if (!missing.empty()) text += "\nMissing or limited\n" + missing;
  text += "\nChosen\n  reactor   " + explanation.backend + "\n  messages  " + explanation.memory + "\n";
  return text;
}

std::string to_json(const Explanation& explanation) {
  nlohmann::ordered_json findings = nlohmann::ordered_json::array();
  for (const Finding& finding : explanation.findings) {
    findings.push_back({{"name", finding.name},
                        {"state", to_text(finding.state)},
                        {"found", finding.found},
                        {"use", finding.use},
                        {"cause", finding.cause},
                        {"remedy", finding.remedy}});
  }
  const nlohmann::ordered_json all = {
      {"wharf", WHARF_VERSION},         {"kernel", explanation.kernel},    {"machine", explanation.machine},
      {"seccomp", explanation.seccomp}, {"usable", explanation.usable},    {"backend", explanation.backend},
      {"memory", explanation.memory},   {"findings", std::move(findings)},
  };
  return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace wharf::runtime::explain
