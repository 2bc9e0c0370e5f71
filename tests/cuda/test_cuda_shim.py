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
def test_lanes_of_a_warp_exchange_values(backwards: bool) -> None:
    out = _launched("summed", backwards=backwards)
    np.testing.assert_array_equal(out[:32], sum(range(32)))
    np.testing.assert_array_equal(out[32:], sum(range(32, 64)))


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
