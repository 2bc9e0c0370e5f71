// Threads as threads of the system, all at once, so that ThreadSanitizer sees what is not ordered.
#pragma once
#include <functional>
#include <thread>
#include "threads.hpp"

namespace shim {

inline unsigned Barrier::arrive() {
  std::unique_lock<std::mutex> held(lock);
  const unsigned round_then = round;
  if (last_has_come()) changed.notify_all();
  return round_then;
}

inline void Barrier::wait(unsigned round_then) {
  std::unique_lock<std::mutex> held(lock);
  changed.wait(held, [&] { return round != round_then; });
}

inline void run_threads(const std::vector<std::unique_ptr<Thread>>& threads, const std::function<void()>& kernel) {
  std::vector<std::thread> running;
  for (const auto& thread : threads)
    running.emplace_back([&kernel, mine = thread.get()] {
      self = mine;
      kernel();
    });
  for (auto& thread : running) thread.join();
}

}  // namespace shim
