// An Explanation for people, and for programs.
#pragma once

#include <string>

#include "wharf/runtime/explain/finding.h"

namespace wharf::runtime::explain {

// A table of what was found, what follows, and a cause and a remedy for what is missing. At most 100 columns, but for
// what the machine itself makes longer.
std::string to_table(const Explanation& explanation);

// One object: {"wharf": VERSION, "kernel", "machine", "seccomp", "usable", "backend", "memory", "findings": [{"name", "state",
// "found", "use", "cause", "remedy"}]}. Names stay; new ones may come.
std::string to_json(const Explanation& explanation);

}  // namespace wharf::runtime::explain
