// A tile's product made by tensor cores, of numbers that are rounded when they are met (TF32), or of pairs of bf16 that
// were rounded when they were written: words either way, of which a tensor core takes 8 along the length.

// One number of a pair, for what a thread writes alone.
__device__ __forceinline__ unsigned short bf16_of(real a) { return (unsigned short)bf16_pair(float(a), 0.0f); }

// Numbers of 16 bits, read as pairs.
__device__ __forceinline__ const unsigned* pairs_of(const unsigned short* numbers) {
  return reinterpret_cast<const unsigned*>(numbers);
}

__device__ __forceinline__ unsigned factor_of(real a) { return tf32_of(float(a)); }
__device__ __forceinline__ unsigned factor_of(unsigned pair) { return pair; }

// A warp takes 16 rows and every so many of the groups of 8 numbers.
template <class L, int WIDE>
struct TensorTile {
  using P = Pieces<L, WIDE>;
  using Word = typename L::Word;
  static constexpr int slabs = L::rows / 16, warps = P::threads / 32, groups = P::numbers / 8;
  static constexpr int beside = warps / slabs, each = (groups + beside - 1) / beside;
  static_assert(P::left_line % 8 == 4 && P::right_line % 16 == 8, "the words of a fragment share banks");

  float sums[each][4] = {};

  __device__ __forceinline__ void add_piece(const Word* left, const Word* right) {
    const int warp = int(threadIdx.x) / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const Word* a = left + (warp % slabs * 16 + g) * P::left_line + t;
    const Word* b = right + t * P::right_line + g;
#pragma unroll
    for (int k = 0; k < DEPTH; k += 8) {
      const unsigned x[4] = {
          factor_of(a[k]), factor_of(a[k + 8 * P::left_line]), factor_of(a[k + 4]),
          factor_of(a[k + 8 * P::left_line + 4])};
#pragma unroll
      for (int n = 0; n < each; ++n) {
        const int group = warp / slabs + n * beside;
        if (group >= groups) break;
        const unsigned w[2] = {
            factor_of(b[k * P::right_line + group * 8]), factor_of(b[(k + 4) * P::right_line + group * 8])};
        if constexpr (L::pairs)
          multiply_bf16(sums[n], x, w);
        else
          multiply_tf32(sums[n], x, w);
      }
    }
  }

  // Lays the sums out as the threads of the tile own them, through shared memory; those of the blocks of a cluster are
  // added up in the order of their ranks, by the block that owns the row. own_row: the thread's first row of its block.
  template <int FIRST>
  __device__ __forceinline__ void hand_out(
      real (&own)[L::rows_each][L::units_each][L::columns], int own_row, real* shared) const {
    constexpr int line = P::numbers + 4, rows = L::rows / L::split;
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
    const int unit = int(threadIdx.x) % L::across * L::units_each;
    const real* from = shared + (rank_of<L>() * rows + own_row) * line + unit * WIDE;
    if constexpr (L::split > 1) {
      meet_cluster();  // all parts of the length are summed
      if (own_row < rows) {
#pragma unroll
        for (int rank = 0; rank < L::split; ++rank) add_part<FIRST>(own, in_block(from, rank));
      }
      arrive_cluster();  // this block has read what others still hold
    } else {
      meet_block();
      add_part<FIRST>(own, from);
      meet_block();
    }
  }

  template <int FIRST>
  __device__ __forceinline__ static void add_part(
      real (&own)[L::rows_each][L::units_each][L::columns], const real* from) {
#pragma unroll
    for (int i = 0; i < L::rows_each; ++i) {
#pragma unroll
      for (int u = 0; u < L::units_each; ++u) {
#pragma unroll
        for (int c = 0; c < WIDE; ++c) own[i][u][FIRST + c] += from[i * (P::numbers + 4) + u * WIDE + c];
      }
    }
  }
};
