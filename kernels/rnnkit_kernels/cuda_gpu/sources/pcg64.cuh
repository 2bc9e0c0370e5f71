// NumPy's default generator, PCG64, with every thread at its own places of the one stream: s' = A s + C modulo 2^128,
// and n steps are one of the same form, with another factor and another offset.

constexpr int THREADS = 256;
constexpr int EACH = 16;     // numbers of a thread, THREADS apart, so that a warp writes side by side
constexpr int POWERS = 48;

struct Wide {
  unsigned long long high, low;
};

struct Leap {
  Wide factor, offset;
};

struct Draw {
  Wide state;                // before the first number
  long long size;
  unsigned long long least;  // the smallest word that is not dropped
  double kept;               // what stands where one is kept
  real* out;
  Leap powers[POWERS];       // of 1, 2, 4, ... steps
};

__device__ __forceinline__ Wide moved(Wide s, const Leap& by) {
  Wide t;
  t.low = s.low * by.factor.low;
  t.high = upper_product(s.low, by.factor.low) + s.high * by.factor.low + s.low * by.factor.high;
  const unsigned long long low = t.low + by.offset.low;
  t.high += by.offset.high + (low < t.low ? 1 : 0);
  t.low = low;
  return t;
}

// What a state gives: its halves, xored, turned right by its first 6 bits.
__device__ __forceinline__ unsigned long long output(Wide s) {
  const unsigned long long word = s.high ^ s.low;
  const int turn = int(s.high >> 58);
  return (word >> turn) | (word << ((64 - turn) & 63));
}

// Calls made(word) for each of the thread's numbers, and writes what that gives.
template <class Made>
__device__ __forceinline__ void draw(const Draw* call, Made made) {
  const long long size = call->size;
  long long at = (long long)blockIdx.x * (THREADS * EACH) + threadIdx.x;
  Wide s = call->state;
  for (long long steps = at + 1, power = 0; steps != 0; steps >>= 1, ++power)
    if (steps & 1) s = moved(s, call->powers[power]);
  constexpr int APART = 8;   // THREADS is 2^APART
  const Leap apart = call->powers[APART];
  for (int n = 0; n < EACH; ++n, at += THREADS) {
    if (at < size) call->out[at] = made(output(s));
    s = moved(s, apart);
  }
}

// `kept` where Generator.random() gives the rate or more, else 0. A number is the first 53 bits of a word.
extern "C" __global__ void __launch_bounds__(THREADS) dropout_scale(const Draw* call, int) {
  const real kept = real(call->kept);
  const unsigned long long least = call->least;
  draw(call, [=](unsigned long long word) { return word >= least ? kept : real(0); });
}

// Generator.random(), cast.
extern "C" __global__ void __launch_bounds__(THREADS) uniform(const Draw* call, int) {
  draw(call, [](unsigned long long word) { return real(double(word >> 11) * (1.0 / 9007199254740992.0)); });
}
