// What the lanes of a warp exchange: all 32 take part, and nobody goes on before all have read.
#pragma once
#include "threads.hpp"

namespace shim {

inline Warp& own_warp() { return self->block->warps[self->number / WARP]; }
inline unsigned own_lane() { return self->number % WARP; }

inline uint32_t bits_of(float a) {
  uint32_t bits;
  std::memcpy(&bits, &a, 4);
  return bits;
}
inline float of_bits(uint32_t bits) {
  float a;
  std::memcpy(&a, &bits, 4);
  return a;
}

inline uint32_t bf16(float a) {  // to nearest, halves to even
  uint32_t bits = bits_of(a);
  if ((bits & 0x7f800000u) != 0x7f800000u) bits += 0x7fffu + (bits >> 16 & 1);
  else if (bits & 0x007fffffu) bits = 0x7fff0000u;
  return bits >> 16;
}

// sums (16, 8) += a (16, 4 PARTS) b (4 PARTS, 8): words of lanes as on a GPU, each of PARTS / 2 numbers.
template <int PARTS, class Number>
inline void multiply(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2], Number number) {
  Warp& warp = own_warp();
  const unsigned lane = own_lane(), g = lane / 4, t = lane % 4;
  for (int n = 0; n < 4; ++n) warp.tiles[lane][n] = a[n];
  for (int n = 0; n < 2; ++n) warp.tiles[lane][4 + n] = b[n];
  warp.barrier.meet();
  constexpr int in_a_word = PARTS / 2;
  for (int n = 0; n < 4; ++n) {
    const unsigned row = g + n / 2 * 8, column = 2 * t + n % 2;
    for (unsigned k = 0; k < 8; ++k) {
      const uint32_t left = warp.tiles[row % 8 * 4 + k % 4][row / 8 + k / 4 * 2];
      const uint32_t right = warp.tiles[column * 4 + k % 4][4 + k / 4];
      for (int e = 0; e < in_a_word; ++e) sums[n] += number(left, e) * number(right, e);
    }
  }
  warp.barrier.meet();
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

inline unsigned tf32_of(float a) {  // to nearest, halves away from 0
  const uint32_t bits = shim::bits_of(a);
  return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & ~0x1fffu;
}
inline unsigned bf16_pair(float low, float high) { return shim::bf16(low) | shim::bf16(high) << 16; }

inline void multiply_tf32(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  shim::multiply<2>(sums, a, b, [](uint32_t word, int) { return shim::of_bits(word & ~0x1fffu); });
}
inline void multiply_bf16(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  shim::multiply<4>(sums, a, b, [](uint32_t word, int e) { return shim::of_bits((word >> 16 * e) << 16); });
}
