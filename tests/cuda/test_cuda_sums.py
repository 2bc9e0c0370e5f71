"""The sum of a matrix's rows, by kernels of their own: NumPy's in float64, the same bits always, on any grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from on_cpu import NEEDS_A_COMPILER, Guarded, OnCpu

from rnnkit_kernels.cuda_gpu import sums
from rnnkit_kernels.cuda_gpu.sums import sum_of_rows


def _matrix(rows: int, columns: int, dtype: Any) -> Any:
    return np.random.default_rng([rows, columns]).standard_normal((rows, columns)).astype(dtype)


def _there(a: Any) -> Any:
    """Between guard zones."""
    found = Guarded.empty(a.shape, a.dtype)
    found[...] = a
    return found


@NEEDS_A_COMPILER
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(max_examples=25, derandomize=True, deadline=None)
@given(
    rows=st.sampled_from([1, 2, 7, 8, 9, 31, 63, 64, 65, 97, 200, 515]),
    columns=st.sampled_from([1, 3, 31, 32, 33, 80, 255, 256, 257, 300]),
)
def test_every_column_is_the_sum_of_its_numbers(dtype: str, rows: int, columns: int) -> None:
    a = _matrix(rows, columns, dtype)
    found, right = sum_of_rows(OnCpu(), _there(a)), a.astype(float).sum(axis=0)
    assert (found.shape, found.dtype) == ((columns,), a.dtype)
    np.testing.assert_allclose(found, right, rtol=0, atol=rows * np.finfo(dtype).eps * np.abs(a).max())


@NEEDS_A_COMPILER
def test_the_bits_do_not_depend_on_which_blocks_and_threads_come_first() -> None:
    a = _matrix(515, 70, "float32")
    np.testing.assert_array_equal(sum_of_rows(OnCpu(backwards=True), a), sum_of_rows(OnCpu(), a))


@NEEDS_A_COMPILER
def test_what_is_no_number_shows_in_its_own_column() -> None:
    a = _matrix(70, 5, "float64")
    a[69, 2], a[3, 4] = np.nan, np.inf
    assert np.isfinite(sum_of_rows(OnCpu(), a)).tolist() == [True, True, False, True, False]


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0)])
def test_the_sum_of_nothing_is_zero(shape: tuple[int, int]) -> None:
    found = sum_of_rows(OnCpu(), np.zeros(shape, "f"))
    np.testing.assert_array_equal(found, np.zeros(shape[1], "f"))


def test_numbers_that_kernels_have_no_name_for_are_refused() -> None:
    with pytest.raises(TypeError, match="the sum of rows: kernels take float32 or float64, got int64"):
        sum_of_rows(OnCpu(), np.zeros((2, 3), np.int64))


@pytest.mark.parametrize(
    ("rows", "columns", "grid"),
    [(1600, 80, (3, 25)), (6400, 1024, (32, 8)), (32768, 2048, (64, 4)), (32768, 16384, (512, 1)), (10, 8, (1, 1))],
)
def test_many_rows_are_cut_until_a_large_gpu_has_enough_to_do(rows: int, columns: int, grid: Any) -> None:
    class Noting(OnCpu):
        def module(self, *text: str) -> Any:
            return self

        def repeat(self, launches: Any, table: Any, steps: int) -> None:
            launched.extend(launches)

    launched: list[Any] = []
    sum_of_rows(Noting(), Guarded.empty((rows, columns), "f"))
    assert launched[0].blocks == grid
    assert launched[1].blocks == (-(-columns // sums._THREADS), 1)
