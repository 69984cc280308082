#include "wharf/docs/examples/appserver/request_parser.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>

namespace appserver {
namespace {

namespace http = boost::beast::http;

std::optional<Method> method_of(http::verb verb) noexcept {
  switch (verb) {
    case http::verb::get: return Method::kGet;
    case http::verb::head: return Method::kHead;
    case http::verb::post: return Method::kPost;
    case http::verb::put: return Method::kPut;
    case http::verb::delete_: return Method::kDelete;
    case http::verb::patch: return Method::kPatch;
    case http::verb::options: return Method::kOptions;
    default: return std::nullopt;
  }
}

// Whether the request line ends like "HTTP/3.0": well formed, but no version of ours.
bool names_version(std::string_view head) noexcept {
  const std::string_view line = head.substr(0, head.find_first_of("\r\n"));
  if (line.size() < 8) return false;
  const std::string_view version = line.substr(line.size() - 8);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return version.starts_with("HTTP/") && is_digit(version[5]) && version[6] == '.' && is_digit(version[7]) &&
         version != "HTTP/1.0" && version != "HTTP/1.1";
}

// Beast would wait for ever for the return that is missing.
bool has_bare_line_feed(std::string_view text) noexcept {
  const std::size_t at = text.find('\n');
  return at != std::string_view::npos && (at == 0 || text[at - 1] != '\r');
}

}  // namespace

std::size_t find_head_end(std::string_view text, std::size_t from) noexcept {
  // The end may have begun up to three bytes before.
  for (std::size_t at = from < 3 ? 0 : from - 3; at < text.size(); ++at) {
    const void* found = std::memchr(text.data() + at, '\n', text.size() - at);
    if (found == nullptr) return 0;
    at = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    const std::string_view rest = text.substr(at + 1);
    // Without the returns it is wrong, and the parser will say so.
    if (rest.starts_with("\r\n")) return at + 3;
    if (rest.starts_with('\n')) return at + 2;
  }
  return 0;
}

bool may_begin_request(std::string_view text) noexcept {
  const char c = text.front();
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~0123456789").find(c) != std::string_view::npos;
}

RequestParser::RequestParser(std::uint64_t body_bytes_max) {
  body_limit(body_bytes_max);
  header_limit(std::numeric_limits<std::uint32_t>::max());  // the connection's buffer limits it
}

void RequestParser::parse_head(std::string_view head) {
  Error error;
  const std::size_t used = put({head.data(), head.size()}, error);
  if (!error && (!is_header_done() || used != head.size())) error = http::error::bad_value;
  if (error && refusal_ == 0) refusal_ = status_for(error, head);
  in_head_ = false;
  if (refusal_ == 0 && version_ == 10 && chunked()) refusal_ = 400;
}

RequestParser::Chunk RequestParser::next_chunk(std::string_view text, std::size_t& used_bytes, std::string_view& data) {
  used_bytes = 0;
  chunk_data_ = {};
  while (used_bytes < text.size()) {
    const std::string_view rest = text.substr(used_bytes);
    Error error;
    used_bytes += put({rest.data(), rest.size()}, error);
    if (error == http::error::need_more && !has_bare_line_feed(text.substr(used_bytes))) {
      return Chunk::kNeedMore;
    }
    if (error) {
      refusal_ = error == http::error::body_limit ? 413 : 400;
      return Chunk::kRefused;
    }
    if (is_done()) return Chunk::kEnd;
    if (!chunk_data_.empty()) {
      data = chunk_data_;
      return Chunk::kData;
    }
  }
  return Chunk::kNeedMore;
}

void RequestParser::refuse(std::uint16_t status, Error& error) noexcept {
  refusal_ = status;
  error = http::error::bad_value;
}

std::uint16_t RequestParser::status_for(const Error& error, std::string_view head) const noexcept {
  if (error == http::error::body_limit) return 413;
  if (error == http::error::bad_version && names_version(head)) return 505;
  return 400;
}

void RequestParser::on_request_impl(http::verb verb, Text, Text target, int version, Error& error) {
  target_ = {target.data(), target.size()};
  version_ = version;
  const std::optional<Method> method = method_of(verb);
  if (!method.has_value()) return refuse(501, error);
  method_ = *method;
  if (target_.size() > kTargetBytesMax) return refuse(414, error);
  const bool is_known_form = target_.starts_with('/') || target_.starts_with("http://") ||
                             target_.starts_with("https://") || (target_ == "*" && method_ == Method::kOptions);
  if (!is_known_form) refuse(400, error);
}

void RequestParser::on_response_impl(int, Text, int, Error&) {}

void RequestParser::on_field_impl(http::field name, Text, Text value, Error& error) {
  if (!in_head_) return;  // a trailer
  switch (name) {
    case http::field::host:
      if (++host_count_ > 1) refuse(400, error);
      break;
    case http::field::transfer_encoding:
      // What Beast does not take for chunks it would take for no body at all.
      if (!boost::beast::iequals(value, "chunked")) refuse(501, error);
      break;
    case http::field::expect:
      if (!boost::beast::iequals(value, "100-continue")) return refuse(417, error);
      expects_continue_ = version_ != 10;
      break;
    default: break;
  }
}

void RequestParser::on_header_impl(Error& error) {
  if (version_ == 11 && host_count_ == 0) refuse(400, error);
}

void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) {}

std::size_t RequestParser::on_body_impl(Text, Error&) {
  return 0;  // such a body is received by others
}

void RequestParser::on_chunk_header_impl(std::uint64_t, Text, Error&) {}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, Text body, Error&) {
  chunk_data_ = {body.data(), body.size()};
  return body.size();
}

void RequestParser::on_finish_impl(Error&) {}

}  // namespace appserver
