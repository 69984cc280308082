// Awaiters of the operations that take a path, which they own. The public forms are in file_system.h.
//
// Threads: the reactor's.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <coroutine>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "wharf/runtime/detail/io_awaiter.h"

namespace wharf::runtime::detail {

// What awaiters of one path share. The operation is told where the path is when it starts: until then they may move.
class PathOperation : public IoAwaiter {
 public:
  bool await_ready() noexcept { return refuse_cut(path_); }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    memory = const_cast<char*>(path_.c_str());
    return IoAwaiter::await_suspend(handle, site);
  }

 protected:
  PathOperation(const char* name, Opcode operation, int directory, std::string path, IoOptions options) noexcept
      : IoAwaiter(name, operation, directory, options), path_(std::move(path)) {}

  const std::string& path() const noexcept { return path_; }
  // True: it holds a zero byte, where the kernel would end it, and name another file.
  bool refuse_cut(const std::string& path) noexcept {
    cut_ = path.find('\0') != std::string::npos;
    if (cut_) refuse(EINVAL);
    return cut_;
  }
  // The operation's, with the path in it.
  Status path_status() const {
    if (cut_) {
      return make_status(StatusCode::kInvalidArgument, std::string(name()) + ": a zero byte in a path");
    }
    const Status status = IoAwaiter::status();
    if (status.ok()) return status;
    return make_status(status.code(), path_ + ": " + std::string(status.message()));
  }

 private:
  std::string path_;
  bool cut_ = false;
};

class [[nodiscard]] PathAwaiter final : public PathOperation {
 public:
  PathAwaiter(const char* name, Opcode operation, int directory, std::string path, std::uint32_t operation_flags,
              mode_t mode, IoOptions options) noexcept
      : PathOperation(name, operation, directory, std::move(path), options) {
    flags = operation_flags;
    memory_bytes = mode;
  }
  Status await_resume() const { return path_status(); }
};

class [[nodiscard]] OpenAwaiter final : public PathOperation {
 public:
  OpenAwaiter(int directory, std::string path, int open_flags, mode_t mode, IoOptions options) noexcept
      : PathOperation("open", Opcode::kOpenat, directory, std::move(path), options) {
    flags = static_cast<std::uint32_t>(open_flags | O_CLOEXEC);
    memory_bytes = mode;
  }
  StatusOr<UniqueFd> await_resume() const {
    if (!ok()) return path_status();
    return UniqueFd(result());
  }
};

class [[nodiscard]] StatxAwaiter final : public PathOperation {
 public:
  StatxAwaiter(int directory, std::string path, int at_flags, unsigned mask, IoOptions options) noexcept
      : PathOperation("statx", Opcode::kStatx, directory, std::move(path), options),
        request_{directory, nullptr, mask, nullptr} {
    flags = static_cast<std::uint32_t>(at_flags);
  }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    request_.path = path().c_str();
    request_.result = &about_;
    memory = &request_;
    return IoAwaiter::await_suspend(handle, site);
  }
  StatusOr<struct statx> await_resume() const {
    if (!ok()) return path_status();
    return about_;
  }

 private:
  StatxRequest request_;
  struct statx about_{};
};

class [[nodiscard]] RenameAwaiter final : public PathOperation {
 public:
  RenameAwaiter(int source_directory, std::string source, int target_directory, std::string target,
                unsigned rename_flags, IoOptions options) noexcept
      : PathOperation("rename", Opcode::kRenameat, source_directory, std::move(source), options),
        target_(std::move(target)),
        request_{source_directory, nullptr, target_directory, nullptr} {
    flags = rename_flags;
  }
  bool await_ready() noexcept { return PathOperation::await_ready() || refuse_cut(target_); }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    request_.source = path().c_str();
    request_.target = target_.c_str();
    memory = &request_;
    return IoAwaiter::await_suspend(handle, site);
  }
  Status await_resume() const { return path_status(); }

 private:
  std::string target_;
  RenameRequest request_;
};

}  // namespace wharf::runtime::detail
