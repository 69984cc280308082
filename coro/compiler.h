// What compilers get wrong about coroutines, in one place: each macro names its bug and the versions that have it.
//
// Threads: none. Start with docs/pitfalls.md for the rules that user code follows.
#pragma once

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WHARF_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WHARF_SANITIZED 1
#endif
#endif
#ifndef WHARF_SANITIZED
#define WHARF_SANITIZED 0
#endif

// GCC PR 100897: in g++ symmetric transfer is a tail call only where the sibling-call optimisation runs (-O2 and up; -O1
// overflows the stack, and no macro tells the two apart), and sanitizers get in its way everywhere. There a chain of
// transfers grows the stack, so Executor looks how deep it is and starts afresh.
#if WHARF_SANITIZED || !defined(__clang__)
#define WHARF_CORO_BOUND_TRANSFERS 1
#else
#define WHARF_CORO_BOUND_TRANSFERS 0
#endif

namespace wharf::coro::detail {

// How far down the stack is here. __builtin_frame_address(0) makes g++ set up a frame pointer in every coroutine that asks.
inline std::uintptr_t stack_address() noexcept {
#if defined(__x86_64__)
  std::uintptr_t address;
  asm("mov %%rsp, %0" : "=r"(address));
  return address;
#else
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
#endif
}

}  // namespace wharf::coro::detail

// LLVM 47179: clang may keep the address of a thread_local across a suspension, after which another thread may run the
// coroutine. Every thread_local of ours is read through a function that is not inlined, in g++ too unless its address is
// taken anew at each resumption: g++ makes a function of each coroutine, which knows nothing of its last call.
#define WHARF_NOINLINE __attribute__((noinline))
#ifdef __clang__
#define WHARF_USES_THREAD_LOCAL WHARF_NOINLINE
#else
#define WHARF_USES_THREAD_LOCAL
#endif

// LLVM 56301, 65018, 72006 (fixed in 19): the frame may be written after await_suspend published it.
#if defined(__clang__) && __clang_major__ < 19
#define WHARF_AWAIT_SUSPEND __attribute__((noinline))
#else
#define WHARF_AWAIT_SUSPEND
#endif

// With WHARF_CORO_CHECK_LIFETIMES=1 clang 18 and newer warn where a task or a generator is kept longer than a temporary that
// its parameters refer to, or than the lambda whose captures it uses. The price, and why nobody gets it unasked: then only
// coroutines, and functions marked WHARF_CORO_WRAPPER, may return a task, so std::function and std::invoke may not.
#ifndef WHARF_CORO_CHECK_LIFETIMES
#define WHARF_CORO_CHECK_LIFETIMES 0
#endif
#if WHARF_CORO_CHECK_LIFETIMES && __has_cpp_attribute(clang::coro_lifetimebound)
#define WHARF_CORO_TYPE [[clang::coro_return_type, clang::coro_lifetimebound]]
#define WHARF_CORO_WRAPPER [[clang::coro_wrapper]]
#define WHARF_CORO_RETURN_OBJECT [[clang::coro_wrapper, clang::coro_disable_lifetimebound]]
#else
#define WHARF_CORO_TYPE
#define WHARF_CORO_WRAPPER
#define WHARF_CORO_RETURN_OBJECT
#endif

// GCC PR 99576, 100611, 101367 (fixed in 13): a closure that is built inside an awaited expression, and captures something
// with a destructor, is destroyed twice. with_scope and run_blocking refuse such a one there.
#if !defined(__clang__) && __GNUC__ < 13
#define WHARF_CORO_CLOSURES_DIE_TWICE 1
#else
#define WHARF_CORO_CLOSURES_DIE_TWICE 0
#endif
