// The products of a kernel that takes all steps, by tensor cores: behind `persistent.cuh`, with ROWS = 8, the width of
// a tile. `Factor` is what numbers become that are multiplied: the bits of TF32 (unsigned), or of bf16 (unsigned
// short).
//
// A product is outputs (of the block, or back: of all blocks) by length. The outputs are cut into tiles of 16, the
// length into steps, of 8 numbers in TF32 and of 16 in bf16. A warp takes TILES tiles and STEPS steps: PARTS warps
// share the length of the same tiles, GROUPS of those the tiles. It holds their weights in registers, as tensor cores
// take them.
//
// The vectors that are multiplied lie in shared memory rounded, so that each is rounded once, by whoever makes it: 16
// bytes of each of the 8 rows next to each other, so that the lanes of a warp, 4 g + t for word t of row g, read 32
// words in a row, and what a warp writes of neighbouring units lies together.

constexpr int OF_A_WORD = 4 / int(sizeof(Factor)), OF_A_LINE = 4 * OF_A_WORD;  // numbers
constexpr int WORDS_OF_A_STEP = 64;

__device__ __forceinline__ Factor* factors(real* place) { return reinterpret_cast<Factor*>(place); }

// Where number k of a row's vector lies.
__device__ __forceinline__ int spot(int k, int row) { return (k / OF_A_LINE * 8 + row) * OF_A_LINE + k % OF_A_LINE; }

__device__ __forceinline__ Factor rounded(real a) { return Factor(OF_A_WORD == 2 ? bf16_pair(a, 0.0f) : tf32_of(a)); }

template <int TILES, int STEPS, int PARTS, int GROUPS>
struct Tensor {
  static constexpr int outputs = GROUPS * TILES * 16;

  unsigned weights[TILES][STEPS][4];

  static __device__ __forceinline__ int lane() { return int(threadIdx.x) % 32; }
  static __device__ __forceinline__ int part() { return int(threadIdx.x) / 32 % PARTS; }
  // In the sums of a lane; its others are further by 8 and by 16.
  static __device__ __forceinline__ int first_output() {
    return int(threadIdx.x) / 32 / PARTS * (TILES * 16) + lane() / 4;
  }

  // weight(output, k): 0 for what there is not.
  template <class Weight>
  __device__ __forceinline__ void hold(Weight weight) {
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
#pragma unroll
      for (int step = 0; step < STEPS; ++step) {
#pragma unroll
        for (int n = 0; n < 4; ++n) {
          const int output = first_output() + 16 * tile + n % 2 * 8;
          const int k = OF_A_WORD * (8 * (part() * STEPS + step) + lane() % 4 + n / 2 * 4);
          const real first = weight(output, k);
          weights[tile][step][n] = settled(OF_A_WORD == 2 ? bf16_pair(first, weight(output, k + 1)) : tf32_of(first));
        }
      }
    }
  }

  // The warp's sums. A tile that is alone is added up in two chains: each multiplication waits for the one before.
  __device__ __forceinline__ void multiply(float (&sums)[TILES][4], const Factor* vectors) const {
    constexpr int chains = TILES == 1 ? 2 : 1;
    float chain[chains][TILES][4] = {};
    const unsigned* words = reinterpret_cast<const unsigned*>(vectors) + part() * STEPS * WORDS_OF_A_STEP + lane();
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
      const unsigned v[2] = {words[step * WORDS_OF_A_STEP], words[step * WORDS_OF_A_STEP + 32]};
#pragma unroll
      for (int tile = 0; tile < TILES; ++tile) {
        if constexpr (OF_A_WORD == 2)
          multiply_bf16(chain[step % chains][tile], weights[tile][step], v);
        else
          multiply_tf32(chain[step % chains][tile], weights[tile][step], v);
      }
    }
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
#pragma unroll
      for (int n = 0; n < 4; ++n)
        sums[tile][n] = chains == 2 ? chain[0][tile][n] + chain[chains - 1][tile][n] : chain[0][tile][n];
    }
  }

  // For whoever needs the sums after the next meeting. parts: (part of the length, output, row).
  __device__ __forceinline__ void lay_out(const Factor* vectors, real* parts) const {
    float sums[TILES][4];
    multiply(sums, vectors);
    real* const to = parts + (part() * outputs + first_output()) * 8 + lane() % 4 * 2;
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
#pragma unroll
      for (int n = 0; n < 4; ++n) to[tile * 128 + n / 2 * 64 + n % 2] = sums[tile][n];
    }
  }

  // An output's sum for a row: the parts in their order.
  static __device__ __forceinline__ real sum(const real* parts, int output, int row) {
    return from_blocks<PARTS>(parts + output * 8 + row, outputs * 8);
  }

  // Sends the sums to the blocks that own their units: outputs are all UNITS_, a block owns OWN_. sent: (block that
  // sends, part, unit of the block that owns, row).
  template <int OWN_, int UNITS_>
  __device__ __forceinline__ void send_back(const Factor* vectors, real* sent, int rank) const {
    float sums[TILES][4];
    multiply(sums, vectors);
    real* const to = sent + (rank * PARTS + part()) * (OWN_ * 8) + lane() % 4 * 2;
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int unit = first_output() + 16 * tile + 8 * half;
        if (unit < UNITS_) put_pair(to + unit % OWN_ * 8, unit / OWN_, sums[tile][2 * half], sums[tile][2 * half + 1]);
      }
    }
  }
};
