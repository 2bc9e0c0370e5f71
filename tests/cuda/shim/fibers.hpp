// Threads as fibers of one thread of the system: each runs until it waits for others.
#pragma once
#include <cstdio>
#include <functional>
#include "threads.hpp"

namespace shim {

inline std::vector<Thread*> fibers;
inline size_t running = 0, idle = 0, open = 0;
inline ucontext_t home;
inline const std::function<void()>* body;

// Hands on to the next fiber that has not ended. A full round in which nobody got anywhere never ends by itself.
inline void hand_on() {
  Thread* mine = self;
  size_t left = fibers.size();
  do {
    running = (running + 1) % fibers.size();
    if (left-- == 0) break;
  } while (fibers[running]->done);
  self = fibers[running];
  if (self != mine) swapcontext(&mine->context, &self->context);
}

inline unsigned Barrier::arrive() {
  const unsigned round_then = round;
  idle = 0;
  last_has_come();
  return round_then;
}

inline void Barrier::wait(unsigned round_then) {
  while (round == round_then) {
    if (++idle > 4 * fibers.size() + 4) {
      static char why[120];
      std::snprintf(why, sizeof why, "thread %u of block (%u, %u) waits at a barrier that not all threads reach",
                    self->number, self->block->index.x, self->block->index.y);
      fault = why;
      setcontext(&home);
    }
    hand_on();
  }
}

inline void run_fiber() {
  (*body)();
  self->done = true;
  idle = 0;
  if (--open == 0) setcontext(&home);
  hand_on();
}

inline void run_threads(const std::vector<std::unique_ptr<Thread>>& threads, const std::function<void()>& kernel) {
  constexpr size_t STACK = 1 << 16;
  static std::vector<std::unique_ptr<unsigned char[]>> stacks;
  while (stacks.size() < threads.size()) stacks.emplace_back(new unsigned char[STACK]);
  fibers.clear();
  body = &kernel;
  running = idle = 0;
  open = threads.size();
  for (const auto& thread : threads) {
    getcontext(&thread->context);
    thread->context.uc_stack.ss_sp = stacks[fibers.size()].get();
    thread->context.uc_stack.ss_size = STACK;
    thread->context.uc_link = nullptr;
    makecontext(&thread->context, run_fiber, 0);
    fibers.push_back(thread.get());
  }
  self = fibers[0];
  swapcontext(&home, &self->context);
}

}  // namespace shim
