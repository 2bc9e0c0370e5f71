// The columns of a matrix added up, always in one order: a block adds up 32 columns over a chunk of the rows, each of
// its warps every so many of them; then a thread adds up a column's chunks.

constexpr int WARPS = 8;
constexpr int AHEAD = 4;  // rows of a warp that are on their way at a time

struct Matrix {
  long long rows, columns;
  long long chunk, chunks;  // rows of a chunk, and how many chunks there are
  const real* a;            // (rows, columns)
  real* parts;              // (chunks, columns)
  real* total;              // (columns)
};

extern "C" __global__ void __launch_bounds__(32 * WARPS) column_parts(TABLES(Matrix) tables, int) {
  const Matrix* call = first_table(tables);
  const long long columns = call->columns, column = (long long)blockIdx.x * 32 + threadIdx.x % 32;
  const long long begin = blockIdx.y * call->chunk, end = min(begin + call->chunk, call->rows);
  const int warp = int(threadIdx.x) / 32;
  real* shared = shared_memory();
  real sums[AHEAD] = {};
  if (column < columns) {
    for (long long row = begin + warp; row < end; row += AHEAD * WARPS) {
#pragma unroll
      for (int n = 0; n < AHEAD; ++n)
        if (row + n * WARPS < end) sums[n] += call->a[(row + n * WARPS) * columns + column];
    }
  }
  shared[threadIdx.x] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  meet_block();
  if (warp > 0 || column >= columns) return;
  real total = shared[threadIdx.x];
#pragma unroll
  for (int n = 1; n < WARPS; ++n) total += shared[threadIdx.x + 32 * n];
  call->parts[blockIdx.y * columns + column] = total;
}

extern "C" __global__ void __launch_bounds__(32 * WARPS) column_totals(TABLES(Matrix) tables, int) {
  const Matrix* call = first_table(tables);
  const long long columns = call->columns, column = (long long)blockIdx.x * (32 * WARPS) + threadIdx.x;
  if (column >= columns) return;
  real total = call->parts[column];
#pragma unroll 4
  for (long long n = 1; n < call->chunks; ++n) total += call->parts[n * columns + column];
  call->total[column] = total;
}
