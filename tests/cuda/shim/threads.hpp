// Threads in warps, in blocks, in clusters, and where they meet. Which of them runs when is decided in fibers.hpp, or,
// with SHIM_THREADS, by the system.
#pragma once
#include <atomic>
#include <memory>
#include <vector>
#ifdef SHIM_THREADS
#include <condition_variable>
#include <mutex>
#else
#include <ucontext.h>
#endif
#include "compiler.hpp"
#include "copies.hpp"

namespace shim {

constexpr int WARP = 32;

// Meets again and again: nobody goes on before all have come.
struct Barrier {
  unsigned expected = 0, come = 0, round = 0;
#ifdef SHIM_THREADS
  std::mutex lock;
  std::condition_variable changed;
#endif
  unsigned arrive();                 // says that one more has come; returns the round
  void wait(unsigned round_then);    // until the round is over
  void meet() { wait(arrive()); }

 private:
  bool last_has_come() {
    if (++come < expected) return false;
    come = 0;
    ++round;
    return true;
  }
};

struct Warp {
  Barrier barrier;
  double values[WARP];
  unsigned tiles[WARP][6];
};

struct Block {
  dim3 index;
  unsigned rank = 0;              // in its cluster
  std::atomic<unsigned> open{0};  // threads that have not ended
  std::vector<unsigned char> shared;
  Barrier barrier;
  std::unique_ptr<Warp[]> warps;
  std::vector<Block*>* cluster = nullptr;
  Barrier* cluster_barrier = nullptr;
};

struct Thread {
  dim3 index;
  unsigned number = 0;
  Block* block = nullptr;
  Copies copies;
  bool done = false;
  unsigned arrived = 0;  // the round of its cluster in which it has come
#ifndef SHIM_THREADS
  ucontext_t context;
#endif
};

#ifdef SHIM_THREADS
inline thread_local Thread* self = nullptr;
#else
inline Thread* self = nullptr;
#endif
inline dim3 grid, block_size;

// Why a launch ended before its time; null where all is well.
inline const char* fault = nullptr;

}  // namespace shim

#define threadIdx (shim::self->index)
#define blockIdx (shim::self->block->index)
#define blockDim (shim::block_size)
#define gridDim (shim::grid)
