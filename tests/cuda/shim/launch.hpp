// A launch: a grid of blocks, cluster by cluster.
#pragma once
#include <functional>
#ifdef SHIM_THREADS
#include "system_threads.hpp"
#else
#include "fibers.hpp"
#endif

// Whether blocks and threads run in the opposite order, and copies are made early: nothing that comes out may depend on
// it.
extern "C" {
int shim_backwards = 0;
}

namespace shim {

#ifdef __SANITIZE_ADDRESS__
constexpr unsigned BEHIND = 0;  // AddressSanitizer watches what lies behind an array
#else
constexpr unsigned BEHIND = 256;  // bytes behind shared memory that must stay as they are
#endif

struct Cluster {
  std::vector<std::unique_ptr<Block>> made;
  std::vector<Block*> blocks;
  Barrier together;

  void add(unsigned number, unsigned bytes) {
    made.emplace_back(new Block);
    Block& block = *made.back();
    block.index = {number % grid.x, number / grid.x % grid.y, number / (grid.x * grid.y)};
    block.rank = unsigned(blocks.size());
    block.shared.assign(bytes + BEHIND, 0xff);
    block.cluster = &blocks;
    block.cluster_barrier = &together;
    blocks.push_back(&block);
  }
};

inline const char* untouched(const Cluster& cluster, unsigned bytes) {
  for (const Block* block : cluster.blocks)
    for (unsigned n = bytes; n < bytes + BEHIND; ++n)
      if (block->shared[n] != 0xff) return "a block writes behind the shared memory that it asked for";
  return nullptr;
}

// What a thread does last. When all of a block have ended, nothing is left of its shared memory for others to read.
inline void leave(unsigned bytes) {
  Block& block = *self->block;
  if (--block.open == 0) std::fill_n(block.shared.begin(), bytes, 0xff);
}

inline void run_blocks(const std::vector<Block*>& blocks, const std::function<void()>& kernel) {
  std::vector<std::unique_ptr<Thread>> threads;
  for (Block* block : blocks) {
    const unsigned count = block_size.x;
    block->barrier.expected = block->open = count;
    block->warps.reset(new Warp[(count + WARP - 1) / WARP]);
    for (unsigned n = 0; n < count; ++n) {
      threads.emplace_back(new Thread);
      threads.back()->index = {n, 0, 0};
      threads.back()->number = n;
      threads.back()->block = block;
      ++block->warps[n / WARP].barrier.expected;
    }
  }
  if (shim_backwards) std::reverse(threads.begin(), threads.end());
  run_threads(threads, kernel);
}

}  // namespace shim

// Runs a kernel f(table, place) over a grid of blocks. Fibers: one cluster of blocks after the other. Threads of the
// system: all at once, for what one block reads and another writes in the same launch is a race. Returns what went
// wrong, or null.
extern "C" const char* shim_launch(
    void (*kernel)(void*, int), void* table, int place, unsigned x, unsigned y, unsigned z, unsigned threads,
    unsigned shared, unsigned cluster) {
  shim::grid = {x, y, z};
  shim::block_size = {threads, 1, 1};
  shim::fault = nullptr;
#ifdef SHIM_THREADS
  const unsigned at_once = x * y * z;
#else
  const unsigned at_once = cluster;
#endif
  for (unsigned first = 0; first < x * y * z && !shim::fault; first += at_once) {
    const unsigned begin = shim_backwards ? x * y * z - at_once - first : first;
    std::vector<std::unique_ptr<shim::Cluster>> clusters;
    std::vector<shim::Block*> blocks;
    for (unsigned n = 0; n < at_once; ++n) {
      if (n % cluster == 0) clusters.emplace_back(new shim::Cluster);
      clusters.back()->together.expected = cluster * threads;
      clusters.back()->add(begin + n, shared);
      blocks.push_back(clusters.back()->blocks.back());
    }
    shim::run_blocks(blocks, [&] {
      kernel(table, place);
      shim::leave(shared);
    });
    for (const auto& made : clusters)
      if (!shim::fault) shim::fault = shim::untouched(*made, shared);
  }
  return shim::fault;
}
