// Convolution over time as products of tiles, without a copy of what each window sees: a block brings the numbers that
// its rows meet into shared memory as it goes along taps and channels. y and dx are sums over (tap, channel) for rows
// of steps, dW is a sum over rows for (tap, channel). Every sum has one order, whatever the grid.

constexpr int DEPTH = 16;  // how much of a sum's length is brought into shared memory at a time
constexpr int APART = 4;   // numbers between the columns of the left tile, so that they begin at different banks
constexpr int SINGLE = 256;  // threads of a block in which each has a number of its own
constexpr int NOWHERE = -(1 << 30);

// A block's tile: thread n has rows_each x columns_each numbers, at (n / across, n % across).
template <int ROWS, int COLUMNS, int ROWS_EACH, int COLUMNS_EACH>
struct Tile {
  static constexpr int rows = ROWS, columns = COLUMNS, rows_each = ROWS_EACH, columns_each = COLUMNS_EACH;
  static constexpr int across = COLUMNS / COLUMNS_EACH, threads = across * (ROWS / ROWS_EACH), line = ROWS + APART;
  static constexpr int left_loads = ROWS * DEPTH / threads, right_loads = COLUMNS * DEPTH / threads;
  static_assert(threads % DEPTH == 0 && threads % ROWS == 0 && threads % COLUMNS == 0, "a thread keeps to its line");
};
typedef Tile<64, 64, 8, 4> WideTile;
typedef Tile<128, 16, 4, 4> NarrowTile;
typedef Tile<16, 128, 4, 4> FlatTile;

template <class L>
using Sums = real[L::rows_each][L::columns_each];

template <class L>
__device__ __forceinline__ int own_row() { return int(threadIdx.x) / L::across * L::rows_each; }
template <class L>
__device__ __forceinline__ int own_column() { return int(threadIdx.x) % L::across * L::columns_each; }

// Adds a product of that length to the sums; every thread of the block calls it. left.get(n, k0) and right.get(n, k0)
// are the numbers that the thread brings as its n-th, for the part of the length that begins at k0; Left::place(n) is
// where one lies in shared memory. What is on its way for the next part is waited for only after this one's sums.
template <class L, class Left, class Right>
__device__ __forceinline__ void multiply(Sums<L>& sums, int length, Left& left, Right& right) {
  real* a = shared_memory();
  real* b = a + DEPTH * L::line;
  const int row = own_row<L>(), column = own_column<L>();
  real from_left[L::left_loads], from_right[L::right_loads];
  for (int k0 = -DEPTH; k0 < length; k0 += DEPTH) {
    if (k0 >= 0) {
      meet_block();
#pragma unroll
      for (int n = 0; n < L::left_loads; ++n) a[Left::place(n)] = from_left[n];
#pragma unroll
      for (int n = 0; n < L::right_loads; ++n) b[int(threadIdx.x) + n * L::threads] = from_right[n];
      meet_block();
    }
    if (k0 + DEPTH < length) {
#pragma unroll
      for (int n = 0; n < L::left_loads; ++n) from_left[n] = left.get(n, k0 + DEPTH);
#pragma unroll
      for (int n = 0; n < L::right_loads; ++n) from_right[n] = right.get(n, k0 + DEPTH);
    }
    if (k0 < 0) continue;
#pragma unroll
    for (int k = 0; k < DEPTH; ++k) {
      real x[L::rows_each], w[L::columns_each];
#pragma unroll
      for (int i = 0; i < L::rows_each; ++i) x[i] = a[k * L::line + row + i];
#pragma unroll
      for (int c = 0; c < L::columns_each; ++c) w[c] = b[k * L::columns + column + c];
#pragma unroll
      for (int i = 0; i < L::rows_each; ++i)
#pragma unroll
        for (int c = 0; c < L::columns_each; ++c) sums[i][c] += x[i] * w[c];
    }
  }
}

// A matrix of `wide` columns, `line` numbers apart from row to row: the right factor. Its rows are the length.
template <class L>
struct Matrix {
  const real* first;  // of the thread's column
  long long line;
  int length;
  bool there;
  __device__ __forceinline__ Matrix(const real* begin, long long line, int length, int column0, int columns)
      : first(begin + column0 + threadIdx.x % L::columns), line(line), length(length),
        there(column0 + int(threadIdx.x) % L::columns < columns) {}
  __device__ __forceinline__ real get(int n, int k0) const {
    const int k = k0 + (int(threadIdx.x) + n * L::threads) / L::columns;
    return there && k < length ? first[k * line] : real(0);
  }
};

// A block's place: blockIdx.x counts groups, within them tiles of columns, within them tiles of rows.
template <class L>
struct Where {
  int group, row0, column0;
  __device__ __forceinline__ Where(int groups, int columns) {
    const int tiles = (columns + L::columns - 1) / L::columns, tile = int(blockIdx.x) / groups;
    group = int(blockIdx.x) % groups;
    row0 = tile / tiles * L::rows;
    column0 = tile % tiles * L::columns;
  }
};
