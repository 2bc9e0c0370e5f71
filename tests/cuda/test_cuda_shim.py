"""The shim that runs kernels on the CPU finds what a GPU would do wrong: the test of the tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from on_cpu import NEEDS_A_COMPILER, SHIM, ModuleOnCpu, OnCpu, built

from rnnkit_kernels.cuda_gpu.place import Launch

pytestmark = NEEDS_A_COMPILER

_TEXT = """
struct Call { real* out; long long rows; };

extern "C" __global__ void skipping(const Call* table, int place) {
  if (threadIdx.x < 32) meet_block();
  table->out[0] = place;
}
extern "C" __global__ void leaving(const Call* table, int place) {
  if (threadIdx.x == 3) return;
  meet_block();
}
extern "C" __global__ void numbers(const Call* table, int place) {
  const long long at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at < table->rows) table->out[at] = real(at) + place;
}
extern "C" __global__ void unchecked(const Call* table, int place) {
  table->out[blockIdx.x * blockDim.x + threadIdx.x] = place;
}
extern "C" __global__ void before(const Call* table, int place) { table->out[int(threadIdx.x) - 1] = place; }
extern "C" __global__ void beyond(const Call* table, int place) { shared_memory()[threadIdx.x + 1] = place; }
extern "C" __global__ void unwritten(const Call* table, int place) { table->out[threadIdx.x] = shared_memory()[0]; }
extern "C" __global__ void late(const Call* table, int place) {
  real* shared = shared_memory();
  shared[threadIdx.x] = threadIdx.x;
  const real found = shared[(threadIdx.x + 1) % blockDim.x];
  meet_block();
  table->out[threadIdx.x] = found;
}
extern "C" __global__ void others(const Call* table, int stays) {
  real* shared = shared_memory();
  shared[threadIdx.x] = 10 * cluster_rank() + threadIdx.x;
  meet_cluster();
  const real found = *in_block(shared + threadIdx.x, 1 - cluster_rank());
  table->out[cluster_rank() * blockDim.x + threadIdx.x] = found;
  if (stays) meet_cluster();
}
extern "C" __global__ void crooked(const Call* table, int place) {
  copy_ahead<16>(shared_memory(), table->out + 1, 16);
  close_copies();
  wait_copies<0>();
}
extern "C" __global__ void summed(const Call* table, int place) {
  real total = threadIdx.x;
  for (int other = 1; other < 32; other *= 2) total += exchanged(total, other);
  table->out[threadIdx.x] = total;
}
// a (16, K) and b (K, 8) stand one behind the other, and sums (16, 8) behind them; K = 8 for TF32, 16 for bf16.
extern "C" __global__ void tiles(const Call* table, int half) {
  const int lane = threadIdx.x, g = lane / 4, t = lane % 4, K = half ? 16 : 8;
  real *a = table->out, *b = a + 16 * K, *to = b + 8 * K;
  float sums[4] = {};
  unsigned x[4], y[2];
  for (int n = 0; n < 4; ++n) {
    const real* at = a + (g + n % 2 * 8) * K + (half ? 2 * t + n / 2 * 8 : t + n / 2 * 4);
    x[n] = half ? bf16_pair(at[0], at[1]) : tf32_of(at[0]);
  }
  for (int n = 0; n < 2; ++n) {
    const real* at = b + (half ? 2 * t + n * 8 : t + n * 4) * 8 + g;
    y[n] = half ? bf16_pair(at[0], at[8]) : tf32_of(at[0]);
  }
  if (half) multiply_bf16(sums, x, y); else multiply_tf32(sums, x, y);
  for (int n = 0; n < 4; ++n) to[(g + n / 2 * 8) * 8 + 2 * t + n % 2] = sums[n];
}
"""


def _module(backwards: bool = False) -> ModuleOnCpu:
    return ModuleOnCpu(built("typedef double real;\n" + SHIM + _TEXT), backwards)


def _launched(kernel: str, *, size: int = 64, blocks: int = 1, threads: int = 64, backwards: bool = False) -> Any:
    place = OnCpu()
    out = place.xp.empty((size,), np.float64)
    table = place.table([place.address(out), size])
    _module(backwards).repeat([Launch(kernel, (blocks, 1), threads, 8 * threads)], table, 1)
    return out


@pytest.mark.parametrize("kernel", ["skipping", "leaving"])
def test_threads_that_wait_for_ever_end_the_launch_with_a_sentence(kernel: str) -> None:
    with pytest.raises(
        AssertionError, match=rf"{kernel}: thread \d+ of block \(0, 0\) waits at a barrier that not all"
    ):
        _launched(kernel)
    np.testing.assert_array_equal(_launched("numbers"), np.arange(64))  # and the next one runs


def test_a_grid_that_is_larger_than_the_array_writes_behind_it_unless_it_is_checked() -> None:
    np.testing.assert_array_equal(_launched("numbers", size=100, blocks=2), np.arange(100))
    with pytest.raises(AssertionError, match=r"writes behind an array of shape \(100,\)"):
        _launched("unchecked", size=100, blocks=2)


def test_what_is_written_before_an_array_is_found() -> None:
    with pytest.raises(AssertionError, match="writes before an array"):
        _launched("before")


def test_what_is_written_behind_shared_memory_is_found() -> None:
    with pytest.raises(AssertionError, match="beyond: a block writes behind the shared memory that it asked for"):
        _launched("beyond")


def test_a_copy_of_sixteen_bytes_that_begins_between_them_is_found() -> None:
    with pytest.raises(AssertionError, match="crooked: a copy begins at an address that its bytes do not divide"):
        _launched("crooked")


def test_what_nobody_wrote_is_nan_in_arrays_and_in_shared_memory() -> None:
    place = OnCpu()
    for dtype in (np.float32, np.float64):
        assert np.isnan(place.xp.empty((3, 5), dtype)).all()
        assert np.isnan(place.xp.empty_like(np.zeros((2, 3), dtype))).all()
    assert np.isnan(_launched("unwritten")).all()


def test_what_is_read_before_it_is_surely_written_depends_on_the_order_of_threads() -> None:
    assert np.isnan(_launched("late")).any()
    assert not np.array_equal(np.isnan(_launched("late")), np.isnan(_launched("late", backwards=True)))


@pytest.mark.parametrize("backwards", [False, True])
def test_a_block_reads_what_another_of_its_cluster_holds_as_long_as_that_has_not_ended(backwards: bool) -> None:
    for stays in (1, 0):
        place = OnCpu()
        out = place.xp.empty((8,), np.float64)
        launch = Launch("others", (2, 1), 4, 32, 2)
        _module(backwards).launch(launch, place.table([place.address(out), 8]), stays)
        there = [10, 11, 12, 13, 0, 1, 2, 3]
        assert np.array_equal(out, there) == bool(stays)
        assert np.isnan(out).any() == (not stays)


@pytest.mark.parametrize("backwards", [False, True])
def test_lanes_of_a_warp_exchange_values(backwards: bool) -> None:
    out = _launched("summed", backwards=backwards)
    np.testing.assert_array_equal(out[:32], sum(range(32)))
    np.testing.assert_array_equal(out[32:], sum(range(32, 64)))


def _rounded(a: Any, bits: int) -> Any:
    """To so many bits behind the point."""
    mantissa, exponent = np.frexp(a)
    return np.ldexp(np.round(np.ldexp(mantissa, bits + 1)), exponent - bits - 1)


@pytest.mark.parametrize(("half", "length", "bits"), [(0, 8, 10), (1, 16, 7)], ids=["TF32", "bf16"])
def test_a_warp_multiplies_rounded_tiles(half: int, length: int, bits: int) -> None:
    place, rng = OnCpu(), np.random.default_rng(3)
    a, b = rng.standard_normal((16, length)), rng.standard_normal((length, 8))
    whole = np.concatenate([a.ravel(), b.ravel(), np.zeros(16 * 8)])
    _module().launch(Launch("tiles", (1, 1), 32, 0), place.table([place.address(whole), 0]), half)
    sums = whole[-16 * 8 :].reshape(16, 8)
    np.testing.assert_allclose(sums, _rounded(a, bits) @ _rounded(b, bits), rtol=0, atol=1e-5)
    assert np.abs(sums - a @ b).max() > 1e-4


@pytest.mark.parametrize(
    ("launch", "sentence"),
    [
        (Launch("numbers", (0, 1), 64, 0), "cannot have 0 blocks"),
        (Launch("numbers", (1, 1 << 16), 64, 0), "cannot have 65536 blocks below each other"),
        (Launch("numbers", (1, 1), 2048, 0), "cannot have 2048 threads"),
        (Launch("numbers", (1, 1), 64, 1 << 20), "asks for 1048576 bytes of shared memory"),
        (Launch("numbers", (3, 1), 64, 0, 2), "3 blocks do not make clusters of 2"),
    ],
)
def test_what_no_gpu_launches_is_refused(launch: Launch, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        _module().launch(launch, OnCpu().table([0, 0]), 0)


def test_a_text_that_is_no_cpp_is_refused_with_the_compilers_words() -> None:
    with pytest.raises(AssertionError, match="error"):
        built("this is no kernel;")
