#include "wharf/runtime/address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <array>
#include <charconv>
#include <cstring>

namespace wharf::runtime {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

Status refused(std::string_view text, std::string_view why) {
  return make_status(StatusCode::kInvalidArgument, "address '" + std::string(text) + "': " + std::string(why));
}

// Of decimal digits alone. False: it is none, or above `max`.
bool parse_number(std::string_view text, std::uint32_t max, std::uint32_t& number) noexcept {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return !text.empty() && error == std::errc() && stop == end && number <= max;
}

// "%eth0" or "%2", without the sign. False: there is no such interface.
bool parse_scope(std::string_view scope, std::uint32_t& index) noexcept {
  if (parse_number(scope, UINT32_MAX, index)) return true;
  index = if_nametoindex(std::string(scope).c_str());
  return index != 0;
}

std::string printable(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      text.push_back(c);
    } else {
      text.append("\\x").push_back(kDigits[byte >> 4]);
      text.push_back(kDigits[byte & 15]);
    }
  }
  return text;
}

}  // namespace

StatusOr<Address> Address::parse(std::string_view text) {
  if (text.starts_with(kUnixPrefix)) {
    const std::string_view name = text.substr(kUnixPrefix.size());
    return name.starts_with('@') ? unix_abstract(name.substr(1)) : unix_path(name);
  }
  const std::size_t colon = text.rfind(':');
  std::uint32_t port = 0;
  if (colon == std::string_view::npos || !parse_number(text.substr(colon + 1), 65535, port)) {
    return refused(text, "no port, such as :80");
  }
  std::string_view host = text.substr(0, colon);
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (brackets) host = host.substr(1, host.size() - 2);
  if (brackets != (host.find(':') != std::string_view::npos)) {
    return refused(text, "an IPv6 address stands in brackets, and only that");
  }
  return ip(host, static_cast<std::uint16_t>(port));
}

StatusOr<Address> Address::ip(std::string_view host, std::uint16_t port) {
  if (host.find('\0') != std::string_view::npos) {
    return refused(printable(host), "a zero byte in an address");
  }
  Address address;
  const std::size_t percent = host.find('%');
  const std::string name(host.empty() ? std::string_view("::") : host.substr(0, percent));
  if (percent == std::string_view::npos && inet_pton(AF_INET, name.c_str(), &address.storage_.v4.sin_addr) == 1) {
    address.storage_.v4.sin_family = AF_INET;
    address.storage_.v4.sin_port = htons(port);
    address.bytes_ = sizeof(sockaddr_in);
    return address;
  }
  address = Address();
  sockaddr_in6& v6 = address.storage_.v6;
  if (inet_pton(AF_INET6, name.c_str(), &v6.sin6_addr) != 1) {
    return refused(host, "not a numeric IPv4 or IPv6 address, such as 127.0.0.1 or ::1");
  }
  if (percent != std::string_view::npos && !parse_scope(host.substr(percent + 1), v6.sin6_scope_id)) {
    return refused(host, "there is no such network interface");
  }
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  address.bytes_ = sizeof(sockaddr_in6);
  return address;
}

StatusOr<Address> Address::unix_path(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) {
    return refused(printable(path), "a zero byte in a path");
  }
  if (path.starts_with('@')) {
    return refused(printable(path), "'@' begins an abstract name; a path begins with ./@");
  }
  return local(path, 0);
}

StatusOr<Address> Address::unix_abstract(std::string_view name) { return local(name, 1); }

// `first`: where in sun_path the name begins; an abstract one follows a zero byte.
StatusOr<Address> Address::local(std::string_view name, std::size_t first) {
  Address address;
  sockaddr_un& local = address.storage_.local;
  if (name.empty() || name.size() >= sizeof(local.sun_path)) {
    return refused(printable(name), "the name of a Unix socket has 1 to 107 bytes");
  }
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path + first, name.data(), name.size());
  address.bytes_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}

Address Address::loopback(std::uint16_t port) noexcept {
  Address address;
  address.storage_.v4.sin_family = AF_INET;
  address.storage_.v4.sin_port = htons(port);
  address.storage_.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.bytes_ = sizeof(sockaddr_in);
  return address;
}

Address Address::from(const sockaddr* source, socklen_t bytes) noexcept {
  Address address;
  if (bytes < sizeof(sa_family_t) || bytes > sizeof(Storage)) return address;
  std::memcpy(&address.storage_, source, bytes);
  address.bytes_ = bytes;
  const int family = address.family();
  const bool whole = (family == AF_INET && bytes == sizeof(sockaddr_in)) ||
                     (family == AF_INET6 && bytes == sizeof(sockaddr_in6)) || family == AF_UNIX;
  return whole ? address : Address();
}

std::uint16_t Address::port() const noexcept {
  if (family() == AF_INET) return ntohs(storage_.v4.sin_port);
  return family() == AF_INET6 ? ntohs(storage_.v6.sin6_port) : 0;
}

// The bytes in sun_path, with the zero byte that begins an abstract name.
std::string_view Address::local_name() const noexcept {
  const std::size_t start = offsetof(sockaddr_un, sun_path);
  if (bytes_ <= start) return {};
  const std::string_view name(storage_.local.sun_path, bytes_ - start);
  return name.front() == '\0' ? name : name.substr(0, name.find('\0'));
}

std::string Address::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (family()) {
    case AF_INET: return inet_ntop(AF_INET, &storage_.v4.sin_addr, text.data(), text.size());
    case AF_INET6: {
      std::string host = inet_ntop(AF_INET6, &storage_.v6.sin6_addr, text.data(), text.size());
      const std::uint32_t scope = storage_.v6.sin6_scope_id;
      return scope == 0 ? host : host + "%" + std::to_string(scope);
    }
    case AF_UNIX: {
      const std::string_view name = local_name();
      const bool abstract = !name.empty() && name.front() == '\0';
      return abstract ? "@" + std::string(name.substr(1)) : std::string(name);
    }
    default: return {};
  }
}

std::string Address::text() const {
  switch (family()) {
    case AF_INET: return host() + ":" + std::to_string(port());
    case AF_INET6: return "[" + host() + "]:" + std::to_string(port());
    case AF_UNIX: return std::string(kUnixPrefix) + printable(host());
    default: return "none";
  }
}

bool operator==(const Address& left, const Address& right) noexcept {
  if (left.family() != right.family()) return false;
  if (left.family() == AF_UNIX) return left.local_name() == right.local_name();
  return left.bytes_ == right.bytes_ && std::memcmp(&left.storage_, &right.storage_, left.bytes_) == 0;
}

}  // namespace wharf::runtime
