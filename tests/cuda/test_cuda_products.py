"""Products that CuPy makes round to TF32 where a backend says so, and nowhere else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import compiled_cases as cc
import numpy as np
import pytest
from cuda_cases import run
from on_cpu import NEEDS_A_COMPILER, OnCpu

from rnnkit_kernels import cells
from rnnkit_kernels.cuda_gpu.cupy_place import CupyPlace
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.products import products

STRICT, TF32, OTHER = "default", "tf32", "what it was"


def cupy_with(setting: str) -> Any:
    """CuPy, as far as its setting goes."""
    kept = {np.dtype(np.float32): setting}
    core = SimpleNamespace(
        get_compute_type=lambda dtype: kept[np.dtype(dtype)],
        set_compute_type=lambda dtype, kind: kept.update({np.dtype(dtype): kind}),
        _routines_linalg=SimpleNamespace(COMPUTE_TYPE_DEFAULT=STRICT, COMPUTE_TYPE_TF32=TF32),
    )
    return SimpleNamespace(_core=core, setting=lambda: kept[np.dtype(np.float32)])


@pytest.mark.parametrize(("rounding", "within"), [(None, STRICT), ("tf32", TF32), ("bf16", TF32)])
def test_products_round_within_the_block_as_the_backend_says_and_afterwards_as_before(
    rounding: Any, within: str
) -> None:
    cupy = cupy_with(OTHER)
    with CupyPlace(cupy).products(rounding):
        assert cupy.setting() == within
        with products(cupy, None):
            assert cupy.setting() == STRICT
        assert cupy.setting() == within
    assert cupy.setting() == OTHER


def test_an_error_within_the_block_leaves_the_setting_as_it_was() -> None:
    cupy = cupy_with(OTHER)
    with pytest.raises(ZeroDivisionError), products(cupy, "tf32"):
        raise ZeroDivisionError
    assert cupy.setting() == OTHER


class _Noting(OnCpu):
    """A place that notes which products are made, and under what."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []

    def products(self, rounding: Any) -> Any:
        self.asked.append(rounding)
        return super().products(rounding)


@NEEDS_A_COMPILER
@pytest.mark.parametrize("division", [None, Division(6, 2, 1, 2)], ids=["levels", "all steps"])
@pytest.mark.parametrize("rounding", [None, "tf32", "bf16"])
def test_a_recurrence_asks_for_its_products_under_its_own_rounding_there_and_back(rounding: Any, division: Any) -> None:
    place = _Noting()
    run(cc.draw(cells.LSTM(), (3, 5, 2, 6), "float32"), place, rounding=rounding, division=division)
    assert place.asked == [rounding, rounding]
