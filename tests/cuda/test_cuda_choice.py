"""Which kernels are chosen: what may be rounded, what a GPU's clusters allow, and what a GPU is asked for that."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import compiled_cases as cc
from kernel_cases import label
from on_cpu import NEEDS_A_COMPILER, OnCpu

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.choice import choose, chosen
from rnnkit_kernels.cuda_gpu.compiled import compiled_cell
from rnnkit_kernels.cuda_gpu.emit.places import Options
from rnnkit_kernels.cuda_gpu.emit.tensor_division import TensorDivision
from rnnkit_kernels.cuda_gpu.kernel import CudaKernel

LSTM, H200 = cells.LSTM(), (132, 90)
SIZES = tuple(product((1, 64, 500), (16, 100, 128, 256, 512)))


@pytest.mark.parametrize("cell", cells.ALL, ids=label)
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
@pytest.mark.parametrize("rounding", ["tf32", "bf16"])
def test_what_is_chosen_for_tensor_cores_fits_the_gpu(cell: Cell, back: bool, rounding: str) -> None:
    found = 0
    for (rows, units), gpu, large in product(SIZES, (H200, (108, 80), (68, 75)), (0, 8)):
        division = choose(cell, back, units, rows, 4, *gpu, rounding, large)
        if not isinstance(division, TensorDivision):
            continue
        found += 1
        assert division.units == units
        assert division.threads <= 256
        assert gpu[1] >= 80, "there are no tensor cores for numbers of float's range"
        assert division.cluster <= (1 if gpu[1] < 90 else 16 if large else 8)
        kernel = compiled_cell(cell, back, Options("float", True, True, rounding), rows, units, division).persistent
        assert kernel.shared_bytes() <= (96 if gpu[1] < 90 else 160) << 10
    assert found, "tensor cores are never chosen"


@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_nothing_is_rounded_that_was_not_asked_for_or_has_64_bits(back: bool) -> None:
    for (rows, units), large in product(SIZES, (0, 8)):
        plain = choose(LSTM, back, units, rows, 4, *H200, None, large)
        assert not isinstance(plain, TensorDivision)
        exact = choose(LSTM, back, units, rows, 8, *H200, "bf16", large)
        assert not isinstance(exact, TensorDivision)
        assert exact == choose(LSTM, back, units, rows, 8, *H200, None, large)


@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_clusters_of_16_take_512_units_in_bf16_and_a_layer_norm_of_256(back: bool) -> None:
    wide = choose(LSTM, back, 512, 64, 4, *H200, "bf16", 8)
    assert isinstance(wide, TensorDivision)
    assert (wide.cluster, wide.own, wide.threads) == (16, 32, 256)
    assert choose(LSTM, back, 512, 64, 4, *H200, "bf16", 0) is None
    for rounding in (None, "tf32"):
        normed = choose(cells.LayerNormLSTM(), True, 256, 64, 4, *H200, rounding, 8)
        assert normed is not None
        assert normed.cluster == 16
        assert choose(cells.LayerNormLSTM(), True, 256, 64, 4, *H200, rounding, 0) is None


def test_a_gpu_with_room_for_few_large_clusters_gets_smaller_ones_where_those_are_faster() -> None:
    found = [choose(LSTM, False, 256, 64, 4, *H200, "tf32", large) for large in (8, 7)]
    assert [d.cluster for d in found if d is not None] == [16, 8]


class _Asked:
    """A place that tells how often it is asked for large clusters."""

    def __init__(self, large: int) -> None:
        self.large, self.asked = large, 0

    def processors(self) -> tuple[int, int]:
        return H200

    def large_clusters(self) -> int:
        self.asked += 1
        return self.large


@pytest.mark.parametrize("large", [0, 7, 8])
def test_a_gpu_is_asked_for_large_clusters_only_where_one_would_be_taken(large: int) -> None:
    place: Any = _Asked(large)
    assert chosen(place, LSTM, False, 128, 64, 4, None) == choose(LSTM, False, 128, 64, 4, *H200)
    assert place.asked == 0
    found = chosen(place, LSTM, False, 512, 64, 4, "bf16")
    assert place.asked == 1
    assert found == choose(LSTM, False, 512, 64, 4, *H200, "bf16", large)
    assert (found is None) == (large == 0)


@NEEDS_A_COMPILER
def test_a_kernel_rounds_where_that_is_chosen_for_its_gpu() -> None:
    case, gpu = cc.draw(LSTM, (3, 9, 2, 16), "float32"), (2, 80)
    place = OnCpu(gpu=gpu)
    assert isinstance(choose(LSTM, False, 16, 9, 4, *gpu, "bf16"), TensorDivision)
    told = {}
    for rounding in (None, "bf16"):
        kernel = CudaKernel(LSTM, place=place, rounding=rounding)
        told[rounding] = kernel.forward(case.weights, case.x, case.state0, mask=case.mask, drop=case.drop)[0]
    off = np.abs(told["bf16"] - told[None]).max()
    assert 1e-5 < off < 3 * 2**-7
