// What the lanes of a warp exchange: all 32 take part, and nobody goes on before all have read.
#pragma once
#include "threads.hpp"

namespace shim {

inline Warp& own_warp() { return self->block->warps[self->number / WARP]; }
inline unsigned own_lane() { return self->number % WARP; }

inline float tf32(float a) {  // to nearest, halves away from 0
  uint32_t bits;
  std::memcpy(&bits, &a, 4);
  if ((bits & 0x7f800000u) != 0x7f800000u) bits = (bits + 0x1000u) & ~0x1fffu;
  std::memcpy(&a, &bits, 4);
  return a;
}

}  // namespace shim

template <class Real>
inline Real exchanged(Real value, int other) {
  shim::Warp& warp = shim::own_warp();
  const unsigned lane = shim::own_lane();
  warp.values[lane] = value;
  warp.barrier.meet();
  const Real found = Real(warp.values[lane ^ other]);
  warp.barrier.meet();
  return found;
}

inline void multiply_tiles(float (&sums)[4], const float (&a)[4], const float (&b)[2]) {
  shim::Warp& warp = shim::own_warp();
  const unsigned lane = shim::own_lane(), g = lane / 4, t = lane % 4;
  for (int n = 0; n < 4; ++n) warp.tiles[lane][n] = shim::tf32(a[n]);
  for (int n = 0; n < 2; ++n) warp.tiles[lane][4 + n] = shim::tf32(b[n]);
  warp.barrier.meet();
  for (int n = 0; n < 4; ++n) {
    const unsigned row = g + n / 2 * 8, column = 2 * t + n % 2;
    for (unsigned k = 0; k < 8; ++k)
      sums[n] += warp.tiles[row % 8 * 4 + k % 4][row / 8 + k / 4 * 2] * warp.tiles[column * 4 + k % 4][4 + k / 4];
  }
  warp.barrier.meet();
}
