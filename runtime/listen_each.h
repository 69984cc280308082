// A TCP listener for each reactor, on one address: the kernel spreads connections over them (SO_REUSEPORT), and each
// reactor accepts its own, so that no connection crosses threads.
//
//     StatusOr<std::vector<std::unique_ptr<TcpListener>>> listeners =
//         listen_each("0.0.0.0", 8080, runtime.reactor_count());
//     for (std::uint32_t i = 0; i < runtime.reactor_count(); ++i) {
//       runtime.spawn_on(i, serve, std::move((*listeners)[i]));
//     }
//
// Threads: any; each listener then belongs to the reactor that first accepts on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "wharf/runtime/base/status.h"
#include "wharf/runtime/tcp.h"

namespace wharf::runtime {

// All of them, or none. Port 0 takes a free one, the same for all. `options.reuse_port` is set.
//
// A connection belongs to one listener from its first packet: when that listener closes before it accepted it, the
// connection is reset (but for the sysctl net.ipv4.tcp_migrate_req). Other processes of the same user may listen on the
// address too, and share.
//
// Errors: those of TcpListener::listen; InvalidArgument for a count of 0
StatusOr<std::vector<std::unique_ptr<TcpListener>>> listen_each(const std::string& host, std::uint16_t port,
                                                                std::size_t count, TcpListenOptions options = {});

}  // namespace wharf::runtime
