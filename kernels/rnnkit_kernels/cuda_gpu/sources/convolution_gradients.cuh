// dW, by chunks of the rows (b, n): parts[chunk, g, (j, c), o] = the sum over the chunk's rows, in their order and by
// SPAN, of source[b, n move + shift_j, g depth + c] other[(b, n), g columns + o]. The chunks are added afterwards.

constexpr int SPAN = 256;  // rows summed by themselves before they are added to the rest, so that digits are kept

struct Product {
  long long batch, columns, depth, groups, move, limit, rows, taps;
  long long chunk;     // rows of a chunk; blockIdx.y is its number
  const real* source;  // (batch, limit, groups depth)
  const real* other;   // (batch, rows, groups columns)
  real* parts;         // (chunks, groups, taps depth, columns)
  long long shifts[1]; // and the others behind
};

// Goes through the rows (b, n), some at a time.
struct Walker {
  int row, step, rows;
  __device__ __forceinline__ Walker(long long first, int rows)
      : row(int(first / rows)), step(int(first % rows)), rows(rows) {}
  __device__ __forceinline__ void on(int by) {
    step += by;
    while (step >= rows) {
      step -= rows;
      ++row;
    }
  }
};

// What one tap and channel for each row of a tile meets: a thread brings the same of them for several rows (b, n).
template <class L>
struct Seen {
  static constexpr int by = L::threads / L::rows;
  const real* source;
  long long channels;
  int limit, move, shift, length;
  Walker walker;

  __device__ __forceinline__ Seen(const Product* call, int group, int row0, long long first, int length)
      : source(call->source + group * call->depth), channels(call->groups * call->depth), limit(int(call->limit)),
        move(int(call->move)), shift(NOWHERE), length(length),
        walker(first + int(threadIdx.x) / L::rows, int(call->rows)) {
    const int k = row0 + int(threadIdx.x) % L::rows, depth = int(call->depth), tap = k / depth;
    if (tap >= int(call->taps)) return;
    shift = int(call->shifts[tap]);
    source += k - tap * depth;
  }
  static __device__ __forceinline__ int place(int n) {
    return (int(threadIdx.x) / L::rows + n * by) * L::line + int(threadIdx.x) % L::rows;
  }
  // The rows are asked for one after the other.
  __device__ __forceinline__ real get(int n, int k0) {
    const int k = k0 + int(threadIdx.x) / L::rows + n * by, at = walker.step * move + shift;
    const bool there = k < length && unsigned(at) < unsigned(limit);
    const real found = there ? source[((long long)walker.row * limit + at) * channels] : real(0);
    walker.on(by);
    return found;
  }
};

template <class L>
__device__ __forceinline__ void part_of_a_tile(const Product* call) {
  const int columns = int(call->columns), groups = int(call->groups), rows = int(call->taps * call->depth);
  const Where<L> where(groups, columns);
  const long long begin = blockIdx.y * call->chunk, end = min(begin + call->chunk, call->batch * call->rows);
  const long long wide = (long long)groups * columns;
  real* parts = call->parts + ((long long)blockIdx.y * groups + where.group) * rows * columns;
  for (long long first = begin; first < end; first += SPAN) {
    const int length = int(min(end - first, (long long)SPAN));
    Sums<L> sums = {};
    Seen<L> left(call, where.group, where.row0, first, length);
    Matrix<L> right(call->other + first * wide + where.group * columns, wide, length, where.column0, columns);
    multiply<L>(sums, length, left, right);
#pragma unroll
    for (int i = 0; i < L::rows_each; ++i) {
      const int row = where.row0 + own_row<L>() + i;
      if (row >= rows) break;
#pragma unroll
      for (int c = 0; c < L::columns_each; ++c) {
        const int column = where.column0 + own_column<L>() + c;
        if (column >= columns) break;
        real* part = parts + (long long)row * columns + column;
        *part = first == begin ? sums[i][c] : *part + sums[i][c];
      }
    }
  }
}

extern "C" __global__ void __launch_bounds__(WideTile::threads) part_wide(const Product* call, int) {
  part_of_a_tile<WideTile>(call);
}
extern "C" __global__ void __launch_bounds__(NarrowTile::threads) part_narrow(const Product* call, int) {
  part_of_a_tile<NarrowTile>(call);
}
extern "C" __global__ void __launch_bounds__(FlatTile::threads) part_flat(const Product* call, int) {
  part_of_a_tile<FlatTile>(call);
}

// Groups of few channels: each thread has one number of dW, neighbours those of neighbouring groups.
extern "C" __global__ void __launch_bounds__(SINGLE) part_apart(const Product* call, int) {
  const int columns = int(call->columns), depth = int(call->depth), groups = int(call->groups);
  const int wide = columns * groups, channels = depth * groups, rows = int(call->taps) * depth;
  const long long at = (long long)blockIdx.x * SINGLE + threadIdx.x;
  const int row = int(at / wide), column = int(at % wide), group = column / columns;
  if (row >= rows) return;
  const long long shift = call->shifts[row / depth];
  const real* source = call->source + group * depth + row % depth;
  const long long begin = blockIdx.y * call->chunk, end = min(begin + call->chunk, call->batch * call->rows);
  Walker walker(begin, int(call->rows));
  real total = real(0);
  for (long long first = begin; first < end; first += SPAN) {
    real sum = real(0);
    for (long long i = first; i < min(first + SPAN, end); ++i, walker.on(1)) {
      const long long step = walker.step * call->move + shift;
      const bool there = step >= 0 && step < call->limit;
      sum += (there ? source[(walker.row * call->limit + step) * channels] : real(0)) * call->other[i * wide + column];
    }
    total += sum;
  }
  call->parts[(((long long)blockIdx.y * groups + group) * rows + row) * columns + column % columns] = total;
}
