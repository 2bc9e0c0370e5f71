// The gradient of a table whose rows were chosen by index: every row of d is added to the row of the result that it
// came from. Places are sorted by index, so those of one row stand side by side, in their order; a warp takes the
// stretch that begins at its own place, 32 columns of it, and adds from its first place to its last: no other order, no
// atomics.

constexpr int WARPS = 8;
constexpr int AHEAD = 16;  // rows of d that are on their way at a time

struct Rows {
  long long count, columns;
  const long long* sorted;  // (count): indices, ascending
  const long long* order;   // (count): where in d each of them stands
  const real* d;            // (count, columns)
  real* total;              // (rows of the table, columns), zeros before
};

extern "C" __global__ void __launch_bounds__(32 * WARPS) summed_by_row(const Rows* call, int) {
  const long long count = call->count, columns = call->columns;
  const long long first = (long long)blockIdx.x * WARPS + threadIdx.x / 32;
  const long long column = (long long)blockIdx.y * 32 + threadIdx.x % 32;
  const long long* sorted = call->sorted;
  if (first >= count || column >= columns) return;
  const long long row = sorted[first];
  if (first > 0 && sorted[first - 1] == row) return;
  const long long* order = call->order;
  const real* d = call->d + column;
  real total = real(0);
  for (long long k = first;; k += AHEAD) {
    bool mine[AHEAD];
    real next[AHEAD];
#pragma unroll
    for (int n = 0; n < AHEAD; ++n) {
      mine[n] = k + n < count && sorted[k + n] == row;
      next[n] = mine[n] ? d[order[k + n] * columns] : real(0);
    }
#pragma unroll
    for (int n = 0; n < AHEAD; ++n)
      if (mine[n]) total += next[n];
    if (!mine[AHEAD - 1]) break;
  }
  call->total[row * columns + column] = total;
}
