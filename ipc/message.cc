#include "wharf/ipc/message.h"

#include <algorithm>
#include <cstring>

#include "wharf/ipc/awaiters.h"
#include "wharf/ipc/detail/link.h"
#include "wharf/runtime/base/check.h"

namespace wharf::ipc {

const Piece* Message::piece_of(std::size_t index) const noexcept {
  if (!head_.bytes().empty()) {
    if (index == 0) return nullptr;
    --index;
  }
  return &pieces_[index];
}

std::span<const std::byte> Message::view(std::size_t index) const noexcept {
  const Piece* piece = piece_of(index);
  return piece == nullptr ? head_.bytes() : piece->bytes();
}

std::span<const std::byte> Message::part(std::size_t index) const noexcept {
  const Piece* piece = piece_of(index);
  if (piece == nullptr) return head_.bytes();
  WHARF_CHECK(!piece->guarded(),
              "Message::part: a hostile peer could change this part while it is read: use copy_out(), "
              "make_stable() first, or take untrusted_part()");
  return piece->bytes();
}

bool Message::part_is_stable(std::size_t index) const noexcept {
  const Piece* piece = piece_of(index);
  return piece == nullptr || piece->stable();
}

bool Message::stable() const noexcept {
  return std::all_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) { return piece.stable(); });
}

void Message::make_stable() {
  if (stable()) return;
  detail::SmallBytes copy(size_bytes());
  const std::size_t done = copy_out(copy.writable());
  std::memset(copy.writable().data() + done, 0, copy.writable().size() - done);
  pieces_.clear();
  head_ = std::move(copy);
}

std::size_t Message::part_bytes(std::size_t index) const noexcept {
  const Piece* piece = piece_of(index);
  return piece == nullptr ? head_.bytes().size() : piece->size_bytes();
}

runtime::UniqueFd Message::take_file(std::size_t part_index) noexcept {
  const std::size_t head_count = this->head_count();
  return part_index < head_count ? runtime::UniqueFd() : pieces_[part_index - head_count].take_file();
}

bool Message::readable() const noexcept {
  return std::all_of(pieces_.begin(), pieces_.end(),
                     [](const Piece& piece) { return piece.bytes().size() == piece.size_bytes(); });
}

std::size_t Message::copy_out(std::span<std::byte> target) const noexcept {
  std::size_t done = 0;
  for (std::size_t i = 0; i < part_count() && done < target.size(); ++i) {
    const std::span<const std::byte> source = view(i);
    if (source.size() != part_bytes(i)) break;  // a file that cannot be mapped
    const std::size_t count = std::min(source.size(), target.size() - done);
    if (count != 0) std::memcpy(target.data() + done, source.data(), count);
    done += count;
  }
  return done;
}

std::string Message::to_string() const {
  std::string text(size_bytes(), '\0');
  copy_out(std::as_writable_bytes(std::span(text)));
  return text;
}

std::string_view Message::text(std::string& spare) const {
  if (part_count() == 0) return {};
  const Piece* piece = piece_of(0);
  if (part_count() > 1 || (piece != nullptr && piece->guarded())) return spare = to_string();
  const std::span<const std::byte> bytes = view(0);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Message& Message::append(Loan payload) {
  pieces_.push_back(std::move(payload).take_piece());
  return *this;
}

Message& Message::append(PayloadFile payload) {
  pieces_.push_back(std::move(payload).take_piece());
  return *this;
}

Message& Message::append_blocks_of(Message& other) {
  detail::Few<Piece> left;
  for (Piece& piece : other.pieces_) {
    (piece.kind() == Piece::Kind::kPlain ? left : pieces_).push_back(std::move(piece));
  }
  other.pieces_ = std::move(left);
  return *this;
}

Message& Message::attach(runtime::UniqueFd fd) {
  fds_.push_back(std::move(fd));
  return *this;
}

runtime::UniqueFd Message::take_fd(std::size_t index) noexcept {
  return index < fds_.size() ? std::move(fds_[index]) : runtime::UniqueFd();
}

StatusOr<PortEnd> Message::take_port(std::size_t index) {
  PortEnd end(take_fd(index));
  const char* const what = end ? "is no end of a link" : "is not there";
  if (end.check().ok()) return end;
  return absl::InvalidArgumentError("take_port: descriptor " + std::to_string(index) + " of a message of type " +
                                    std::to_string(type_) + " " + what);
}

SendAwaiter Message::reply(Message answer) {
  if (!obligation_) return SendAwaiter(absl::InvalidArgumentError("reply: no request, or answered already"));
  if (Status result; obligation_.borrow_link().send_at_once(answer, result, shm::kFlagReply, obligation_.stream())) {
    detail::Obligation owed = std::move(obligation_);  // still so if the answer was refused
    if (result.ok()) owed.settle();
    return SendAwaiter(std::move(result));
  }
  detail::Outgoing outgoing{.message = std::move(answer)};
  outgoing.flags |= shm::kFlagReply;
  outgoing.stream = obligation_.stream();
  shm::Ref<detail::Link> link = obligation_.link();
  outgoing.obligation = std::move(obligation_);
  return {std::move(link), std::move(outgoing), 0};
}

SendAwaiter Message::reply_error(const Status& error) {
  if (!obligation_) return SendAwaiter(absl::InvalidArgumentError("reply_error: no request, or answered already"));
  if (error.ok()) return SendAwaiter(absl::InvalidArgumentError("reply_error: OK is no error"));
  const absl::string_view text = error.message();
  detail::Outgoing outgoing;
  outgoing.message.type_ = static_cast<std::uint32_t>(error.code());
  outgoing.message.head_ =
      detail::SmallBytes(std::as_bytes(std::span(text.data(), std::min(text.size(), detail::kErrorTextBytesMax))));
  outgoing.flags |= shm::kFlagReply | shm::kFlagError;
  outgoing.stream = obligation_.stream();
  shm::Ref<detail::Link> link = obligation_.link();
  outgoing.obligation = std::move(obligation_);
  return {std::move(link), std::move(outgoing), 0};
}

coro::Task<StatusOr<Message>> Message::next_part() {
  shm::Ref<detail::Link> link;
  shm::Ref<detail::Serving> serving;
  if (obligation_ && has_more()) {
    link = obligation_.link();
    serving = link->find_serving(obligation_.stream());
  }
  return detail::Serving::next_part(std::move(link), std::move(serving), obligation_.stream());
}

coro::Task<Status> Message::reply_part(Message part) {
  shm::Ref<detail::Link> link;
  shm::Ref<detail::Serving> serving;
  if (obligation_) {
    link = obligation_.link();
    serving = link->serving(obligation_.stream());
  }
  return detail::Serving::reply_part(std::move(link), std::move(serving), obligation_.stream(), std::move(part));
}

Status Message::as_error() const {
  if ((flags_ & shm::kFlagError) == 0) return absl::OkStatus();
  const auto code = static_cast<StatusCode>(type_);
  // The peer chose the code: one that it cannot mean is its fault, not ours.
  const bool known = code > StatusCode::kOk && code <= StatusCode::kUnauthenticated;
  std::string text(std::min(size_bytes(), detail::kErrorTextBytesMax), '\0');
  copy_out(std::as_writable_bytes(std::span(text)));
  return runtime::make_status(known ? code : StatusCode::kUnknown, text);
}

namespace detail {

Obligation::Obligation(shm::Ref<Link> link, std::uint64_t stream) noexcept : link_(link.leak()), stream_(stream) {}

shm::Ref<Link> Obligation::link() const noexcept { return shm::Ref<Link>(link_); }

void Obligation::settle() noexcept {
  const shm::Ref<Link> link = shm::Ref<Link>::adopt(std::exchange(link_, nullptr));
  link->request_answered(stream_);
}

void Obligation::drop() noexcept {
  const shm::Ref<Link> link = shm::Ref<Link>::adopt(std::exchange(link_, nullptr));
  link->request_dropped(stream_);
}

}  // namespace detail
}  // namespace wharf::ipc
