// RemoteMessage: a received message that may be read, answered and dropped on any thread.
//
//     while (auto message = co_await port.receive()) pool.push(std::move(*message).detach());
//     ...
//     std::string text = message->to_string();                  // in the pool, without a copy so far
//     Status posted = message.reply("done");
//
// What it holds (blocks of the peer's, descriptors, the duty to answer) goes home by itself, to the reactor of the port
// that it came from, with the next turn there. An unanswered request that is dropped fails at the peer with Aborted.
//
// Ownership: may outlive the port, and the port's reactor: then it is freed where it is dropped, one at a time in the
//            process. Messages that were not detached must not be alive then.
// Threads:   any, one at a time.
// Cost:      one allocation; a post to the reactor when it goes.
#pragma once

#include <cstddef>
#include <memory>

#include "wharf/ipc/message.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::ipc {

class RemoteMessage {
 public:
  // On the reactor of the port that `message` was received from; see Message::detach().
  explicit RemoteMessage(Message message);
  RemoteMessage(RemoteMessage&&) noexcept = default;
  RemoteMessage& operator=(RemoteMessage&&) noexcept = default;
  ~RemoteMessage() = default;

  // To be read: type(), part(), copy_out() and the like.
  const Message& operator*() const noexcept;
  const Message* operator->() const noexcept { return &**this; }
  // Gives the descriptor to the caller; an empty one if there is none at `index`, or it was taken.
  runtime::UniqueFd take_fd(std::size_t index) noexcept;

  // Answers the request, and lets go of the message: it can then only be destroyed, or assigned to. The bytes of
  // `answer` are copied here, once; its descriptors go along.
  //
  // Errors: InvalidArgument  it is no request; OK from reply_error(); the message stays
  //         OK means that the answer is on its way to the port's reactor. If it cannot be sent, the caller gets Aborted.
  Status reply(Message answer);
  Status reply_error(const Status& error);

 private:
  class Parcel;
  struct SendHome {
    void operator()(Parcel* parcel) const noexcept;
  };

  std::unique_ptr<Parcel, SendHome> parcel_;
};

}  // namespace wharf::ipc
