// Opens files that a client names, and no others.
//
// Threads: any. It blocks for as long as the file system takes.
#pragma once

#include <string>

#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"

namespace appserver {

// Opens a regular file below `root`, a directory, for reading. The kernel sees to it that neither
// "..", nor an absolute name, nor a symbolic link leads out.
//
// Errors: NotFound          no such file, or none below `root`, or it is no regular file
//         PermissionDenied  it may not be read
//         any other         errno_status() of openat2
wharf::StatusOr<wharf::runtime::UniqueFd> open_beneath(int root, const std::string& name);

}  // namespace appserver
