// y, and dx: out[b, first + r step, g columns + o] = start[o] + the sum over taps j and channels c of
// source[b, r move + shift_j, g depth + c] panel[g, j, c, o], where what lies beyond the source's ends is 0.
// With strides the steps of dx are met by different taps: each remainder is a way of its own.

constexpr int AT_ONCE = sizeof(real) == 4 ? 4 : 2;  // blocks for which a multiprocessor has registers

struct Sweep {
  long long batch, columns, depth, groups, move, limit, steps, step;
  const real* source;  // (batch, limit, groups depth)
  const real* panels;
  const real* start;   // (groups columns), or null
  real* out;           // (batch, steps, groups columns)
};

struct Way {           // behind the sweep, one for each blockIdx.y; behind all of them the shifts
  long long first, rows, taps;
  long long shifts;    // where its own begin, in words behind the sweep
  long long panel;     // where its own begins, (groups, taps, depth, columns)
};

__device__ __forceinline__ const Way* ways(const Sweep* call) { return reinterpret_cast<const Way*>(call + 1); }

__device__ __forceinline__ const long long* shifts_of(const Sweep* call, const Way* way) {
  return reinterpret_cast<const long long*>(call + 1) + way->shifts;
}

// What the rows of a tile meet: a thread brings the same channel of several rows.
template <class L>
struct Met {
  const real* source;
  const long long* shifts;
  int depth, length, limit, channels;
  int begin[L::left_loads], base[L::left_loads];

  __device__ __forceinline__ Met(const Sweep* call, const Way* way, int group, int row0)
      : source(call->source + group * call->depth), shifts(shifts_of(call, way)), depth(int(call->depth)),
        length(int(way->taps) * depth), limit(int(call->limit)), channels(int(call->groups) * depth) {
    const int rows = int(way->rows), all = int(call->batch) * rows;
#pragma unroll
    for (int n = 0; n < L::left_loads; ++n) {
      const int i = row0 + (int(threadIdx.x) + n * L::threads) / DEPTH;
      begin[n] = i < all ? i % rows * int(call->move) : NOWHERE;
      base[n] = i / rows * limit;
    }
  }
  static __device__ __forceinline__ int place(int n) {
    return int(threadIdx.x) % DEPTH * L::line + (int(threadIdx.x) + n * L::threads) / DEPTH;
  }
  __device__ __forceinline__ real get(int n, int k0) const {
    const int k = k0 + int(threadIdx.x) % DEPTH;
    if (k >= length) return real(0);
    const int tap = k / depth, at = begin[n] + int(shifts[tap]);
    return unsigned(at) < unsigned(limit) ? source[(long long)(base[n] + at) * channels + (k - tap * depth)] : real(0);
  }
};

template <class L>
__device__ __forceinline__ void sums_of_a_tile(const Sweep* call) {
  const int columns = int(call->columns), groups = int(call->groups);
  const Way* way = ways(call) + blockIdx.y;
  const Where<L> where(groups, columns);
  const int rows = int(way->rows), all = int(call->batch) * rows;
  if (where.row0 >= all) return;
  Sums<L> sums = {};
  Met<L> left(call, way, where.group, where.row0);
  Matrix<L> right(call->panels + way->panel + (long long)where.group * left.length * columns, columns, left.length,
                  where.column0, columns);
  multiply<L>(sums, left.length, left, right);
#pragma unroll
  for (int i = 0; i < L::rows_each; ++i) {
    const int row = where.row0 + own_row<L>() + i;
    if (row >= all) break;
    const long long step = (long long)(row / rows) * call->steps + way->first + row % rows * call->step;
    real* out = call->out + (step * groups + where.group) * columns;
#pragma unroll
    for (int c = 0; c < L::columns_each; ++c) {
      const int column = where.column0 + own_column<L>() + c;
      if (column < columns)
        out[column] = call->start ? sums[i][c] + call->start[where.group * columns + column] : sums[i][c];
    }
  }
}

extern "C" __global__ void __launch_bounds__(WideTile::threads, AT_ONCE) sums_wide(const Sweep* call, int) {
  sums_of_a_tile<WideTile>(call);
}
extern "C" __global__ void __launch_bounds__(NarrowTile::threads, AT_ONCE) sums_narrow(const Sweep* call, int) {
  sums_of_a_tile<NarrowTile>(call);
}

// Groups of few channels: each thread has one number of the result, neighbours those of neighbouring groups.
extern "C" __global__ void __launch_bounds__(SINGLE) sums_apart(const Sweep* call, int) {
  const Way* way = ways(call) + blockIdx.y;
  const long long* shifts = shifts_of(call, way);
  const int columns = int(call->columns), depth = int(call->depth), taps = int(way->taps);
  const int wide = columns * int(call->groups), channels = depth * int(call->groups), rows = int(way->rows);
  const long long at = (long long)blockIdx.x * SINGLE + threadIdx.x;
  const int row = int(at / wide), column = int(at % wide), group = column / columns;
  if (row >= int(call->batch) * rows) return;
  const real* source = call->source + row / rows * call->limit * channels + group * depth;
  const real* panel = call->panels + way->panel + (long long)group * taps * depth * columns + column % columns;
  real sum = real(0);
  for (int tap = 0; tap < taps; ++tap) {
    const long long step = row % rows * call->move + shifts[tap];
    const bool there = step >= 0 && step < call->limit;
    for (int c = 0; c < depth; ++c, panel += columns) sum += (there ? source[step * channels + c] : real(0)) * *panel;
  }
  const long long step = row / rows * call->steps + way->first + row % rows * call->step;
  call->out[step * wide + column] = call->start ? sum + call->start[column] : sum;
}
