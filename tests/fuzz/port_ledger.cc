#include "wharf/tests/fuzz/port_ledger.h"

#include "wharf/runtime/base/check.h"

namespace wharf::test {

void Ledger::fill(std::span<std::byte> target, std::uint32_t number) {
  for (std::size_t i = 0; i < target.size(); ++i) {
    target[i] = static_cast<std::byte>(number * 37 + (number >> 24) + i * 7 + i / 251);
  }
}

std::string Ledger::payload(std::uint32_t number, std::size_t bytes) {
  std::string text(bytes, '\0');
  fill(std::as_writable_bytes(std::span(text)), number);
  return text;
}

void Ledger::check_payload(const ipc::Message& message, std::uint32_t number) {
  WHARF_CHECK(message.to_string() == payload(number, message.size_bytes()), "another message's payload");
}

std::uint32_t Ledger::begin(std::size_t bytes, std::size_t fd_count) {
  entries_.push_back({bytes, fd_count});
  return static_cast<std::uint32_t>(entries_.size());
}

void Ledger::sent(std::uint32_t number, const Status& status) {
  entries_.at(number - 1).fate = status.ok() ? Fate::kSent : Fate::kFailed;
}

void Ledger::called(std::uint32_t number, const StatusOr<ipc::Message>& reply) {
  if (!reply.ok()) return;
  const Entry& entry = entries_.at(number - 1);
  WHARF_CHECK(entry.received, "a reply to a request that nobody received");
  WHARF_CHECK_EQ(reply->type(), reply_number(number));
  // An echo is the request's payload, an answer has one of its own.
  if (reply->size_bytes() == entry.bytes && reply->to_string() == payload(number, entry.bytes)) return;
  check_payload(*reply, reply_number(number));
}

void Ledger::received(const ipc::Message& message) {
  const std::uint32_t number = message.type();
  WHARF_CHECK_LE(1U, number);
  WHARF_CHECK_LE(number, entries_.size());
  Entry& entry = entries_[number - 1];
  WHARF_CHECK(!entry.received, "a message that came twice");
  WHARF_CHECK(entry.fate != Fate::kFailed, "a message whose send had failed");
  entry.received = true;
  WHARF_CHECK_EQ(message.size_bytes(), entry.bytes);
  WHARF_CHECK_EQ(message.fd_count(), entry.fd_count);
  check_payload(message, number);
  if (entry.bytes > whole_bytes_max_) return;
  WHARF_CHECK_LT(last_whole_, number);
  last_whole_ = number;
}

void Ledger::finish(bool by_goodbye) const {
  for (const Entry& entry : entries_) {
    WHARF_CHECK(entry.fate != Fate::kFailed || !entry.received, "a message whose send failed");
    WHARF_CHECK(!by_goodbye || entry.fate != Fate::kSent || entry.received, "a message was lost");
  }
}

}  // namespace wharf::test
