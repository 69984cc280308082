#include "wharf/docs/examples/appserver/routes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iterator>
#include <optional>
#include <utility>

#include "wharf/docs/examples/appserver/open_beneath.h"
#include "wharf/docs/examples/appserver/target.h"
#include "wharf/runtime/timer.h"

namespace appserver {
namespace {

using wharf::Status;
using wharf::StatusCode;
using wharf::StatusOr;
using wharf::coro::Task;

constexpr std::string_view kBinary = "Content-Type: application/octet-stream\r\n";
constexpr std::uint64_t kSleepMsMax = 3'600'000;

Answer text_answer(std::uint16_t status, std::string text) {
  Answer answer;
  answer.status = status;
  answer.text = std::move(text);
  return answer;
}

// The number that `text` is, all of it.
std::optional<std::uint64_t> parse_number(std::string_view text) noexcept {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Bytes `from`... of the pattern of /bytes.
void fill_pattern(std::span<std::byte> out, std::uint64_t from) {
  static constexpr std::size_t kPeriod = 251;
  static const auto kTable = [] {
    std::array<std::byte, 64 * kPeriod> table;
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::byte>(i % kPeriod);
    return table;
  }();
  while (!out.empty()) {
    const std::size_t start = from % kPeriod;
    const std::size_t count = std::min(out.size(), kTable.size() - start);
    std::memcpy(out.data(), kTable.data() + start, count);
    out = out.subspan(count);
    from += count;
  }
}

Task<Answer> hello(RouteContext*, Request) { co_return text_answer(200, "hello, world\n"); }

Task<Answer> echo(RouteContext*, Request) {
  Answer answer;
  answer.fields = kBinary;
  answer.echo = true;
  co_return answer;
}

Task<Answer> bytes(RouteContext* context, Request request) {
  const std::optional<std::uint64_t> count = parse_number(request.path);
  if (!count.has_value() || *count > context->body_bytes_max) {
    co_return text_answer(400, "/bytes/N: N is 0.." + std::to_string(context->body_bytes_max) + "\n");
  }
  Answer answer;
  answer.fields = kBinary;
  answer.content_bytes = *count;
  if (request.method == Method::kHead) co_return answer;
  // Who has a share gets all its memory in the end: others that build have theirs, and what has
  // been sent comes home.
  const Budget::Share share = co_await context->building->take(*count);
  for (std::uint64_t done = 0; done < *count;) {
    const std::size_t step = std::min<std::uint64_t>(*count - done, BodyMemory::kBlockBytesMax);
    StatusOr<std::span<std::byte>> block = co_await answer.made.add(*context->port, step, 0);
    if (!block.ok()) co_return text_answer(503, "no memory for the answer\n");
    fill_pattern(*block, done);
    done += step;
  }
  co_return answer;
}

Task<Answer> sleep(RouteContext*, Request request) {
  const std::optional<std::uint64_t> duration_ms = parse_number(request.path);
  if (!duration_ms.has_value() || *duration_ms > kSleepMsMax) {
    co_return text_answer(400, "/sleep/MS: MS is 0.." + std::to_string(kSleepMsMax) + "\n");
  }
  const bool elapsed = co_await wharf::runtime::sleep_for(std::chrono::milliseconds(*duration_ms));
  if (!elapsed) co_return text_answer(503, "the worker is stopping\n");
  co_return text_answer(200, "slept for " + std::to_string(*duration_ms) + " ms\n");
}

Task<Answer> file(RouteContext* context, Request request) {
  const std::optional<std::string> name = percent_decode(request.path);
  if (!name.has_value()) co_return text_answer(400, "the file's name is not well encoded\n");
  if (context->root < 0) co_return text_answer(404, "no files here: the server has no --root\n");
  StatusOr<wharf::runtime::UniqueFd> opened = open_beneath(context->root, *name);
  if (!opened.ok()) {
    switch (opened.status().code()) {
      case StatusCode::kNotFound: co_return text_answer(404, "no such file\n");
      case StatusCode::kPermissionDenied: co_return text_answer(403, "the file may not be read\n");
      case StatusCode::kResourceExhausted: co_return text_answer(503, "too many files are open\n");
      default: co_return text_answer(500, "the file cannot be opened\n");
    }
  }
  Answer answer;
  answer.fields = kBinary;
  answer.file = std::move(*opened);
  co_return answer;
}

Task<Answer> crash(RouteContext*, Request) {
  std::abort();
  co_return Answer();
}

struct Route {
  std::string_view path;
  bool is_prefix;
  Method method;  // kGet: HEAD too
  std::string_view not_allowed_fields;
  Task<Answer> (*handler)(RouteContext*, Request);
};

constexpr std::string_view kAllowGet = "Allow: GET, HEAD\r\nContent-Type: text/plain\r\n";
constexpr std::string_view kAllowPost = "Allow: POST\r\nContent-Type: text/plain\r\n";
constexpr std::array kRoutes{
    Route{"/", false, Method::kGet, kAllowGet, hello},      Route{"/echo", false, Method::kPost, kAllowPost, echo},
    Route{"/bytes/", true, Method::kGet, kAllowGet, bytes}, Route{"/sleep/", true, Method::kGet, kAllowGet, sleep},
    Route{"/file/", true, Method::kGet, kAllowGet, file},   Route{"/crash", false, Method::kPost, kAllowPost, crash},
};

}  // namespace

Task<Answer> answer_request(RouteContext* context, Request request) {
  const std::string_view path = request.path;
  const auto* const route = std::find_if(kRoutes.begin(), kRoutes.end(), [path](const Route& candidate) {
    return candidate.is_prefix ? path.starts_with(candidate.path) : path == candidate.path;
  });
  if (route == kRoutes.end()) co_return text_answer(404, "no such page\n");
  const Method wanted = request.method == Method::kHead ? Method::kGet : request.method;
  if (wanted != route->method) {
    Answer answer = text_answer(405, "method not allowed\n");
    answer.fields = route->not_allowed_fields;
    co_return answer;
  }
  request.path.remove_prefix(route->path.size());
  try {
    Answer answer = co_await route->handler(context, request);
    co_return answer;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "appserver_worker: %s\n", error.what());
  }
  co_return text_answer(500, "the page's handler has failed\n");
}

}  // namespace appserver
