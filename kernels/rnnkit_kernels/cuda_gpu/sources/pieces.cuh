// A tile's product, brought into shared memory piece by piece. Both sides are made of words: numbers, or pairs of bf16
// that lie next to each other along the length (see tensor.cuh). L is the tile's struct, see level.cuh; of it are used
//
//     threads, rows, units    of a block, and of a tile
//     split                   blocks that share out the length of a tile's product; they are a cluster
//     Word                    real, or unsigned for pairs
//     tensor, pairs           whether products are made by tensor cores, and of pairs
//     stages                  how many pieces are there or on their way

constexpr int DEPTH = 32;  // how many words of a product's length are brought at a time

// Rows go along x, of which a launch may have 2^31 - 1 blocks, and units along y, of which it may have 65535.
template <class L>
__device__ __forceinline__ int rank_of() {
  if constexpr (L::split > 1) return cluster_rank();
  return 0;
}
template <class L>
__device__ __forceinline__ int first_row_of_tile() {
  return int(blockIdx.x) / L::split * L::rows;
}
template <class L>
__device__ __forceinline__ int first_unit_of_tile() {
  return int(blockIdx.y) * L::units;
}

// Copies `valid` of a group of words, 16 bytes, and fills up with zeros; together where both sides begin at 16 bytes.
template <class Word>
__device__ __forceinline__ void bring(Word* there, const Word* from, int valid, bool together) {
  if (together) {
    copy_ahead<16>(there, valid > 0 ? from : nullptr, valid > 0 ? valid * int(sizeof(Word)) : 0);
  } else {
#pragma unroll
    for (int e = 0; e < 16 / int(sizeof(Word)); ++e)
      copy_ahead<int(sizeof(Word))>(there + e, e < valid ? from + e : nullptr, e < valid ? int(sizeof(Word)) : 0);
  }
}

// The two sides of a product: a (rows, length), whose rows are a_row apart, and panel (length, units, WIDE), of which
// the tile takes `units` and those next to each other. Lines of pairs, of both, are filled up to groups.
template <class L, int WIDE>
struct Pieces {
  using Word = typename L::Word;
  static constexpr int threads = L::threads, numbers = L::units * WIDE, group = 16 / int(sizeof(Word));
  // Words between lines: tensor cores ask for words (g, t) of the left and (t, g) of the right, g < 8, t < 4, all at
  // once, which lie in 32 different banks where the left's lines are 4 from a multiple of 8 apart, and the right's 8
  // from a multiple of 16.
  static constexpr int left_line = DEPTH + 4, right_line = numbers + (L::tensor && numbers % 16 == 8 ? 0 : 8);
  static constexpr int size = L::rows * left_line + DEPTH * right_line;

  const Word* a;
  const Word* panel;
  long long a_row, panel_row;
  int length, rows, valid;
  bool a_together, panel_together;
  Word* shared;

  __device__ __forceinline__ Pieces(
      const Word* a_, long long a_row_, int length_, const Word* panel_, int rows_, int units, real* shared_)
      : a(a_ + first_row_of_tile<L>() * a_row_), panel(panel_ + (long long)first_unit_of_tile<L>() * WIDE),
        a_row(a_row_), panel_row((long long)units * WIDE), length(length_), rows(rows_ - first_row_of_tile<L>()),
        valid((units - first_unit_of_tile<L>()) * WIDE), a_together(true), panel_together(true),
        shared(reinterpret_cast<Word*>(shared_)) {
    if constexpr (L::pairs) {
      panel_row = (panel_row + group - 1) / group * group;
    } else {
      a_together = a_row % group == 0 && reinterpret_cast<unsigned long long>(a) % 16 == 0;
      panel_together = panel_row % group == 0 && reinterpret_cast<unsigned long long>(panel) % 16 == 0;
    }
  }

  __device__ __forceinline__ Word* left(int piece) const { return shared + piece % L::stages * size; }
  __device__ __forceinline__ Word* right(int piece) const { return left(piece) + L::rows * left_line; }

  // Asks for a piece; every thread for its share, one copy after the other: unrolled, addresses crowd the registers.
  __device__ __forceinline__ void ask(int piece) const {
    const int k0 = piece * DEPTH;
#pragma unroll 1
    for (int i = threadIdx.x; i < L::rows * (DEPTH / group); i += threads) {
      const int row = i / (DEPTH / group), k = i % (DEPTH / group) * group;
      const int there = row < rows ? min(group, length - k0 - k) : 0;
      bring(left(piece) + row * left_line + k, a + row * a_row + k0 + k, there, a_together);
    }
#pragma unroll 1
    for (int i = threadIdx.x; i < DEPTH * (numbers / group); i += threads) {
      const int k = i / (numbers / group), j = i % (numbers / group) * group;
      const int there = k0 + k < length ? min(group, valid - j) : 0;
      bring(right(piece) + k * right_line + j, panel + (k0 + k) * panel_row + j, there, panel_together);
    }
  }
};

// Brings piece after piece of the block's part of the length, some ahead, and has each added by add(left, right).
template <class L, class P, class Add>
__device__ __forceinline__ void over_pieces(const P& pieces, Add add) {
  const int count = (pieces.length + DEPTH - 1) / DEPTH;
  const int begin = count * rank_of<L>() / L::split, end = count * (rank_of<L>() + 1) / L::split;
  for (int piece = begin; piece < begin + L::stages - 1; ++piece) {
    if (piece < end) pieces.ask(piece);
    close_copies();
  }
  for (int piece = begin; piece < end; ++piece) {
    wait_copies<L::stages - 2>();
    meet_block();  // the piece is there for all, and nobody reads the place any more that the next one goes to
    if (piece + L::stages - 1 < end) pieces.ask(piece + L::stages - 1);
    close_copies();
    add(pieces.left(piece), pieces.right(piece));
  }
  meet_block();
}
