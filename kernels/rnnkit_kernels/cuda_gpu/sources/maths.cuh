// The functions of a step, for float and double. NaN comes out wherever it goes in: comparisons are written so that a
// failed one chooses the argument itself.
//
// exp, tanh, erf and log are the compiler's own (within 2 units in the last place); a reciprocal stands for 1 / x where
// one unit in the last place more does no harm.

__device__ __forceinline__ float exp_(float a) { return expf(a); }
__device__ __forceinline__ double exp_(double a) { return exp(a); }
__device__ __forceinline__ float log_(float a) { return logf(a); }
__device__ __forceinline__ double log_(double a) { return log(a); }
__device__ __forceinline__ float tanh_(float a) { return tanhf(a); }
__device__ __forceinline__ double tanh_(double a) { return tanh(a); }
__device__ __forceinline__ float erf_(float a) { return erff(a); }
__device__ __forceinline__ double erf_(double a) { return erf(a); }
__device__ __forceinline__ float sqrt_(float a) { return sqrtf(a); }
__device__ __forceinline__ double sqrt_(double a) { return sqrt(a); }
__device__ __forceinline__ float abs_(float a) { return fabsf(a); }
__device__ __forceinline__ double abs_(double a) { return fabs(a); }
__device__ __forceinline__ float log1p_(float a) { return log1pf(a); }
__device__ __forceinline__ double log1p_(double a) { return log1p(a); }

// 1 / (1 + exp(-a)): exp may be infinity, and its reciprocal the 0 that is wanted.
__device__ __forceinline__ real sigmoid_(real a) { return reciprocal_(real(1) + exp_(-a)); }

// max(a, 0) by selection: NaN passes, -0 becomes 0.
__device__ __forceinline__ real relu_(real a) { return a <= real(0) ? real(0) : a; }

// max(a, 0) + log(1 + exp(-|a|)), without overflow.
__device__ __forceinline__ real softplus_(real a) { return (a < real(0) ? real(0) : a) + log1p_(exp_(-abs_(a))); }

// The larger, or NaN where either is.
__device__ __forceinline__ real maximum_(real a, real b) { return a != a ? a : a > b ? a : b; }
__device__ __forceinline__ real minimum_(real a, real b) { return a != a ? a : a < b ? a : b; }
