#include "wharf/docs/examples/appserver/target.h"

namespace appserver {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view path_of(std::string_view target) noexcept {
  if (!target.starts_with('/')) {
    if (const std::size_t scheme_end = target.find("://"); scheme_end != std::string_view::npos) {
      target.remove_prefix(scheme_end + 3);
      const std::size_t authority_end = target.find_first_of("/?#");
      if (authority_end == std::string_view::npos || target[authority_end] != '/') return "/";
      target.remove_prefix(authority_end);
    }
  }
  return target.substr(0, target.find_first_of("?#"));
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return std::nullopt;
    decoded.push_back(c);
  }
  return decoded;
}

}  // namespace appserver
