// CUDA threads on a CPU: stands for `sources/device.cuh` in front of a kernel's text, and brings what the text takes
// from the compiler, so that g++ builds it. Every CUDA thread is a fiber that runs until it waits for others (default),
// or, with SHIM_THREADS, a thread of the system, so that ThreadSanitizer sees what is not ordered.
//
// What it finds: wrong numbers, reads of memory that nobody wrote (shared memory is full of NaN), writes behind shared
// memory, barriers that not all reach, what depends on the order of blocks or threads (`shim_backwards`). What it
// cannot show: how wide the effect of a fence is, and anything about time.
//
// Here stand the instructions; `real` is the kernel's. launch.hpp and what it includes know nothing of `real`.
#pragma once
#include "launch.hpp"
#include "warps.hpp"

// A launch on a CPU always hands over where tables lie.
#define TABLES(Call) const Call*
template <class Call>
inline const Call* first_table(const Call* tables) { return tables; }
inline void lies_in_memory(const void*) {}
inline real reciprocal_(real a) { return real(1) / a; }
inline real* shared_memory() { return reinterpret_cast<real*>(shim::self->block->shared.data()); }
inline unsigned settled(unsigned bits) { return bits; }
inline void meet_block() { shim::self->block->barrier.meet(); }
inline float added_(float a, float b) { return a + b; }
inline double added_(double a, double b) { return a + b; }
inline float multiplied_(float a, float b) { return a * b; }
inline double multiplied_(double a, double b) { return a * b; }
inline unsigned long long upper_product(unsigned long long a, unsigned long long b) {
  return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}

inline int cluster_rank() { return int(shim::self->block->rank); }
inline void meet_cluster() { shim::self->block->cluster_barrier->meet(); }
inline void arrive_cluster() { shim::self->arrived = shim::self->block->cluster_barrier->arrive(); }
inline void wait_cluster() { shim::self->block->cluster_barrier->wait(shim::self->arrived); }
template <class T>
inline T* in_block(T* place, int block) {
  using Byte = std::conditional_t<std::is_const_v<T>, const unsigned char, unsigned char>;
  const auto at = reinterpret_cast<Byte*>(place) - shim::self->block->shared.data();
  return reinterpret_cast<T*>((*shim::self->block->cluster)[block]->shared.data() + at);
}
template <class T>
inline void put(T* place, int block, T value) {
  *in_block(place, block) = value;
}
inline void put_pair(float* place, int block, float first, float second) {
  if (reinterpret_cast<uintptr_t>(place) % 8) shim::fault = "a pair begins at an address that 8 does not divide";
  put(place, block, first);
  put(place + 1, block, second);
}

// Backwards a copy is made at once: who still reads what stood there finds the new.
template <int BYTES>
inline void copy_ahead(void* there, const void* from, int given) {
  const shim::Copy copy{there, from, BYTES, given};
  if ((reinterpret_cast<uintptr_t>(there) | reinterpret_cast<uintptr_t>(from)) % BYTES)
    shim::fault = "a copy begins at an address that its bytes do not divide";
  if (shim_backwards)
    copy.make();
  else
    shim::self->copies.add(copy);
}
inline void close_copies() { shim::self->copies.close(); }
template <int OPEN>
inline void wait_copies() {
  shim::self->copies.wait(OPEN);
}
