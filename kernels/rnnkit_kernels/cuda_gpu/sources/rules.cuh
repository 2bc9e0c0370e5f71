// An optimizer's step for all parameters in one launch. `rnnkit.optimizers` has the equations. Every operation is
// rounded by itself, in the order in which it stands there, so that the numbers are the CPU's (but for floats too
// small to be normal, which the compiler was told to take for 0).

constexpr int THREADS = 256;
constexpr int EACH = 4;      // numbers of a thread, THREADS apart
constexpr int SLOTS = 3;     // at most
constexpr int NUMBERS = 8;

struct Step {
  long long parameters;
  long long decays;          // whether parameters do, before they are moved:
  double share, rate;        // p - p share rate
  double numbers[NUMBERS];   // of the rule
};

struct Exact {
  real value;
};
__device__ __forceinline__ Exact operator+(Exact a, Exact b) { return {added_(a.value, b.value)}; }
__device__ __forceinline__ Exact operator-(Exact a, Exact b) { return {added_(a.value, -b.value)}; }
__device__ __forceinline__ Exact operator*(Exact a, Exact b) { return {multiplied_(a.value, b.value)}; }
__device__ __forceinline__ Exact operator/(Exact a, Exact b) { return {a.value / b.value}; }
__device__ __forceinline__ Exact root(Exact a) { return {sqrt_(a.value)}; }
__device__ __forceinline__ Exact larger(Exact a, Exact b) { return {maximum_(a.value, b.value)}; }

typedef Exact Slots[SLOTS];
typedef Exact Numbers[NUMBERS];

// Each rule gives the new parameter for p and its gradient g, and moves the slots s. n: its numbers.

struct Sgd {                 // rate
  static constexpr int slots = 0;
  static __device__ __forceinline__ Exact moved(Exact p, Exact g, Slots&, const Numbers& n) { return p - n[0] * g; }
};

template <bool NESTEROV>
struct Momentum {            // rate, momentum; slot: momentum
  static constexpr int slots = 1;
  static __device__ __forceinline__ Exact moved(Exact p, Exact g, Slots& s, const Numbers& n) {
    const Exact down = n[0] * g;
    s[0] = n[1] * s[0] - down;
    return p + (NESTEROV ? n[1] * s[0] - down : s[0]);
  }
};

struct Adagrad {             // rate, epsilon; slot: accumulator
  static constexpr int slots = 1;
  static __device__ __forceinline__ Exact moved(Exact p, Exact g, Slots& s, const Numbers& n) {
    s[0] = s[0] + g * g;
    return p - n[0] * g / root(s[0] + n[1]);
  }
};

template <bool MOMENTUM, bool CENTERED>
struct Rmsprop {             // rate, rho, 1 - rho, epsilon, momentum; slots: velocity, momentum, average_gradient
  static constexpr int slots = 1 + MOMENTUM + CENTERED, average = 1 + MOMENTUM;
  static __device__ __forceinline__ Exact moved(Exact p, Exact g, Slots& s, const Numbers& n) {
    s[0] = n[1] * s[0] + n[2] * (g * g);
    Exact variance = s[0];
    if (CENTERED) {
      s[average] = n[1] * s[average] + n[2] * g;
      variance = larger(s[0] - s[average] * s[average], Exact{real(0)});
    }
    Exact move = n[0] * g / root(variance + n[3]);
    if (MOMENTUM) s[1] = move = n[4] * s[1] + move;
    return p - move;
  }
};

__device__ __forceinline__ void moments(Exact g, Slots& s, Exact share_m, Exact share_v) {
  s[0] = s[0] + (g - s[0]) * share_m;
  s[1] = s[1] + (g * g - s[1]) * share_v;
}

template <bool LARGEST>
struct Adam {                // alpha, 1 - beta_1, 1 - beta_2, epsilon; slots: momentum, velocity, velocity_hat
  static constexpr int slots = 2 + LARGEST;
  static __device__ __forceinline__ Exact moved(Exact p, Exact g, Slots& s, const Numbers& n) {
    moments(g, s, n[1], n[2]);
    if (LARGEST) s[2] = larger(s[2], s[1]);
    return p - n[0] * s[0] / (root(LARGEST ? s[2] : s[1]) + n[3]);
  }
};

struct Nadam {               // rate, 1 - beta_1, 1 - beta_2, epsilon, shares of m' and g, 1 - beta_2^t
  static constexpr int slots = 2;
  static __device__ __forceinline__ Exact moved(Exact p, Exact g, Slots& s, const Numbers& n) {
    moments(g, s, n[1], n[2]);
    return p - n[0] * (n[4] * s[0] + n[5] * g) / (root(s[1] / n[6]) + n[3]);
  }
};

// Behind the step, for each parameter: its first block, its size, and the addresses of p, g, its slots, p', its new
// slots. A block finds its parameter by halving.
template <class Rule>
__device__ __forceinline__ void step(const Step* call) {
  constexpr int WORDS = 5 + 2 * Rule::slots;
  const long long* rows = reinterpret_cast<const long long*>(call + 1);
  long long low = 0, high = call->parameters;
  while (high - low > 1) {
    const long long middle = (low + high) / 2;
    if (rows[middle * WORDS] <= (long long)blockIdx.x) low = middle; else high = middle;
  }
  const long long* row = rows + low * WORDS;
  const long long size = row[1], first = ((long long)blockIdx.x - row[0]) * (THREADS * EACH) + threadIdx.x;
  const real* from[2 + Rule::slots];
  real* to[1 + Rule::slots];
#pragma unroll
  for (int j = 0; j < 2 + Rule::slots; ++j) from[j] = reinterpret_cast<const real*>(row[2 + j]);
#pragma unroll
  for (int j = 0; j < 1 + Rule::slots; ++j) to[j] = reinterpret_cast<real*>(row[4 + Rule::slots + j]);
  Numbers n;
#pragma unroll
  for (int k = 0; k < NUMBERS; ++k) n[k].value = real(call->numbers[k]);
  const bool decays = call->decays != 0;
  const Exact share{real(call->share)}, rate{real(call->rate)};
  Exact p[EACH], g[EACH];
  Slots s[EACH];
#pragma unroll
  for (int k = 0; k < EACH; ++k) {
    const long long at = first + k * THREADS;
    p[k] = g[k] = Exact{real(0)};
    if (at >= size) continue;
    p[k].value = from[0][at];
    g[k].value = from[1][at];
#pragma unroll
    for (int j = 0; j < Rule::slots; ++j) s[k][j].value = from[2 + j][at];
  }
#pragma unroll
  for (int k = 0; k < EACH; ++k) {
    const long long at = first + k * THREADS;
    if (at >= size) break;
    to[0][at] = Rule::moved(decays ? p[k] - p[k] * share * rate : p[k], g[k], s[k], n).value;
#pragma unroll
    for (int j = 0; j < Rule::slots; ++j) to[1 + j][at] = s[k][j].value;
  }
}

#define RULE(name, ...)                                                                        \
  extern "C" __global__ void __launch_bounds__(THREADS, 2) step_##name(const Step* call, int) { \
    step<__VA_ARGS__>(call);                                                                    \
  }
RULE(sgd, Sgd)
RULE(momentum, Momentum<false>)
RULE(nesterov, Momentum<true>)
RULE(adagrad, Adagrad)
RULE(rmsprop, Rmsprop<false, false>)
RULE(rmsprop_momentum, Rmsprop<true, false>)
RULE(rmsprop_centered, Rmsprop<false, true>)
RULE(rmsprop_momentum_centered, Rmsprop<true, true>)
RULE(adam, Adam<false>)
RULE(amsgrad, Adam<true>)
RULE(nadam, Nadam)
