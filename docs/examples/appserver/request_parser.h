// RequestParser: the head of one HTTP/1.1 request, and its body if that comes in chunks.
// Boost.Beast parses; this class gives it bytes that somebody else has received, and says with
// which status a request is to be refused.
//
// Threads: one.
// Cost:    no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <boost/beast/http/basic_parser.hpp>

#include "wharf/docs/examples/appserver/protocol.h"

namespace appserver {

// The bytes of `text` that are a request's head, with the empty line at its end; 0 if the end is
// not there yet. Start looking at `from`, where an earlier call found nothing.
std::size_t find_head_end(std::string_view text, std::size_t from) noexcept;

// Whether a request can begin like `text`, which is not empty: what is no HTTP at all need not be
// waited for.
bool may_begin_request(std::string_view text) noexcept;

class RequestParser final : private boost::beast::http::basic_parser<true> {
 public:
  explicit RequestParser(std::uint64_t body_bytes_max);

  // Parses a whole head, as find_head_end() found it.
  void parse_head(std::string_view head);
  // The status to refuse the request with, or 0. After a refusal nothing is known about where the
  // next request begins.
  std::uint16_t refusal() const noexcept { return refusal_; }

  Method method() const noexcept { return method_; }
  // A part of the head.
  std::string_view target() const noexcept { return target_; }
  bool is_http_1_0() const noexcept { return version_ == 10; }
  // Whether the client wants the connection to go on.
  bool keeps_alive() const { return keep_alive(); }
  bool expects_continue() const noexcept { return expects_continue_; }
  bool has_body() const { return !is_done(); }
  bool has_chunks() const { return chunked(); }
  // Of a body that does not come in chunks.
  std::uint64_t body_bytes() const { return content_length().value_or(0); }

  enum class Chunk { kNeedMore, kData, kEnd, kRefused };
  // Goes on in a body of chunks. `used_bytes` of `text` are done with; `data` is the part of them
  // that is body.
  Chunk next_chunk(std::string_view text, std::size_t& used_bytes, std::string_view& data);

 private:
  using Error = boost::beast::error_code;
  using Text = boost::beast::string_view;

  void refuse(std::uint16_t status, Error& error) noexcept;
  std::uint16_t status_for(const Error& error, std::string_view head) const noexcept;

  // boost::beast::http::basic_parser
  void on_request_impl(boost::beast::http::verb verb, Text method, Text target, int version, Error& error) override;
  void on_response_impl(int code, Text reason, int version, Error& error) override;
  void on_field_impl(boost::beast::http::field name, Text name_text, Text value, Error& error) override;
  void on_header_impl(Error& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& bytes, Error& error) override;
  std::size_t on_body_impl(Text body, Error& error) override;
  void on_chunk_header_impl(std::uint64_t bytes, Text extension, Error& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t bytes_left, Text body, Error& error) override;
  void on_finish_impl(Error& error) override;

  std::string_view target_;
  std::string_view chunk_data_;
  Method method_ = Method::kGet;
  int version_ = 11;
  std::uint16_t refusal_ = 0;
  std::uint8_t host_count_ = 0;
  bool expects_continue_ = false;
  bool in_head_ = true;
};

}  // namespace appserver
