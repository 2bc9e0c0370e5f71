// Small kernels whose times are what a recurrence's step is made of. Each goes round `rounds` times; the difference of
// two numbers of rounds leaves out what a launch costs. What they compute can be told, so that nobody times a mistake.

struct Call {
  long long t, rounds;
  real *out, *weights;
};

constexpr int THREADS = 256, SPLIT = 8, OWN = THREADS / SPLIT, GATES = 4;

// Behind a run of launches that was recorded once.
extern "C" __global__ void constants_advance(Call* table, int steps) { table->t += steps; }

extern "C" __global__ void empty(const Call*, int) {}

template <int BLOCKS>
__device__ __forceinline__ void meet() {
  if (BLOCKS > 1)
    meet_cluster();
  else
    meet_block();
}

// A meeting and nothing else. out: how many there were, by block.
template <int BLOCKS>
__device__ __forceinline__ void meetings(const Call& call) {
  long long met = 0;
  for (; met < call.rounds; ++met) meet<BLOCKS>();
  if (threadIdx.x == 0) call.out[blockIdx.x] = real(met);
}

// As h goes round: SPLIT neighbours hold a number and share among them the blocks that it is put to; then all meet, and
// each takes its right neighbour's and adds one. out: the numbers of a cluster; number n begins as n.
template <int BLOCKS>
__device__ __forceinline__ void exchanges(const Call& call) {
  constexpr int ALL = BLOCKS * OWN;
  real* const both = shared_memory();
  const int rank = BLOCKS > 1 ? cluster_rank() : 0, unit = rank * OWN + int(threadIdx.x) / SPLIT;
  real mine = real(unit);
  meet<BLOCKS>();  // nobody writes to a block that has not begun
  for (long long round = 0; round < call.rounds; ++round) {
    real* const place = both + int(round & 1) * ALL;
    spread<BLOCKS, SPLIT>(place + unit, mine, int(threadIdx.x) % SPLIT);
    meet<BLOCKS>();
    mine = place[(unit + 1) % ALL] + real(1);
  }
  meet<BLOCKS>();  // nobody ends while somebody may still write to it
  if (threadIdx.x % SPLIT == 0) call.out[unit] = mine;
}

#define OF_BLOCKS(N) \
  extern "C" __global__ void __cluster_dims__(N, 1, 1) __launch_bounds__(THREADS) meeting_##N(const Call* table, int) { \
    meetings<N>(*table); \
  } \
  extern "C" __global__ void __cluster_dims__(N, 1, 1) __launch_bounds__(THREADS) exchange_##N(const Call* table, int) { \
    exchanges<N>(*table); \
  }

// Alone: a block that is in no cluster.
extern "C" __global__ void __launch_bounds__(THREADS) meeting_1(const Call* table, int) { meetings<1>(*table); }
extern "C" __global__ void __launch_bounds__(THREADS) exchange_1(const Call* table, int) { exchanges<1>(*table); }

// From the parts of sums to h: SPLIT neighbours add up theirs, then an LSTM's functions. Gate k's parts are
// (k + 1) h / SPLIT, its sum therefore (k + 1) h. out: h by warp.
extern "C" __global__ void __launch_bounds__(THREADS) gates(const Call* table, int) {
  real h = real(0), c = real(1);
  for (long long round = 0; round < table->rounds; ++round) {
    real sums[1][GATES];
#pragma unroll
    for (int k = 0; k < GATES; ++k) sums[0][k] = real(k + 1) * h / real(SPLIT);
    share_out<SPLIT>(sums, int(threadIdx.x) % SPLIT);
    const real i = sigmoid_(sums[0][0]), f = sigmoid_(sums[0][1]), g = tanh_(sums[0][2]), o = sigmoid_(sums[0][3]);
    c = f * c + i * g;
    h = o * tanh_(c);
  }
  if (threadIdx.x % 32 == 0) table->out[threadIdx.x / 32] = h;
}

// A block's products with weights in registers, for so many rows: a length of 256, four gates. Vectors are ones in three
// places, taken in turn, so that they are read anew; weights are the same 128 numbers for every thread, by piece, number
// of a chunk and gate. out: the sum of thread 0 over its gates and rows.
template <int ROWS_>
__device__ __forceinline__ void products(const Call& call) {
  constexpr int PIECES = 8, LINE = CHUNK * SPLIT * PIECES, PLACES = 3;
  real* const vectors = shared_memory();
  for (int k = threadIdx.x; k < PLACES * ROWS_ * LINE; k += THREADS) vectors[k] = real(1);
  real w[PIECES][CHUNK][GATES];
#pragma unroll
  for (int piece = 0; piece < PIECES; ++piece)
#pragma unroll
    for (int e = 0; e < CHUNK; ++e)
#pragma unroll
      for (int k = 0; k < GATES; ++k) w[piece][e][k] = call.weights[(piece * CHUNK + e) * GATES + k];
  real sums[ROWS_][GATES] = {};
  meet_block();
  int place = 0;
  for (long long round = 0; round < call.rounds; ++round) {
    accumulate<0, SPLIT>(sums, w, vectors + place * ROWS_ * LINE, LINE, int(threadIdx.x) % SPLIT);
    place = place == PLACES - 1 ? 0 : place + 1;
  }
  real total = real(0);
#pragma unroll
  for (int row = 0; row < ROWS_; ++row)
#pragma unroll
    for (int k = 0; k < GATES; ++k) total += sums[row][k];
  if (total < real(0) || threadIdx.x == 0) call.out[0] = total;
}

#define OF_ROWS(N) \
  extern "C" __global__ void __launch_bounds__(THREADS) products_##N(const Call* table, int) { products<N>(*table); }
OF_ROWS(1)
OF_ROWS(2)
OF_ROWS(4)
OF_ROWS(8)
