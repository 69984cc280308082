#include "wharf/runtime/explain/finding.h"

#include <utility>

#include "wharf/runtime/base/status.h"

namespace wharf::runtime::explain {

const char* to_text(State state) noexcept {
  switch (state) {
    case State::kYes: return "yes";
    case State::kLimited: return "limited";
    case State::kNo: return "no";
    case State::kNotTried: return "not tried";
  }
  return "?";
}

Finding finding_of(std::string name, int error, std::string found, std::string use, const detail::Refusal& refusal) {
  if (error == 0) return {std::move(name), State::kYes, std::move(found), std::move(use), "", ""};
  const bool known = !refusal.cause.empty();
  return {std::move(name),
          State::kNo,
          errno_text(error),
          std::move(use),
          known ? refusal.cause : "the kernel refuses it, and does not say why",
          known ? refusal.remedy : "none is known"};
}

}  // namespace wharf::runtime::explain
