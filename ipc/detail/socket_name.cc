#include "wharf/ipc/detail/socket_name.h"

#include <cstddef>
#include <cstring>

namespace wharf::ipc::detail {

StatusOr<SocketName> SocketName::parse(const std::string& text) {
  SocketName name;
  // A path ends with a zero byte.
  constexpr std::size_t kBytesMax = sizeof(name.address_.sun_path) - 1;
  if (text.empty() || text == "@") return absl::InvalidArgumentError("socket name: a path or \"@name\" is wanted");
  if (text.size() > kBytesMax) {
    return absl::InvalidArgumentError("socket name " + text + ": longer than " + std::to_string(kBytesMax) +
                                      " bytes, the kernel's limit: choose a shorter path");
  }
  if (text.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("socket name " + std::string(text.c_str()) + ": there is a zero byte in it");
  }
  name.text_ = text;
  name.address_.sun_family = AF_UNIX;
  std::memcpy(name.address_.sun_path, text.data(), text.size());
  std::size_t bytes = offsetof(sockaddr_un, sun_path) + text.size();
  if (name.is_abstract()) {
    name.address_.sun_path[0] = '\0';
  } else {
    ++bytes;
  }
  name.address_bytes_ = static_cast<socklen_t>(bytes);
  return name;
}

}  // namespace wharf::ipc::detail
