#include "wharf/ipc/message.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/ipc/detail/message_copy.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/lane_pair.h"
#include "wharf/tests/ipc/peer_setup.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::ipc {
namespace {

using test::LanePair;
using test::Tracer;

TEST(MessageTest, IsEmptyToBeginWith) {
  const Message message{};

  EXPECT_EQ(message.type(), 0u);
  EXPECT_EQ(message.size_bytes(), 0u);
  EXPECT_EQ(message.part_count(), 0u);
  EXPECT_EQ(message.fd_count(), 0u);
  EXPECT_EQ(message.deadline_ns(), 0);
  EXPECT_FALSE(message.is_request());
  EXPECT_EQ(message.to_string(), "");
  std::string spare;
  EXPECT_EQ(message.text(spare), "");
}

TEST(MessageTest, IsMadeFromTextOfAnyKind) {
  const std::string text = "quay";
  const std::string_view view = text;

  EXPECT_EQ(Message("quay").to_string(), text);
  EXPECT_EQ(Message(text).to_string(), text);
  EXPECT_EQ(Message(view).to_string(), text);
  EXPECT_EQ(Message(7, view).to_string(), text);
  EXPECT_EQ(Message(7, view).type(), 7u);
  EXPECT_EQ(Message(8, std::as_bytes(std::span(text))).to_string(), text);
}

TEST(MessageTest, BorrowsItsPartsAndJoinsThemOnDemand) {
  const std::string first = "one ";
  const std::string second = "two ";
  Message message(1, first);
  message.append(second).append("").append("three");

  EXPECT_EQ(message.part_count(), 3u) << "empty parts are none";
  EXPECT_EQ(static_cast<const void*>(message.part(0).data()), first.data());
  EXPECT_EQ(message.part(1).size(), second.size());
  EXPECT_EQ(message.size_bytes(), 13u);
  EXPECT_EQ(message.to_string(), "one two three");
  std::string spare;
  EXPECT_EQ(message.text(spare), "one two three");
  EXPECT_EQ(spare, "one two three") << "several parts have to be copied";
}

TEST(MessageTest, TextOfOnePartIsNoCopy) {
  const std::string payload = test::pattern(500);
  const Message message(payload);
  std::string spare = "untouched";

  EXPECT_EQ(static_cast<const void*>(message.text(spare).data()), payload.data());
  EXPECT_EQ(spare, "untouched");
}

TEST(MessageTest, CopiesOutAsMuchAsThereIsRoomFor) {
  Message message("one ");
  message.append("two");
  for (std::size_t room = 0; room <= 10; ++room) {
    std::string target(room, '.');

    const std::size_t copied = message.copy_out(std::as_writable_bytes(std::span(target)));

    EXPECT_EQ(copied, std::min<std::size_t>(room, 7));
    EXPECT_EQ(target, std::string("one two...").substr(0, room));
  }
}

// There is no room for the mapping of a file among the parts: what is behind it is not taken for what is in it.
TEST(MessageTest, WhatCannotBeMappedIsZerosInACopyOfTheWhole) {
  namespace sys = runtime::sys;
  constexpr std::size_t kFileBytes = 8192;
  const auto with_a_file = [] {
    auto file = PayloadFile::create(kFileBytes);
    EXPECT_TRUE(file.ok()) << file.status();
    std::ranges::fill(file->bytes(), std::byte{'f'});
    Message message("before");
    message.append(*std::move(file)).append("behind");
    return message;
  };
  const std::string expected = "before" + std::string(kFileBytes + 6, '\0');
  const Message message = with_a_file();
  std::string target(expected.size(), '.');
  {
    const sys::FailureInjection failure(1, ENOMEM, sys::Call::kMmap);
    EXPECT_EQ(message.copy_out(std::as_writable_bytes(std::span(target))), 6u);
  }
  {
    const sys::FailureInjection failure(1, ENOMEM, sys::Call::kMmap);
    EXPECT_TRUE(message.to_string() == expected);
  }
  {
    detail::SmallBytes dirty(expected.size());  // the copy may get this memory
    std::ranges::fill(dirty.writable(), std::byte{'!'});
  }
  Message original = with_a_file();
  const sys::FailureInjection failure(1, ENOMEM, sys::Call::kMmap);
  detail::MessageCopy copy(std::move(original));
  EXPECT_TRUE(copy.to_message().to_string() == expected);
}

TEST(MessageTest, OwnsItsDescriptorsUntilTheyAreTaken) {
  Tracer kept;
  Tracer taken;
  runtime::UniqueFd fd;
  {
    Message message;
    message.attach(kept.take()).attach(taken.take());
    EXPECT_EQ(message.fd_count(), 2u);
    fd = message.take_fd(1);
    EXPECT_TRUE(fd);
    EXPECT_FALSE(message.take_fd(1)) << "taken already";
    EXPECT_FALSE(message.take_fd(2)) << "there is none";
    const Message moved = std::move(message);
    EXPECT_FALSE(kept.closed_everywhere());
  }
  EXPECT_TRUE(kept.closed_everywhere());
  EXPECT_FALSE(taken.closed_everywhere());
}

TEST(MessageTest, LeavesPlainPartsBehindWhenItsBlocksAreTaken) {
  LanePair lanes;
  Message source("plain");
  source.append(lanes.loan("block one")).append(" and plain").append(lanes.loan(" block two"));
  Message target("reply: ");

  target.append_blocks_of(source);

  EXPECT_EQ(target.to_string(), "reply: block one block two");
  EXPECT_EQ(source.to_string(), "plain and plain");
}

coro::Task<void> answer_what_is_no_request() {
  Message message("statement");

  Status sent = co_await message.reply(Message("what?"));
  EXPECT_EQ(sent.code(), StatusCode::kInvalidArgument);
  sent = co_await message.reply_error(absl::InternalError("what?"));
  EXPECT_EQ(sent.code(), StatusCode::kInvalidArgument);
}

TEST(MessageTest, OnlyARequestCanBeAnswered) {
  test::Loop loop;
  loop.run(answer_what_is_no_request());
}

}  // namespace
}  // namespace wharf::ipc
