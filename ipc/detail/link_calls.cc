// The calls of a Link: requests, replies, parts of both, and what the link says about them by itself.
#include <utility>

#include "wharf/ipc/detail/link.h"

namespace wharf::ipc::detail {

// ---- This side calls ----

Status Link::check_call_count() {
  if (calls_.size() >= options_.call_count_max) {
    return absl::ResourceExhaustedError("call: call_count_max calls are unanswered");
  }
  return absl::OkStatus();
}

CancelOutcome Link::cancel_call(Caller& caller) noexcept {
  if (ended()) return CancelOutcome::kUnknown;
  if (calls_.find(caller.stream) != &caller) return CancelOutcome::kTaken;  // answered
  if (!caller.asked || (caller.retractable && transport_->retract(caller.position, caller.stream))) {
    calls_.remove(caller.stream);
    return CancelOutcome::kRetracted;
  }
  caller.retractable = false;
  if (caller.streams) note({.kind = shm::RecordKind::kCancel, .flags = shm::kFlagRequest, .stream = caller.stream});
  return CancelOutcome::kTaken;
}

void Link::accept_reply(Message& reply) {
  const std::uint64_t stream = reply.stream_;
  const bool last = !reply.has_more();
  if (last) transport_->settle_retraction(stream, (reply.flags_ & shm::kFlagRetracted) != 0);
  Caller* const caller = calls_.find(stream);
  if (caller == nullptr || !caller->asked) return;  // it has given up
  if (last) calls_.remove(stream);
  if (!caller->on_reply(std::move(reply))) {
    end(absl::InvalidArgumentError("the peer broke the link's format: a reply has more parts than it had credit for"));
  }
}

void Link::fail_calls(const Status& why) noexcept {
  calls_.for_each([&why](Caller& caller) {
    if (caller.asked) caller.on_failure(why);
  });
}

// ---- The peer calls ----

bool Link::accept_request(Message& message) {
  const std::uint64_t stream = message.stream_;
  if (message.deadline_ns_ != 0 && message.deadline_ns_ <= reactor_.now_ns()) {
    ++counters_.requests_expired;
    answer(stream, StatusCode::kDeadlineExceeded, "call: the deadline passed before the request was looked at");
    return false;
  }
  if (message.has_more()) {
    if (servings_.size() >= options_.stream_count_max) {
      answer(stream, StatusCode::kResourceExhausted, "call: the peer serves stream_count_max streams already");
      return false;
    }
    if (servings_.contains(stream)) {
      end(absl::InvalidArgumentError(
          "the peer broke the link's format: record.stream: a request is open on it already"));
      return false;
    }
    serving(stream)->parts_ended = false;
  }
  ++open_requests_;
  reserve_notes();
  message.obligation_ = Obligation(shm::Ref<Link>(this), stream);
  return true;
}

void Link::accept_part(Message part) {
  const auto found = servings_.find(part.stream_);
  if (found == servings_.end()) return;  // answered already; parts that were under way
  Serving& serving = *found->second;
  if (!part.has_more()) serving.parts_ended = true;
  if (!serving.parts.push(std::move(part), true)) {
    end(absl::InvalidArgumentError(
        "the peer broke the link's format: a request has more parts than it had credit for"));
    return;
  }
  serving.changed();
}

void Link::accept_note(Transport::Got got, const Message& note) {
  const bool own_stream = (note.flags_ & shm::kFlagReply) != 0;
  if (got == Transport::Got::kCredit && own_stream) {
    if (Caller* caller = calls_.find(note.stream_); caller != nullptr) caller->on_credit(note.type_);
    return;
  }
  const auto found = servings_.find(note.stream_);
  if (own_stream || found == servings_.end()) return;
  if (got == Transport::Got::kCancel)
    return found->second->fail(absl::CancelledError("request: its caller has given up"));
  found->second->replies.add(note.type_);
  found->second->changed();
}

shm::Ref<Serving> Link::serving(std::uint64_t stream) {
  shm::Ref<Serving>& serving = servings_[stream];
  if (!serving) serving = shm::Ref<Serving>(new Serving(options_.stream_window, peer_stream_window_));
  if (ended()) serving->fail(status_);
  return serving;
}

shm::Ref<Serving> Link::find_serving(std::uint64_t stream) const noexcept {
  const auto found = servings_.find(stream);
  return found == servings_.end() ? shm::Ref<Serving>() : found->second;
}

void Link::request_answered(std::uint64_t stream) noexcept {
  --open_requests_;
  if (!servings_.empty()) servings_.erase(stream);
}

void Link::request_dropped(std::uint64_t stream) noexcept {
  request_answered(stream);
  answer(stream, StatusCode::kAborted, "the request was dropped unanswered");
}

// ---- Notes ----

// One for each request that is open at either side, so that what they need at their end is there.
void Link::reserve_notes() { notes_.reserve(notes_.size() + open_requests_ + calls_.size() + 1); }

void Link::answer(std::uint64_t stream, StatusCode code, const char* text, std::uint8_t flags) noexcept {
  flags |= shm::kFlagReply | shm::kFlagError;
  note({.flags = flags, .type = static_cast<std::uint32_t>(code), .stream = stream, .text = text});
}

void Link::give_credit(shm::RecordFlag flag, std::uint64_t stream, std::uint32_t part_count) {
  note({.kind = shm::RecordKind::kCredit, .flags = flag, .type = part_count, .stream = stream});
}

}  // namespace wharf::ipc::detail
