// What a text takes from CUDA's compiler, for g++.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__
#define __cluster_dims__(...)
using std::max;
using std::min;

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};

inline double __longlong_as_double(long long bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
