// set_frame_memory: whose memory coroutine frames are made of, in place of malloc's.
//
//     static HugePages pages;              // a std::pmr::memory_resource
//     int main() {
//       coro::set_frame_memory(pages);
//       ...
//
// The caches of frame_cache.h stay in front of it.
#pragma once

#include <memory_resource>

namespace wharf::coro {

// From here on all memory for frames comes from `memory`, and goes back to it.
//
// Units:     sizes as it gets them are multiples of kFrameClassBytes up to kFrameBytesMax; alignment 16.
// Ownership: `memory` lives until the process ends.
// Errors:    aborts if the process has made a frame already, or if it is called twice. What `memory` throws, the task's
//            caller sees at the call.
// Threads:   call it once, before others start. `memory` is called on every thread that makes or frees frames.
void set_frame_memory(std::pmr::memory_resource& memory) noexcept;

}  // namespace wharf::coro
