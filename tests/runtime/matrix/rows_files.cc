// Rows: operations on files and names, which the kernel carries out at once or on a thread of its own. None waits for
// something that a test could hold back.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

#include "wharf/runtime/file.h"
#include "wharf/runtime/file_system.h"
#include "wharf/tests/runtime/matrix/case.h"
#include "wharf/tests/runtime/temporary_directory.h"

namespace wharf::test {
namespace {

using runtime::IoOptions;
using runtime::UniqueFd;

// A directory with the file "old", which holds kText.
struct Names {
  Names() {
    file.reset(::open(old.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    put(file);
  }
  bool exists(const std::string& path) const { return ::access(path.c_str(), F_OK) == 0; }
  // So that nothing below it is found.
  void hide() {
    old = directory / "no/old";
    fresh = directory / "no/fresh";
  }
  TemporaryDirectory directory;
  std::string old = directory / "old";
  std::string fresh = directory / "fresh";
  UniqueFd file;
};

struct Openat final : AwaiterCase<Openat> {
  auto make(IoOptions options) { return runtime::openat(AT_FDCWD, names.fresh, O_WRONLY | O_CREAT, 0600, options); }
  bool happened() const override { return names.exists(names.fresh); }
  std::string spoil() override {
    names.hide();
    return "open";
  }
  Names names;
};

struct Statx final : AwaiterCase<Statx> {
  auto make(IoOptions options) { return runtime::statx(AT_FDCWD, names.old, 0, STATX_BASIC_STATS, options); }
  Status judge(const StatusOr<struct statx>& about) {
    return about.ok() ? said_count(about->stx_size) : about.status();
  }
  std::string spoil() override {
    names.hide();
    return "stat";
  }
  Names names;
};

struct Mkdirat final : AwaiterCase<Mkdirat> {
  auto make(IoOptions options) { return runtime::mkdirat(AT_FDCWD, names.fresh, 0700, options); }
  bool happened() const override { return names.exists(names.fresh); }
  std::string spoil() override {
    names.hide();
    return "mkdir";
  }
  Names names;
};

struct Unlinkat final : AwaiterCase<Unlinkat> {
  auto make(IoOptions options) { return runtime::unlinkat(AT_FDCWD, names.old, 0, options); }
  bool happened() const override { return !names.exists(names.old); }
  std::string spoil() override {
    names.hide();
    return "unlink";
  }
  Names names;
};

struct Renameat final : AwaiterCase<Renameat> {
  auto make(IoOptions options) { return runtime::renameat(AT_FDCWD, names.old, AT_FDCWD, names.fresh, 0, options); }
  bool happened() const override { return names.exists(names.fresh) && !names.exists(names.old); }
  std::string spoil() override {
    names.hide();
    return "rename";
  }
  Names names;
};

struct Fsync final : AwaiterCase<Fsync> {
  auto make(IoOptions options) { return runtime::fsync(file(), runtime::SyncKind::kEverything, options); }
  int file() const { return spoilt ? pipe.reader.get() : names.file.get(); }
  std::string spoil() override {
    spoilt = true;
    return "fsync";
  }
  Names names;
  Pipe pipe;
  bool spoilt = false;
};

struct ReadAt final : AwaiterCase<ReadAt> {
  auto make(IoOptions options) { return runtime::read(names.file.get(), buffer, from, options); }
  void end() override { from = 4; }
  std::string spoil() override {
    names.file.reset();
    return "read";
  }
  Names names;
  std::array<std::byte, 16> buffer{};
  std::uint64_t from = 0;
};

struct WriteAt final : AwaiterCase<WriteAt> {
  auto make(IoOptions options) { return runtime::write(names.file.get(), bytes_of(kText), 4, options); }
  bool happened() const override { return ::lseek(names.file.get(), 0, SEEK_END) == 8; }
  std::string spoil() override {
    names.file.reset();
    return "write";
  }
  Names names;
};

struct Close final : AwaiterCase<Close> {
  auto make(IoOptions /*options*/) {
    number = names.file.get();
    return runtime::close(std::move(names.file));
  }
  bool happened() const override { return ::fcntl(number, F_GETFD) == -1; }
  std::string spoil() override {
    names.file.reset();
    return "close";
  }
  Names names;
  int number = -1;
};

struct FileOpen final : TaskCase<FileOpen> {
  auto make(IoOptions options) { return runtime::File::open(names.old, O_RDONLY, 0, options); }
  std::string spoil() override {
    names.hide();
    return "open";
  }
  Names names;
};

struct ReadFile final : TaskCase<ReadFile> {
  auto make(IoOptions options) { return runtime::read_file(names.old, 100, options); }
  Status judge(const StatusOr<std::string>& text) { return text.ok() ? said_count(text->size()) : text.status(); }
  std::string spoil() override {
    names.hide();
    return "open";
  }
  Names names;
};

struct ReplaceFile final : TaskCase<ReplaceFile> {
  auto make(IoOptions options) { return runtime::replace_file(names.fresh, bytes_of(kText), 0600, options); }
  bool happened() const override {
    EXPECT_FALSE(names.exists(names.fresh + ".new"));
    return names.exists(names.fresh);
  }
  std::string spoil() override {
    names.hide();
    return "open";
  }
  Names names;
};

struct CopyBytes final : TaskCase<CopyBytes> {
  auto make(IoOptions options) {
    EXPECT_EQ(::lseek(source.fd(), 0, SEEK_SET), 0);
    return runtime::copy_bytes(source, target, options);
  }
  Status judge(const StatusOr<std::uint64_t>& count) { return count.ok() ? said_count(*count) : count.status(); }
  bool happened() const override { return ::lseek(target.fd(), 0, SEEK_END) == 4; }
  std::string spoil() override {
    target = runtime::File();
    return "write";
  }
  Names names;
  runtime::File source{UniqueFd(::open(names.old.c_str(), O_RDONLY | O_CLOEXEC))};
  runtime::File target{UniqueFd(::open(names.fresh.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600))};
};

constexpr std::uint32_t kLook = kOwnDeadline | kFails;
constexpr std::uint32_t kChange = kLook | kVisible;

constexpr Row kRows[] = {
    {"openat", kChange, make_case<Openat>},
    {"statx", kLook, make_case<Statx>},
    {"mkdirat", kChange, make_case<Mkdirat>},
    {"unlinkat", kChange, make_case<Unlinkat>},
    {"renameat", kChange, make_case<Renameat>},
    {"fsync", kLook, make_case<Fsync>},
    {"read_of_a_file", kLook | kEnds, make_case<ReadAt>},
    {"write_of_a_file", kChange, make_case<WriteAt>},
    {"close", kFails | kVisible | kBegun | kAlways, make_case<Close>},
    {"File_open", kLook, make_case<FileOpen>},
    {"read_file", kLook | kUncounted, make_case<ReadFile>},
    {"replace_file", kChange | kUncounted, make_case<ReplaceFile>},
    {"copy_bytes", kChange | kUncounted, make_case<CopyBytes>},
};

}  // namespace

std::span<const Row> file_rows() noexcept { return kRows; }

}  // namespace wharf::test
