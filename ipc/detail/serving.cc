#include "wharf/ipc/detail/serving.h"

#include <utility>

#include "wharf/ipc/awaiters.h"
#include "wharf/ipc/detail/link.h"

namespace wharf::ipc::detail {

coro::Task<StatusOr<Message>> Serving::next_part(shm::Ref<Link> link, shm::Ref<Serving> serving, std::uint64_t stream) {
  if (!serving) {
    co_return absl::FailedPreconditionError(
        "next_part: this is no request with further parts, or it is answered already");
  }
  while (serving->parts.empty()) {
    if (!serving->why.ok()) co_return serving->why;
    if (serving->parts_ended) co_return absl::OutOfRangeError("next_part: the last part was taken already");
    link->look_out();
    const bool goes_on = co_await serving->change.wait();
    if (!goes_on) co_return absl::CancelledError("next_part: the task was stopped");
  }
  Message part = serving->parts.pop(true);
  const std::uint32_t credit = serving->parts_ended ? 0 : serving->parts.take_credit();
  if (credit != 0) link->give_credit(shm::kFlagReply, stream, credit);
  co_return part;
}

coro::Task<Status> Serving::reply_part(shm::Ref<Link> link, shm::Ref<Serving> serving, std::uint64_t stream,
                                       Message part) {
  if (!serving) co_return absl::InvalidArgumentError("reply_part: no request, or answered already");
  while (serving->why.ok() && !serving->replies.may_send()) {
    link->look_out();
    const bool goes_on = co_await serving->change.wait();
    if (!goes_on) co_return absl::CancelledError("reply_part: the task was stopped");
  }
  if (!serving->why.ok()) co_return serving->why;
  serving->replies.sent();
  Outgoing outgoing{.message = std::move(part)};
  outgoing.flags = shm::kFlagReply | shm::kFlagMore;
  outgoing.stream = stream;
  Status sent = co_await send_outgoing(std::move(link), std::move(outgoing), 0);
  if (!sent.ok()) serving->replies.add(1);
  co_return sent;
}

}  // namespace wharf::ipc::detail
