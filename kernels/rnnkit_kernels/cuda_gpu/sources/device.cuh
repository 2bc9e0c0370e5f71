// What only a GPU has: its instructions, each in a function of its own, so that everything else is plain C++.

__device__ __forceinline__ float reciprocal_(float a) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(a));
  return y;
}
__device__ __forceinline__ double reciprocal_(double a) { return 1.0 / a; }

// Tells the compiler that an address is of the GPU's own memory and not of a block's: such loads take less time.
__device__ __forceinline__ void lies_in_memory(const void* address) {
  __builtin_assume(__isGlobal(address));
}

// Tables that are themselves an argument, of one call or of two, and where the first of them lies.
template <class Call>
struct Tables {
  Call each[2];
};
#define TABLES(Call) const __grid_constant__ Tables<Call>
template <class Call>
__device__ __forceinline__ const Call* first_table(const Tables<Call>& tables) { return tables.each; }
template <class Call>
__device__ __forceinline__ const Call* first_table(const Call* tables) { return tables; }

// The memory that the threads of a block share, as many bytes as the launch asks for.
__device__ __forceinline__ real* shared_memory() {
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  return reinterpret_cast<real*>(shared_bytes);
}

// The value of the lane whose number differs in the bits of `other`; all 32 lanes take part.
__device__ __forceinline__ real exchanged(real value, int other) {
  return __shfl_xor_sync(0xffffffffu, value, other);
}

// The same bits, made by now: what they are made of needs no registers behind this. All 32 lanes take part.
__device__ __forceinline__ unsigned settled(unsigned bits) { return __shfl_sync(0xffffffffu, bits, threadIdx.x % 32); }

__device__ __forceinline__ void meet_block() { __syncthreads(); }

// Copies BYTES, 4, 8 or 16, into shared memory without waiting for them: `given` of them, and zeros for the rest. From
// sm_80 on they travel by themselves; a group of copies is closed, and waited for until no more than OPEN groups are
// left.
template <int BYTES>
__device__ __forceinline__ void copy_ahead(void* there, const void* from, int given) {
#if __CUDA_ARCH__ >= 800
  const unsigned to = unsigned(__cvta_generic_to_shared(there));
  if constexpr (BYTES == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(given) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                 ::"r"(to), "l"(from), "n"(BYTES), "r"(given) : "memory");
#else
  for (int n = 0; n < BYTES / 4; ++n)
    static_cast<int*>(there)[n] = 4 * n < given ? static_cast<const int*>(from)[n] : 0;
#endif
}
__device__ __forceinline__ void close_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int OPEN>
__device__ __forceinline__ void wait_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(OPEN) : "memory");
#endif
}

// A number rounded to the 10 bits behind the point of TF32, halves away from 0: as tensor cores take it.
__device__ __forceinline__ unsigned tf32_of(float a) {
  unsigned bits = 0;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(a));
#endif
  return bits;
}

// Two numbers rounded to the 7 bits of bf16, halves to even, side by side: the first in the lower half.
__device__ __forceinline__ unsigned bf16_pair(float low, float high) {
  unsigned bits = 0;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
#endif
  return bits;
}

// sums (16, 8) += a (16, 8) b (8, 8) by a warp's tensor core, of numbers that `tf32_of` has rounded. Lane 4 g + t holds
// a at (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4); b at (t, g), (t + 4, g); sums at (g, 2 t), (g, 2 t + 1) and
// those 8 rows below. All 32 lanes take part: volatile, it is not moved to where only some need the sums.
__device__ __forceinline__ void multiply_tf32(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// The same of pairs that `bf16_pair` has made: a (16, 16), b (16, 8), the pairs next to each other along the length
// that is summed over. Pair t, numbers 2 t and 2 t + 1, stands where number t stands above; numbers 2 t + 8 and 2 t + 9
// where t + 4 does.
__device__ __forceinline__ void multiply_bf16(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// A cluster: blocks that run at once and reach each other's shared memory. Before sm_90 it is one block.
#if __CUDA_ARCH__ >= 900
__device__ __forceinline__ int cluster_rank() {
  unsigned rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return int(rank);
}

// Nobody goes on behind wait before all threads of the cluster have arrived; what they wrote before that is then seen
// by all. Between the two a thread does what concerns nobody else. A warp arrives and waits as one.
__device__ __forceinline__ void arrive_cluster() {
  __syncwarp();
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}
__device__ __forceinline__ void wait_cluster() {
  __syncwarp();
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
__device__ __forceinline__ void meet_cluster() {
  arrive_cluster();
  wait_cluster();
}

// Where in another block's shared memory lies what `place` is in this one's, for reading.
__device__ __forceinline__ const real* in_block(const real* place, int block) {
  const real* there;
  asm("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(place), "r"(block));
  return there;
}

// Writes a number into another block's shared memory, where `place` lies in this one's.
__device__ __forceinline__ void put(float* place, int block, float value) {
  const unsigned here = unsigned(__cvta_generic_to_shared(place));
  asm volatile(
      "{\n\t.reg .u32 there;\n\tmapa.shared::cluster.u32 there, %0, %1;\n\tst.shared::cluster.f32 [there], %2;\n\t}"
      ::"r"(here), "r"(block), "f"(value) : "memory");
}
__device__ __forceinline__ void put(double* place, int block, double value) {
  const unsigned here = unsigned(__cvta_generic_to_shared(place));
  asm volatile(
      "{\n\t.reg .u32 there;\n\tmapa.shared::cluster.u32 there, %0, %1;\n\tst.shared::cluster.f64 [there], %2;\n\t}"
      ::"r"(here), "r"(block), "d"(value) : "memory");
}
__device__ __forceinline__ void put(unsigned* place, int block, unsigned value) {
  const unsigned here = unsigned(__cvta_generic_to_shared(place));
  asm volatile(
      "{\n\t.reg .u32 there;\n\tmapa.shared::cluster.u32 there, %0, %1;\n\tst.shared::cluster.b32 [there], %2;\n\t}"
      ::"r"(here), "r"(block), "r"(value) : "memory");
}
__device__ __forceinline__ void put(unsigned short* place, int block, unsigned short value) {
  const unsigned here = unsigned(__cvta_generic_to_shared(place));
  asm volatile(
      "{\n\t.reg .u32 there;\n\tmapa.shared::cluster.u32 there, %0, %1;\n\tst.shared::cluster.b16 [there], %2;\n\t}"
      ::"r"(here), "r"(block), "h"(value) : "memory");
}

// Two numbers next to each other, from a place of 8 bytes on.
__device__ __forceinline__ void put_pair(float* place, int block, float first, float second) {
  const unsigned here = unsigned(__cvta_generic_to_shared(place));
  asm volatile(
      "{\n\t.reg .u32 there;\n\tmapa.shared::cluster.u32 there, %0, %1;\n\t"
      "st.shared::cluster.v2.f32 [there], {%2, %3};\n\t}"
      ::"r"(here), "r"(block), "f"(first), "f"(second) : "memory");
}
#else
__device__ __forceinline__ int cluster_rank() { return 0; }
__device__ __forceinline__ void arrive_cluster() {}
__device__ __forceinline__ void wait_cluster() { __syncthreads(); }
__device__ __forceinline__ void meet_cluster() { __syncthreads(); }
__device__ __forceinline__ const real* in_block(const real* place, int) { return place; }
template <class Number>
__device__ __forceinline__ void put(Number* place, int, Number value) {
  *place = value;
}
__device__ __forceinline__ void put_pair(float* place, int, float first, float second) {
  place[0] = first;
  place[1] = second;
}
#endif

// Sums and products that are rounded by themselves: never drawn together into a fused multiply-add.
__device__ __forceinline__ float added_(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ double added_(double a, double b) { return __dadd_rn(a, b); }
__device__ __forceinline__ float multiplied_(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ double multiplied_(double a, double b) { return __dmul_rn(a, b); }

// The upper 64 of the 128 bits of a product.
__device__ __forceinline__ unsigned long long upper_product(unsigned long long a, unsigned long long b) {
  return __umul64hi(a, b);
}
