// One level of one step: a block takes a tile of rows and units, a thread rows_each x units_each of it, and for each
// of those as many accumulators as the level has columns. L is a struct of these sizes, printed for each level:
//
//     columns                  accumulators of a row and unit
//     rows_each, units_each    of a thread
//     across, down             threads over units and over rows; units, rows: of the tile
//     tensor                   whether products are made by tensor cores, of numbers rounded to 10 bits (TF32)
//
// Thread n stands at (n / across, n % across): its rows are rows_each in a row, its units units_each.

constexpr int DEPTH = 32;   // how much of a product's length is brought into shared memory at a time
constexpr int STAGES = 3;   // how many such pieces are there or on their way
constexpr int PAD_LEFT = 4, PAD_RIGHT = 8;  // numbers between lines, so that neighbours find different banks
constexpr int GROUP = 16 / int(sizeof(real));  // numbers that are copied at once

template <class L>
using Accumulators = real[L::rows_each][L::units_each][L::columns];

template <class L>
__device__ __forceinline__ int first_row() { return blockIdx.y * L::rows + int(threadIdx.x) / L::across * L::rows_each; }

template <class L>
__device__ __forceinline__ int first_unit() {
  return blockIdx.x * L::units + int(threadIdx.x) % L::across * L::units_each;
}

// Copies `valid` of GROUP numbers and fills up with zeros; together where both sides begin at 16 bytes.
__device__ __forceinline__ void bring(real* there, const real* from, int valid, bool together) {
  if (together) {
    copy_ahead<16>(there, valid > 0 ? from : nullptr, valid > 0 ? valid * int(sizeof(real)) : 0);
  } else {
#pragma unroll
    for (int e = 0; e < GROUP; ++e)
      copy_ahead<int(sizeof(real))>(there + e, e < valid ? from + e : nullptr, e < valid ? int(sizeof(real)) : 0);
  }
}

// The two sides of a product, piece by piece: a (rows, length), whose rows are a_row apart, and panel (length, units,
// WIDE), of which the tile takes `units` and those next to each other.
template <class L, int WIDE>
struct Pieces {
  static constexpr int threads = L::across * L::down, numbers = L::units * WIDE;
  static constexpr int left_line = DEPTH + PAD_LEFT, right_line = numbers + PAD_RIGHT;
  static constexpr int size = L::rows * left_line + DEPTH * right_line;

  const real* a;
  const real* panel;
  long long a_row, panel_row;
  int length, rows, valid;
  bool a_together, panel_together;
  real* shared;

  __device__ __forceinline__ Pieces(
      const real* a_, long long a_row_, int length_, const real* panel_, int rows_, int units, real* shared_)
      : a(a_ + (long long)blockIdx.y * L::rows * a_row_), panel(panel_ + (long long)blockIdx.x * numbers),
        a_row(a_row_), panel_row((long long)units * WIDE), length(length_), rows(rows_ - int(blockIdx.y) * L::rows),
        valid((units - int(blockIdx.x) * L::units) * WIDE), shared(shared_) {
    a_together = a_row % GROUP == 0 && reinterpret_cast<unsigned long long>(a) % 16 == 0;
    panel_together = panel_row % GROUP == 0 && reinterpret_cast<unsigned long long>(panel) % 16 == 0;
  }

  __device__ __forceinline__ real* left(int piece) const { return shared + piece % STAGES * size; }
  __device__ __forceinline__ real* right(int piece) const { return left(piece) + L::rows * left_line; }

  // Asks for a piece; every thread for its share.
  __device__ __forceinline__ void ask(int piece) const {
    const int k0 = piece * DEPTH;
    for (int i = threadIdx.x; i < L::rows * (DEPTH / GROUP); i += threads) {
      const int row = i / (DEPTH / GROUP), k = i % (DEPTH / GROUP) * GROUP;
      const int there = row < rows ? min(GROUP, length - k0 - k) : 0;
      bring(left(piece) + row * left_line + k, a + row * a_row + k0 + k, there, a_together);
    }
    for (int i = threadIdx.x; i < DEPTH * (numbers / GROUP); i += threads) {
      const int k = i / (numbers / GROUP), j = i % (numbers / GROUP) * GROUP;
      const int there = k0 + k < length ? min(GROUP, valid - j) : 0;
      bring(right(piece) + k * right_line + j, panel + (k0 + k) * panel_row + j, there, panel_together);
    }
  }
};

// One piece's products, by every thread for its own accumulators, in the order of the length.
template <class L, int FIRST, int WIDE>
__device__ __forceinline__ void add_piece(Accumulators<L>& sums, const real* left, const real* right) {
  using P = Pieces<L, WIDE>;
  const real* mine = left + int(threadIdx.x) / L::across * L::rows_each * P::left_line;
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

// The same by tensor cores: a warp takes 16 rows and every so many of the groups of 8 numbers.
template <class L, int WIDE>
struct TensorTile {
  using P = Pieces<L, WIDE>;
  static constexpr int slabs = L::rows / 16, warps = P::threads / 32, groups = P::numbers / 8;
  static constexpr int beside = warps / slabs, each = (groups + beside - 1) / beside;

  float sums[each][4] = {};

  __device__ __forceinline__ void add_piece(const real* left, const real* right) {
    const int warp = int(threadIdx.x) / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const real* a = left + (warp % slabs * 16 + g) * P::left_line + t;
    const real* b = right + t * P::right_line + g;
#pragma unroll
    for (int k = 0; k < DEPTH; k += 8) {
      const unsigned x[4] = {
          tf32_of(a[k]), tf32_of(a[k + 8 * P::left_line]), tf32_of(a[k + 4]), tf32_of(a[k + 8 * P::left_line + 4])};
#pragma unroll
      for (int n = 0; n < each; ++n) {
        const int group = warp / slabs + n * beside;
        if (group >= groups) break;
        const unsigned w[2] = {
            tf32_of(b[k * P::right_line + group * 8]), tf32_of(b[(k + 4) * P::right_line + group * 8])};
        multiply_tf32(sums[n], x, w);
      }
    }
  }

  // Lays the sums out as the threads of the tile own them, through shared memory.
  template <int FIRST>
  __device__ __forceinline__ void hand_out(Accumulators<L>& own, real* shared) const {
    constexpr int line = P::numbers + PAD_LEFT;
    const int warp = int(threadIdx.x) / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    real* to = shared + (warp % slabs * 16 + g) * line + 2 * t;
#pragma unroll
    for (int n = 0; n < each; ++n) {
      const int group = warp / slabs + n * beside;
      if (group >= groups) break;
      to[group * 8] = sums[n][0];
      to[group * 8 + 1] = sums[n][1];
      to[group * 8 + 8 * line] = sums[n][2];
      to[group * 8 + 8 * line + 1] = sums[n][3];
    }
    meet_block();
    const int row = int(threadIdx.x) / L::across * L::rows_each, unit = int(threadIdx.x) % L::across * L::units_each;
#pragma unroll
    for (int i = 0; i < L::rows_each; ++i) {
#pragma unroll
      for (int u = 0; u < L::units_each; ++u) {
#pragma unroll
        for (int c = 0; c < WIDE; ++c) own[i][u][FIRST + c] += shared[(row + i) * line + (unit + u) * WIDE + c];
      }
    }
    meet_block();
  }
};

// Brings piece after piece, some ahead, and has each added by add(left, right).
template <class P, class Add>
__device__ __forceinline__ void over_pieces(const P& pieces, Add add) {
  const int count = (pieces.length + DEPTH - 1) / DEPTH;
  for (int piece = 0; piece < STAGES - 1; ++piece) {
    if (piece < count) pieces.ask(piece);
    close_copies();
  }
  for (int piece = 0; piece < count; ++piece) {
    wait_copies<STAGES - 2>();
    meet_block();  // the piece is there for all, and nobody reads the place any more that the next one goes to
    if (piece + STAGES - 1 < count) pieces.ask(piece + STAGES - 1);
    close_copies();
    add(pieces.left(piece), pieces.right(piece));
  }
  meet_block();
}

// Adds a times panel to columns FIRST up to LAST - 1, see `Pieces`. Every thread of the block calls it.
template <class L, int FIRST, int LAST>
__device__ __forceinline__ void multiply(
    Accumulators<L>& sums, const real* a, long long a_row, int length, const real* panel, int rows, int units,
    real* shared) {
  constexpr int wide = LAST - FIRST;
  const Pieces<L, wide> pieces(a, a_row, length, panel, rows, units, shared);
  if constexpr (L::tensor) {
    TensorTile<L, wide> tile;
    over_pieces(pieces, [&](const real* left, const real* right) { tile.add_piece(left, right); });
    tile.template hand_out<FIRST>(sums, shared);
  } else {
    over_pieces(
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
        partial[((long long)which[n] * room + blockIdx.x) * rows + row] = total;
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
