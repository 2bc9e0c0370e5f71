// One level of one step: a tile of rows and units is made by a block, or by a cluster of blocks that share out the
// length of its products; each of them goes on with some of its rows, those of its rank. A thread takes rows_each x
// units_each of them, and for each of those as many accumulators as the level has columns. L is a struct of these
// sizes, printed for each level, beside those that pieces.cuh names:
//
//     columns                  accumulators of a row and unit
//     rows_each, units_each    of a thread
//     across, down             threads over units and over a block's rows; those behind them have no rows
//
// Thread n stands at (n / across, n % across): its rows are rows_each in a row, its units units_each.

template <class L>
using Accumulators = real[L::rows_each][L::units_each][L::columns];

constexpr int NO_ROW = 0x7fffff00;  // behind all rows, and so is every one of a thread's that follow

// Where a thread's rows begin among those of its block.
template <class L>
__device__ __forceinline__ int own_row() {
  return int(threadIdx.x) / L::across * L::rows_each;
}

template <class L>
__device__ __forceinline__ int first_row() {
  if (L::threads > L::across * L::down && int(threadIdx.x) >= L::across * L::down) return NO_ROW;
  return first_row_of_tile<L>() + rank_of<L>() * (L::rows / L::split) + own_row<L>();
}

template <class L>
__device__ __forceinline__ int first_unit() {
  return first_unit_of_tile<L>() + int(threadIdx.x) % L::across * L::units_each;
}

// One piece's products, by every thread for its own accumulators, in the order of the length.
template <class L, int FIRST, int WIDE>
__device__ __forceinline__ void add_piece(Accumulators<L>& sums, const real* left, const real* right) {
  using P = Pieces<L, WIDE>;
  const real* mine = left + own_row<L>() * P::left_line;
  const real* yours = right + int(threadIdx.x) % L::across * L::units_each * WIDE;
#pragma unroll 4
  for (int k0 = 0; k0 < DEPTH; k0 += 4) {
    real x[L::rows_each][4];
#pragma unroll
    for (int i = 0; i < L::rows_each; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) x[i][e] = mine[i * P::left_line + k0 + e];
    }
#pragma unroll
    for (int e = 0; e < 4; ++e) {
#pragma unroll
      for (int u = 0; u < L::units_each; ++u) {
#pragma unroll
        for (int c = 0; c < WIDE; ++c) {
          const real w = yours[(k0 + e) * P::right_line + u * WIDE + c];
#pragma unroll
          for (int i = 0; i < L::rows_each; ++i) sums[i][u][FIRST + c] += x[i][e] * w;
        }
      }
    }
  }
}

// Adds a times panel to columns FIRST up to LAST - 1, see `Pieces`. Every thread of the block calls it, and of a
// cluster that shares the tile, where nobody ends or multiplies again before `wait_cluster`.
template <class L, int FIRST, int LAST>
__device__ __forceinline__ void multiply(
    Accumulators<L>& sums, const typename L::Word* a, long long a_row, int length, const typename L::Word* panel,
    int rows, int units, real* shared) {
  constexpr int wide = LAST - FIRST;
  const Pieces<L, wide> pieces(a, a_row, length, panel, rows, units, shared);
  if constexpr (L::tensor) {
    TensorTile<L, wide> tile;
    over_pieces<L>(pieces, [&](const auto* left, const auto* right) { tile.add_piece(left, right); });
    tile.template hand_out<FIRST>(sums, own_row<L>(), shared);
  } else {
    over_pieces<L>(
        pieces, [&](const real* left, const real* right) { add_piece<L, FIRST, wide>(sums, left, right); });
  }
}

__device__ __forceinline__ real joined(bool largest, real a, real b) { return largest ? maximum_(a, b) : a + b; }

// Row sums are made in two stages, always in the same order: within a block over its units, and between two levels over
// the blocks of units. partial: (sum, block of units, row), with room for `room` blocks.
template <class L, int SUMS>
__device__ __forceinline__ void collect(
    const real (&mine)[L::rows_each][SUMS], const int (&which)[SUMS], const bool (&largest)[SUMS], int rows, int room,
    real* partial) {
#pragma unroll
  for (int i = 0; i < L::rows_each; ++i) {
    const int row = first_row<L>() + i;
#pragma unroll
    for (int n = 0; n < SUMS; ++n) {
      real total = mine[i][n];
#pragma unroll
      for (int other = 1; other < L::across; other *= 2) total = joined(largest[n], total, exchanged(total, other));
      if (threadIdx.x % L::across == 0 && row < rows)
        partial[((long long)which[n] * room + blockIdx.y) * rows + row] = total;
    }
  }
}

__device__ __forceinline__ real gathered(
    bool largest, int which, int row, int rows, int blocks, int room, const real* partial) {
  const real* mine = partial + (long long)which * room * rows + row;
  real total = mine[0];
  for (int b = 1; b < blocks; ++b) total = joined(largest, total, mine[(long long)b * rows]);
  return total;
}
