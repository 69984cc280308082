// Programs that everybody uses carry data over our sockets: curl, wrk, nc, openssl. Those that are not installed are skipped.
#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/file.h"
#include "wharf/runtime/process_output.h"
#include "wharf/runtime/reader.h"
#include "wharf/runtime/recv_stream.h"
#include "wharf/runtime/tcp.h"
#include "wharf/runtime/tcp_stream.h"
#include "wharf/runtime/udp.h"
#include "wharf/runtime/unix_stream.h"
#include "wharf/runtime/writer.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/temporary_directory.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::bytes_of;
using test::Harness;

SpawnOptions tool(std::vector<std::string> arguments) {
  SpawnOptions options(arguments.front());
  options.search_path = true;
  options.arguments = std::move(arguments);
  return options;
}

bool installed(Harness& harness, const std::string& name) {
  return harness.run(run_process(tool({name, "--help"}))).status().code() != StatusCode::kNotFound;
}

#define SKIP_WITHOUT(harness, name) \
  if (!installed(harness, name)) GTEST_SKIP() << name << " is not installed"

std::string some_text(std::size_t bytes) {
  std::string text;
  for (std::size_t line = 0; text.size() < bytes; ++line) {
    text.append("line ").append(std::to_string(line)).append("\n");
  }
  text.resize(bytes);
  return text;
}

std::size_t number_in(std::string_view text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

struct Request {
  std::string line;
  std::size_t body_bytes = 0;
};

// nullopt: the client has ended.
Task<std::optional<Request>> read_request(Reader<TcpStream>& reader) {
  Request request;
  for (;;) {
    StatusOr<std::optional<std::string_view>> line = co_await reader.read_line();
    if (!line.ok() || !line->has_value()) co_return std::nullopt;
    if ((*line)->empty()) co_return std::move(request);
    if (request.line.empty()) request.line = **line;
    if ((*line)->starts_with("Content-Length: ")) request.body_bytes = number_in((*line)->substr(16));
  }
}

// GET /COUNT gives so many bytes of some_text; POST gives the body back.
Task<void> serve_http(UniqueFd connection) {
  TcpStream stream(std::move(connection));
  Reader reader(stream);
  Writer writer(stream);
  for (;;) {
    std::optional<Request> request = co_await read_request(reader);
    if (!request.has_value()) co_return;
    std::string body(request->body_bytes, '\0');
    Status status = co_await reader.read_exactly(std::as_writable_bytes(std::span(body)));
    if (request->line.starts_with("GET /")) body = some_text(number_in(request->line.substr(5)));
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    if (status.ok()) status = co_await writer.write(head);
    if (status.ok()) status = co_await writer.write(body);
    if (status.ok()) status = co_await writer.flush();
    if (!status.ok()) co_return;
  }
}

Task<void> accept_all(TcpListener& listener, Scope& scope, Task<void> (*serve)(UniqueFd)) {
  for (;;) {
    StatusOr<UniqueFd> connection = co_await listener.accept();
    if (!connection.ok()) co_return;
    scope.spawn(serve(*std::move(connection)));
  }
}

// What the client says while `serve` serves each connection of the listener.
Task<StatusOr<ProcessOutput>> with_server(TcpListener& listener, Task<void> (*serve)(UniqueFd), SpawnOptions client,
                                          std::string input) {
  StatusOr<ProcessOutput> output;
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(accept_all(listener, scope, serve));
    output = co_await run_process(std::move(client), std::move(input), std::size_t{16} << 20);
    scope.cancel();
  });
  co_return std::move(output);
}

struct Server {
  Server() : listener(*TcpListener::listen("127.0.0.1", 0)), port(std::to_string(listener->port())) {}
  StatusOr<ProcessOutput> run(Harness& harness, Task<void> (*serve)(UniqueFd), std::vector<std::string> client,
                              std::string input = {}) const {
    StatusOr<ProcessOutput> output =
        harness.run(with_server(*listener, serve, tool(std::move(client)), std::move(input)));
    EXPECT_TRUE(output.ok() && output->status.success()) << output.status() << (output.ok() ? output->errors : "");
    return output;
  }
  std::unique_ptr<TcpListener> listener;
  std::string port;
};

TEST(RealClientsTest, CurlGetsALargeFile) {
  Harness harness;
  SKIP_WITHOUT(harness, "curl");
  const Server server;
  const auto got =
      server.run(harness, serve_http, {"curl", "-s", "-S", "http://127.0.0.1:" + server.port + "/5000000"});

  EXPECT_TRUE(got->output == some_text(5'000'000));
}

TEST(RealClientsTest, CurlGetsTwoFilesOverOneConnection) {
  Harness harness;
  SKIP_WITHOUT(harness, "curl");
  const Server server;
  const std::string url = "http://127.0.0.1:" + server.port + "/";
  const auto got = server.run(harness, serve_http, {"curl", "-s", "-S", "-w", "%{num_connects}", url + "7", url + "8"});

  EXPECT_EQ(got->output, some_text(7) + "1" + some_text(8) + "0");
}

TEST(RealClientsTest, CurlPostsAndGetsItBack) {
  Harness harness;
  SKIP_WITHOUT(harness, "curl");
  const Server server;
  const auto got =
      server.run(harness, serve_http,
                 {"curl", "-s", "-S", "-H", "Expect:", "--data-binary", "@-", "http://127.0.0.1:" + server.port + "/"},
                 some_text(2'000'000));

  EXPECT_TRUE(got->output == some_text(2'000'000));
}

TEST(RealClientsTest, WrkFindsNoError) {
  Harness harness;
  SKIP_WITHOUT(harness, "wrk");
  const Server server;
  const auto got =
      server.run(harness, serve_http, {"wrk", "-t1", "-c16", "-d1s", "http://127.0.0.1:" + server.port + "/1000"});

  EXPECT_NE(got->output.find("Requests/sec"), std::string::npos) << got->output;
  // It lists them all if there is one, a request that took long on a busy machine too.
  const std::size_t errors = got->output.find("Socket errors:");
  if (errors != std::string::npos) {
    EXPECT_EQ(got->output.find("connect 0, read 0, write 0,", errors),
              errors + std::string_view("Socket errors: ").size())
        << got->output;
  }
  EXPECT_EQ(got->output.find("Non-2xx"), std::string::npos) << got->output;
}

// Sends everything back: received in shared buffers.
Task<void> echo(StreamSocket stream) {
  StatusOr<BufferGroup> group = BufferGroup::create(Reactor::current(), 8, 4096);
  RecvStream pieces(stream.fd(), *group);
  for (;;) {
    StatusOr<ReceivedBuffer> piece = co_await pieces.next();
    if (!piece.ok() || !*piece) break;
    Status sent = co_await stream.send_all(piece->bytes());
    if (!sent.ok()) break;
  }
  pieces.close();
  stream.shutdown_sending().IgnoreError();
}

Task<void> echo_tcp(UniqueFd connection) { return echo(StreamSocket(std::move(connection))); }

TEST(RealClientsTest, NcGetsBackWhatItSends) {
  Harness harness;
  SKIP_WITHOUT(harness, "nc");
  const Server server;
  const auto got = server.run(harness, echo_tcp, {"nc", "-N", "127.0.0.1", server.port}, some_text(1'000'000));

  EXPECT_TRUE(got->output == some_text(1'000'000));
}

Task<void> echo_unix_once(UnixListener& listener) {
  StatusOr<UnixStream> connection = co_await listener.accept();
  if (connection.ok()) co_await echo(std::move(*connection));
}

Task<StatusOr<ProcessOutput>> beside(Task<void> server, SpawnOptions client, std::string input) {
  StatusOr<ProcessOutput> output;
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(std::move(server));
    output = co_await run_process(std::move(client), std::move(input));
    scope.cancel();
  });
  co_return std::move(output);
}

TEST(RealClientsTest, NcSpeaksToAUnixListener) {
  Harness harness;
  SKIP_WITHOUT(harness, "nc");
  const test::TemporaryDirectory directory;
  const std::unique_ptr<UnixListener> listener = *UnixListener::listen(*Address::unix_path(directory / "quay"));
  const auto got =
      harness.run(beside(echo_unix_once(*listener), tool({"nc", "-N", "-U", directory / "quay"}), some_text(300'000)));

  EXPECT_TRUE(got->output == some_text(300'000));
}

Task<void> answer_one(UdpSocket& socket) {
  std::vector<std::byte> buffer(2000);
  StatusOr<Datagram> asked = co_await socket.recv_from(buffer);
  if (!asked.ok()) co_return;
  StatusOr<std::size_t> sent = co_await socket.send_to(std::span(buffer).first(asked->bytes), asked->source);
  EXPECT_TRUE(sent.ok());
}

TEST(RealClientsTest, NcSendsADatagramAndGetsItBack) {
  Harness harness;
  SKIP_WITHOUT(harness, "nc");
  UdpSocket socket = *UdpSocket::bind(Address::loopback(0));
  const std::string port = std::to_string(socket.local_address()->port());
  const auto got = harness.run(beside(answer_one(socket), tool({"nc", "-u", "-W", "1", "127.0.0.1", port}), "quay"));

  EXPECT_EQ(got->output, "quay");
}

Task<void> pump(StreamSocket& source, StreamSocket& target) {
  std::vector<std::byte> buffer(8000);
  for (;;) {
    StatusOr<std::size_t> count = co_await source.recv(buffer);
    if (!count.ok() || *count == 0) break;
    Status sent = co_await target.send_all(std::span(buffer).first(*count));
    if (!sent.ok()) break;
  }
  target.shutdown_sending().IgnoreError();
}

// One connection, in both directions, to what listens on `path`.
Task<void> relay_once(TcpListener& listener, std::string path) {
  StatusOr<UniqueFd> accepted = co_await listener.accept();
  if (!accepted.ok()) co_return;
  TcpStream client(*std::move(accepted));
  const Address address = *Address::unix_path(path);
  StatusOr<UnixStream> server = co_await UnixStream::connect(address);
  EXPECT_TRUE(server.ok()) << server.status();
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(pump(client, *server));
    scope.spawn(pump(*server, client));
    co_return;
  });
}

// A TLS server that gives out the files of `directory`, and speaks to `directory`/socket.
Task<std::unique_ptr<Process>> start_tls_server(std::string directory) {
  SpawnOptions keys = tool({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out",
                            "certificate", "-days", "2", "-subj", "/CN=quay"});
  keys.directory = directory;
  StatusOr<ProcessOutput> made = co_await run_process(std::move(keys));
  EXPECT_TRUE(made->status.success()) << made->errors;
  SpawnOptions options =
      tool({"openssl", "s_server", "-unix", "socket", "-key", "key", "-cert", "certificate", "-WWW"});
  options.directory = directory;
  options.output = SpawnOptions::Standard::kPipe;
  options.errors = SpawnOptions::Standard::kNull;
  StatusOr<std::unique_ptr<Process>> server = Process::spawn(options);
  EXPECT_TRUE(server.ok()) << server.status();
  File output((*server)->take_output());
  Reader reader(output);
  StatusOr<std::string_view> listening = co_await reader.read_until("ACCEPT");
  EXPECT_TRUE(listening.ok()) << listening.status();
  co_return *std::move(server);
}

TEST(RealClientsTest, OpensslSpeaksTlsThroughARelay) {
  Harness harness;
  SKIP_WITHOUT(harness, "openssl");
  const test::TemporaryDirectory directory;
  std::ofstream(directory / "cargo") << some_text(600'000);
  const std::unique_ptr<Process> tls = harness.run(start_tls_server(directory.path()));
  const Server relay;
  const auto got = harness.run(beside(relay_once(*relay.listener, directory / "socket"),
                                      tool({"openssl", "s_client", "-connect", "127.0.0.1:" + relay.port, "-quiet"}),
                                      "GET /cargo HTTP/1.0\r\n\r\n"));

  EXPECT_TRUE(got->output.ends_with(some_text(600'000))) << got->errors;
}

}  // namespace
}  // namespace wharf::runtime
