#include "wharf/runtime/resolve.h"

#include <netdb.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "wharf/runtime/blocking.h"

namespace wharf::runtime {
namespace {

using Addresses = StatusOr<std::vector<Address>>;

}  // namespace

Status detail::resolve_failure(const std::string& name, int error, int system_error) {
  if (error == EAI_SYSTEM && system_error != 0) return errno_status(system_error, name);
  StatusCode code = StatusCode::kUnknown;
  switch (error) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY: code = StatusCode::kNotFound; break;
    case EAI_SERVICE:
    case EAI_SOCKTYPE:
    case EAI_FAMILY:
    case EAI_BADFLAGS: code = StatusCode::kInvalidArgument; break;
    case EAI_AGAIN:
    case EAI_FAIL: code = StatusCode::kUnavailable; break;
    case EAI_MEMORY: code = StatusCode::kResourceExhausted; break;
    default: break;
  }
  return make_status(code, name + ": " + ::gai_strerror(error));
}

namespace {

// On a thread that may block.
Addresses look_up(const std::string& host, const std::string& service, ResolveOptions options) {
  addrinfo wanted{};
  wanted.ai_family = options.family;
  wanted.ai_socktype = SOCK_STREAM;  // one answer for each address, not one for each protocol
  addrinfo* found = nullptr;
  const std::string name = "resolve " + host + ":" + service;
  const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), service.c_str(), &wanted, &found);
  const int system_error = errno;
  if (error != 0) return detail::resolve_failure(name, error, system_error);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* one = list.get(); one != nullptr; one = one->ai_next) {
    const Address address = Address::from(one->ai_addr, one->ai_addrlen);
    if (address.is_ip()) addresses.push_back(address);
  }
  if (addresses.empty()) return detail::resolve_failure(name, EAI_NODATA, 0);
  return addresses;
}

// What needs no look-up.
std::optional<Address> numeric(const std::string& host, const std::string& service, int family) {
  std::uint16_t port = 0;
  const char* const end = service.data() + service.size();
  const auto [stop, error] = std::from_chars(service.data(), end, port);
  if (host.empty() || service.empty() || error != std::errc() || stop != end) return std::nullopt;
  StatusOr<Address> address = Address::ip(host, port);
  if (!address.ok()) return std::nullopt;
  if (family != AF_UNSPEC && address->family() != family) return std::nullopt;
  return *address;
}

}  // namespace

coro::Task<Addresses> resolve(std::string host, std::string service, ResolveOptions options) {
  const bool whole = host.find('\0') == std::string::npos && service.find('\0') == std::string::npos;
  if (!whole) co_return make_status(StatusCode::kInvalidArgument, "resolve: a zero byte in a name");
  if (std::optional<Address> address = numeric(host, service, options.family)) {
    co_return std::vector<Address>{*address};
  }
  Addresses addresses = co_await run_blocking(look_up, std::move(host), std::move(service), options);
  co_return addresses;
}

}  // namespace wharf::runtime
