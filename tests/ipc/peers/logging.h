// Messages to `logger`, a peer that writes a log.
#pragma once

#include <cstdint>

namespace wharf::test {

enum LoggingType : std::uint32_t {
  kReopenLog = 301,  // carries the file to write to from now on
  kLogLine = 302,    // request: its payload goes to the log
};

}  // namespace wharf::test
