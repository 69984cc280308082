// The honest side of the scenarios (lies.h). One process tells the lies, one link after the other; another is honest, and
// asked without pause.
//
// Threads: the reactor's.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/tests/ipc/evil/lies.h"

namespace wharf::test {

std::vector<EvilOrder> all_of(Table table);
// By full_name().
std::vector<EvilOrder> named(std::initializer_list<std::string_view> names);

// Hears each of them out, and expects: the end that its table gives, at most its budget of messages in a turn, everything
// lent back, every descriptor closed, and the honest process answered all the while.
coro::Task<void> hear_lies(std::vector<EvilOrder> orders);

}  // namespace wharf::test
