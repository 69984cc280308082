// Address: where a socket is, or whom it speaks to: IPv4, IPv6, or a Unix socket's path or abstract name.
//
//     StatusOr<Address> server = Address::parse("127.0.0.1:8080");    // "[::1]:8080", "unix:/run/quay", "unix:@quay"
//     std::string text = server->text();
//
// Numeric addresses alone: names are not looked up here.
//
// Threads: any.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "wharf/runtime/base/status.h"

namespace wharf::runtime {

class Address {
 public:
  // None: family() is AF_UNSPEC.
  Address() noexcept : storage_{} {}

  // The form that text() gives.
  //
  // Errors: InvalidArgument
  static StatusOr<Address> parse(std::string_view text);
  // `host` is numeric: "127.0.0.1", "::1", "fe80::1%eth0"; "" is every address of the machine, IPv6 and IPv4.
  //
  // Errors: InvalidArgument
  static StatusOr<Address> ip(std::string_view host, std::uint16_t port);
  // Units:  1 to 107 bytes of path or name.
  // Errors: InvalidArgument  too long, empty, or a path that holds a zero byte, or begins with '@': that is ./@...
  static StatusOr<Address> unix_path(std::string_view path);
  static StatusOr<Address> unix_abstract(std::string_view name);
  // 127.0.0.1
  static Address loopback(std::uint16_t port) noexcept;
  // What the kernel gave. Longer than any address of these families, or of another family: none.
  static Address from(const sockaddr* address, socklen_t bytes) noexcept;

  // AF_INET, AF_INET6, AF_UNIX, or AF_UNSPEC.
  int family() const noexcept { return storage_.any.sa_family; }
  bool is_ip() const noexcept { return family() == AF_INET || family() == AF_INET6; }
  // In host byte order; 0 for a Unix socket.
  std::uint16_t port() const noexcept;
  // Without the port: "127.0.0.1", "::1". For a Unix socket its path, or '@' and its abstract name; "" if it has none.
  std::string host() const;
  // "127.0.0.1:80", "[::1]:80", "unix:/run/quay", "unix:@quay"; "none". Bytes that do not print are \xNN.
  std::string text() const;

  // Borrowed, for system calls.
  const sockaddr* get() const noexcept { return &storage_.any; }
  socklen_t bytes() const noexcept { return bytes_; }

  friend bool operator==(const Address& left, const Address& right) noexcept;

 private:
  // The longest one first: {} sets that to zero, and with GCC 15 no byte beyond it.
  union Storage {
    sockaddr_un local;
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };

  static StatusOr<Address> local(std::string_view name, std::size_t first);
  std::string_view local_name() const noexcept;

  Storage storage_;
  socklen_t bytes_ = 0;
};

}  // namespace wharf::runtime
