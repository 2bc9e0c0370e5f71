// All steps of a recurrence in one launch. A cluster of CLUSTER blocks takes ROWS rows of the batch; each of its blocks
// owns OWN units, keeps the weights that they need in registers for good, and hears from the others what they made.
//
// There:  thread n of a block stands for unit n / SPLIT of the block and part n % SPLIT of every sum: SPLIT neighbours
//         of a warp add up one unit's products. What h is next goes to all blocks of the cluster.
// Back:   the product with U' is cut the other way: a thread stands for one row of U, of all UNITS, and part
//         n % BACK_SPLIT of the block's own gradients; the sums go to the block that owns the unit.
// After a product the rows are shared out over the SPLIT neighbours, so that each of them ends with one row (with the
// same row as some others where there are fewer rows), and the cell's program runs there.
//
// Everything that blocks exchange has two places, for odd and for even steps: with a meeting of all in every step
// nobody writes what somebody may still read.

constexpr int CHUNK = 4;  // numbers that are read from shared memory at once

struct alignas(sizeof(real) * CHUNK > 16 ? 16 : sizeof(real) * CHUNK) Chunk {
  real number[CHUNK];
};

// sums[row][FIRST + column] += w * v over this part of the sum. vectors: (ROWS, line) in shared memory. A thread takes
// every SPLIT-th chunk, so that neighbours read side by side.
template <int FIRST, int SPLIT_, int WIDE, int PIECES, int ROWS_, int COLUMNS>
__device__ __forceinline__ void accumulate(
    real (&sums)[ROWS_][COLUMNS], const real (&w)[PIECES][CHUNK][WIDE], const real* vectors, int line, int part) {
#pragma unroll
  for (int piece = 0; piece < PIECES; ++piece) {
#pragma unroll
    for (int row = 0; row < ROWS_; ++row) {
      const Chunk v = *reinterpret_cast<const Chunk*>(vectors + row * line + CHUNK * (part + SPLIT_ * piece));
#pragma unroll
      for (int e = 0; e < CHUNK; ++e) {
#pragma unroll
        for (int c = 0; c < WIDE; ++c) sums[row][FIRST + c] += v.number[e] * w[piece][e][c];
      }
    }
  }
}

// Adds up the parts of SPLIT_ neighbours. While a lane has several rows it gives half of them away for the other half
// of its neighbour's; afterwards sums[0 .. rows_left - 1] are complete, the rows from `first_of(part)` on.
template <int SPLIT_, int ROWS_, int COLUMNS>
__device__ __forceinline__ void share_out(real (&sums)[ROWS_][COLUMNS], int part) {
  int left = ROWS_;
#pragma unroll
  for (int other = 1; other < SPLIT_; other *= 2) {
    const bool upper = part & other;
    if (left > 1) {
      left /= 2;
#pragma unroll
      for (int row = 0; row < ROWS_ / 2; ++row) {
        if (row >= left) break;
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
          const real mine = upper ? sums[left + row][c] : sums[row][c];
          const real yours = upper ? sums[row][c] : sums[left + row][c];
          sums[row][c] = mine + exchanged(yours, other);
        }
      }
    } else {
#pragma unroll
      for (int c = 0; c < COLUMNS; ++c) sums[0][c] += exchanged(sums[0][c], other);
    }
  }
}

__device__ constexpr int rows_left(int split, int rows) { return split >= rows ? 1 : rows / split; }

template <int SPLIT_, int ROWS_>
__device__ __forceinline__ int first_of(int part) {
  int first = 0, left = ROWS_;
#pragma unroll
  for (int other = 1; other < SPLIT_; other *= 2) {
    if (left > 1) {
      left /= 2;
      if (part & other) first += left;
    }
  }
  return first;
}

// Writes a number into the same place of every block's shared memory. The lanes that hold it all know it, and share the
// blocks among them. HOLDERS: how many there are; holder: which of them this is.
template <int CLUSTER_, int HOLDERS, class Number>
__device__ __forceinline__ void spread(Number* place, Number value, int holder) {
#pragma unroll
  for (int block = 0; block < CLUSTER_; block += HOLDERS)
    if (block + holder < CLUSTER_) put(place, block + holder, value);
}

// What `count` blocks have sent, `apart` numbers from each other, added up in their order.
template <int COUNT>
__device__ __forceinline__ real from_blocks(const real* place, int apart) {
  real total = place[0];
#pragma unroll
  for (int n = 1; n < COUNT; ++n) total += place[n * apart];
  return total;
}

// A sum (or the largest) over all units of a row: over the units of a warp, here; over warps and blocks, in their
// order, by whoever reads it after the next meeting. place: (block, warp, row).
template <int SPLIT_>
__device__ __forceinline__ real over_warp(bool largest, real value) {
#pragma unroll
  for (int other = SPLIT_; other < 32; other *= 2) {
    const real more = exchanged(value, other);
    value = largest ? maximum_(value, more) : value + more;
  }
  return value;
}

template <int COUNT, int ROWS_>
__device__ __forceinline__ real over_blocks(bool largest, const real* place, int row) {
  real total = place[row];
#pragma unroll 8
  for (int n = 1; n < COUNT; ++n)
    total = largest ? maximum_(total, place[n * ROWS_ + row]) : total + place[n * ROWS_ + row];
  return total;
}

// Sends what share_out left over SPLIT_ neighbours to the blocks that own the units: thread n has unit n / SPLIT_ of
// all UNITS_, a block owns OWN_. sent: (block that sends, row, unit of the block that owns).
template <int SPLIT_, int ROWS_, int OWN_, int UNITS_>
__device__ __forceinline__ void send_back(const real (&sums)[ROWS_][1], real* sent, int rank, int thread) {
  constexpr int left = rows_left(SPLIT_, ROWS_), apart = SPLIT_ < ROWS_ ? SPLIT_ : ROWS_;
  const int unit = thread / SPLIT_, part = thread % SPLIT_;
  if (unit >= UNITS_ || part >= apart) return;
  const int row = first_of<SPLIT_, ROWS_>(part);
#pragma unroll
  for (int i = 0; i < left; ++i)
    put(sent + (rank * ROWS_ + row + i) * OWN_ + unit % OWN_, unit / OWN_, sums[i][0]);
}
