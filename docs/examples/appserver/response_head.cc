#include "wharf/docs/examples/appserver/response_head.h"

#include <charconv>
#include <cstring>

#include <boost/beast/http/status.hpp>

#include "wharf/docs/examples/appserver/protocol.h"
#include "wharf/runtime/base/check.h"

namespace appserver {
namespace {

constexpr std::size_t kAllButFieldsBytesMax = 400;
static_assert(kAllButFieldsBytesMax + kFieldsBytesMax <= kResponseHeadBytesMax);

class Text {
 public:
  explicit Text(char* out) noexcept : begin_(out), end_(out) {}
  Text& operator<<(std::string_view text) noexcept {
    std::memcpy(end_, text.data(), text.size());
    end_ += text.size();
    return *this;
  }
  Text& operator<<(std::uint64_t number) noexcept {
    end_ = std::to_chars(end_, end_ + 20, number).ptr;
    return *this;
  }
  std::string_view view() const noexcept { return {begin_, static_cast<std::size_t>(end_ - begin_)}; }

 private:
  char* begin_;
  char* end_;
};

}  // namespace

std::string_view HttpDate::now() {
  const std::time_t now = std::time(nullptr);
  if (now != made_for_) {
    made_for_ = now;
    std::tm parts;
    gmtime_r(&now, &parts);
    text_bytes_ = std::strftime(text_.data(), text_.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  }
  return {text_.data(), text_bytes_};
}

std::string_view reason_of(std::uint16_t status) noexcept {
  const auto reason = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return {reason.data(), reason.size()};
}

std::string_view format_head(const ResponseHead& head, std::span<char, kResponseHeadBytesMax> out) noexcept {
  WHARF_CHECK_LE(head.fields.size(), kFieldsBytesMax);
  Text text(out.data());
  text << "HTTP/1.1 " << std::uint64_t{head.status} << " " << reason_of(head.status) << "\r\nDate: " << head.date
       << "\r\nContent-Length: " << head.content_bytes << "\r\n"
       << head.fields;
  if (!head.keep_alive) {
    text << "Connection: close\r\n";
  } else if (head.say_keep_alive) {
    text << "Connection: keep-alive\r\n";
  }
  text << "\r\n";
  return text.view();
}

}  // namespace appserver
