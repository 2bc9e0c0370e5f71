"""Passes over single arrays for a GPU, run on the CPU: NumPy's random numbers and the textbook's sums, bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cuda_numbers import numbers, same
from hypothesis import given, settings
from hypothesis import strategies as st
from nvrtc import NEEDS_NVRTC, compiled
from on_cpu import NEEDS_A_COMPILER, OnCpu

from rnnkit_kernels.cuda_gpu.elementwise import CudaElementwise
from rnnkit_kernels.cuda_gpu.source import assembled
from rnnkit_kernels.elementwise import Elementwise
from rnnkit_kernels.pcg64 import leap, powers, taken

TEXTBOOK, CUDA = Elementwise(), CudaElementwise(OnCpu())
DTYPES = ("float32", "float64")
BLOCK = 4096  # random numbers that a block draws
few = settings(max_examples=25, derandomize=True, deadline=None)


def generators(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Two of one seed, in the middle of a word: half of it is kept for the next draw of 32 bits."""
    pair = np.random.default_rng(seed), np.random.default_rng(seed)
    for rng in pair:
        rng.integers(0, 9, 3, dtype=np.int32)
        assert rng.bit_generator.state["has_uint32"] == 1
    return pair


@NEEDS_A_COMPILER
@pytest.mark.parametrize("dtype", DTYPES)
@given(
    shape=st.sampled_from(
        [(), (0,), (1,), (255,), (257,), (4, 3), (3, 1, 7), (16, 16, 16), (5, 50, 33), (3, 17, 1000)]
    ),
    rate=st.sampled_from([0.0, 0.1, 0.5, 1 / 3, 0.9, 2.0**-53, 1 - 2.0**-53, 1e-300]),
    seed=st.integers(0, 99),
)
@few
def test_a_seed_gives_the_masks_and_leaves_the_generator_that_it_does_on_a_cpu(
    dtype: str, shape: tuple[int, ...], rate: float, seed: int
) -> None:
    ours, numpys = generators(seed)
    for _ in range(2):
        same(CUDA.dropout(ours, shape, rate, dtype), TEXTBOOK.dropout(numpys, shape, rate, dtype))
        same(CUDA.random(ours, shape, dtype), np.asarray(numpys.random(shape)).astype(dtype))
    assert ours.bit_generator.state == numpys.bit_generator.state
    assert ours.integers(0, 1 << 30, dtype=np.int32) == numpys.integers(0, 1 << 30, dtype=np.int32)


@NEEDS_A_COMPILER
@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 37 * BLOCK + 300])
def test_every_block_begins_at_its_own_place_of_the_stream(size: int) -> None:
    ours, numpys = generators(size)
    same(CUDA.random(ours, (size,), "float64"), numpys.random(size))


def test_any_number_of_steps_is_one_leap_of_the_generator() -> None:
    for count in (0, 1, 2, 3, 1000, 2**40 + 12345):
        rng, advanced = np.random.default_rng(4), np.random.default_rng(4)
        before = rng.bit_generator.state["state"]
        assert taken(rng, count) == (before["state"], before["inc"])
        advanced.bit_generator.advance(count)
        assert rng.bit_generator.state == advanced.bit_generator.state
    increment = before["inc"]
    assert powers(increment)[47] == leap(2**47, increment)
    assert powers(increment)[0] == leap(1, increment)


@NEEDS_A_COMPILER
def test_a_number_that_is_just_the_rate_is_kept_and_one_below_it_dropped() -> None:
    drawn = np.random.default_rng(3).random(50)
    for k, rate in enumerate(drawn):
        assert CUDA.dropout(np.random.default_rng(3), (50,), rate, "float64")[k] > 0
        assert CUDA.dropout(np.random.default_rng(3), (50,), np.nextafter(rate, 1), "float64")[k] == 0


@NEEDS_A_COMPILER
def test_also_where_the_bits_that_are_left_out_of_a_number_are_all_zero() -> None:
    raw = np.random.PCG64(3).random_raw(20000)
    k = int(np.flatnonzero(raw % 2**11 == 0)[0])
    rate = float(raw[k] >> np.uint64(11)) / 2**53
    assert np.random.default_rng(3).random(k + 1)[k] == rate
    assert CUDA.dropout(np.random.default_rng(3), (k + 1,), rate, "float64")[k] > 0


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.PCG64DXSM, np.random.SFC64])
def test_another_generator_draws_for_itself(kind: Any) -> None:
    ours, numpys = (np.random.Generator(kind(5)) for _ in range(2))
    same(CUDA.dropout(ours, (7, 3), 0.4, "float32"), TEXTBOOK.dropout(numpys, (7, 3), 0.4, "float32"))
    same(CUDA.random(ours, (7, 3), "float32"), numpys.random((7, 3)).astype("float32"))
    assert ours.random() == numpys.random()


@NEEDS_A_COMPILER
@pytest.mark.parametrize("dtype", DTYPES)
@given(
    index=st.sampled_from([(0,), (1,), (5,), (40, 30), (2, 3, 4), (16,), (33,)]),
    columns=st.sampled_from([1, 2, 31, 32, 33, 70]),
    rows=st.sampled_from([1, 2, 9, 1000]),
    seed=st.integers(0, 99),
)
@few
def test_rows_are_summed_in_the_order_of_their_places(
    dtype: str, index: tuple[int, ...], columns: int, rows: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    places, table, d = rng.integers(0, rows, index), numbers((rows, columns), dtype), numbers((*index, columns), dtype)
    same(CUDA.rows(table, places), TEXTBOOK.rows(table, places))
    for given_d in (d, d[::-1], np.asfortranarray(d)):
        same(CUDA.summed_by_row(places, given_d, rows), TEXTBOOK.summed_by_row(places, given_d, rows))
    turned = places.T.copy().T
    same(CUDA.summed_by_row(turned, d, rows), TEXTBOOK.summed_by_row(places, d, rows))


@NEEDS_A_COMPILER
def test_negative_zeros_sum_to_zero_and_nan_stays_in_its_column() -> None:
    d = np.array([[-0.0, np.nan, np.inf], [-0.0, 1.0, -np.inf], [2.0, 3.0, 4.0]])
    for places in ([1, 1, 0], [2, 2, 2], [0, 1, 2]):
        with np.errstate(invalid="ignore"):
            same(CUDA.summed_by_row(np.array(places), d, 4), TEXTBOOK.summed_by_row(np.array(places), d, 4))


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_left_to_the_arrays_own_functions_is_the_textbooks(dtype: str) -> None:
    a, b = numbers((2, 3, 4), dtype, special=True), numbers((2, 3, 4), dtype, 1)
    same(CUDA.relu(a), TEXTBOOK.relu(a))
    same(CUDA.relu_back(a, b), TEXTBOOK.relu_back(a, b))
    same(CUDA.product(a, b[:, :1]), TEXTBOOK.product(a, b[:, :1]))
    same(CUDA.total(a, b), TEXTBOOK.total(a, b))
    same(CUDA.joined(a, b[..., :1]), TEXTBOOK.joined(a, b[..., :1]))
    assert CUDA.origin == "cuda"


def test_arrays_that_kernels_have_no_numbers_for_are_refused() -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    with pytest.raises(TypeError, match="dropout: kernels take float32 or float64, got float16"):
        CUDA.dropout(rng, (3,), 0.5, "float16")
    with pytest.raises(TypeError, match="random numbers: kernels take float32 or float64, got complex128"):
        CUDA.random(rng, (3,), "complex128")
    with pytest.raises(TypeError, match="rows by index: kernels take float32 or float64, got int64"):
        CUDA.summed_by_row(np.zeros(3, np.int64), np.zeros((3, 2), np.int64), 4)
    assert rng.bit_generator.state == before


@NEEDS_A_COMPILER
def test_the_bits_do_not_depend_on_which_blocks_and_threads_come_first() -> None:
    other = CudaElementwise(OnCpu(backwards=True))
    d = numbers((300, 40), "float32")
    places = np.random.default_rng(0).integers(0, 7, 300)
    for _ in range(20):
        same(other.summed_by_row(places, d, 9), CUDA.summed_by_row(places, d, 9))
    drawn = [e.random(np.random.default_rng(1), (9000,), "float64") for e in (other, CUDA)]
    same(*drawn)


@NEEDS_NVRTC
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize(("skeleton", "most"), [("pcg64.cuh", 40), ("rows.cuh", 64), ("sums.cuh", 64)])
def test_every_kernel_compiles_without_spills(skeleton: str, most: int, real: str, architecture: str) -> None:
    _, usage = compiled(assembled(real, skeleton, ""), architecture)
    assert usage
    for name, taken_ in usage.items():
        assert (taken_.stack, taken_.spill_stores, taken_.spill_loads) == (0, 0, 0), name
        assert taken_.registers <= most, name
