"""Kernels for all steps of tensor cores and of clusters of 16 blocks compile and keep everything in registers."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import nvrtc
from kernel_cases import label
from thinned import thinned

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.choice import choose
from rnnkit_kernels.cuda_gpu.compiled import compiled_cell
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.emit.places import Options
from rnnkit_kernels.cuda_gpu.emit.tensor_division import TensorDivision
from rnnkit_kernels.cuda_gpu.source import assembled, part

pytestmark = nvrtc.NEEDS_NVRTC

_ALWAYS = {("LSTM", 512, "bf16"), ("LSTM", 256, "tf32"), ("LayerNormLSTM", 256, "tf32"), ("LayerNormLSTM", 256, None)}


def _chosen() -> list[Any]:
    """Divisions of 16 blocks and of tensor cores, each once. What always runs: the largest of an LSTM and of one that
    is layer-normalised, both ways."""
    found: dict[Any, Any] = {}
    kinds = product((None, "tf32", "bf16"), (0, 8), (64, 500), (16, 64, 128, 200, 256, 320, 512))
    for (cell, back), (rounding, large, rows, units) in product(product(cells.ALL, (False, True)), kinds):
        division = choose(cell, back, units, rows, 4, 132, 90, rounding, large)
        if division is None or (not isinstance(division, TensorDivision) and division.cluster <= 8):
            continue
        rounds = rounding if isinstance(division, TensorDivision) else None
        always = (cell.name, units, rounds) in _ALWAYS and rows == 64
        case = cell, back, rounds, division
        if case in found and not always:
            continue
        size = f"split {division.split}, cluster {division.cluster}, rows {division.rows}"
        words = [label(cell), "back" if back else "there", str(rounds), f"{units} units", size]
        found[case] = pytest.param(*case, id="-".join(words), marks=[] if always else pytest.mark.slow)
    return thinned(found.values(), 5)


@pytest.mark.parametrize(("cell", "back", "rounding", "division"), _chosen())
def test_a_kernel_spills_nothing_where_it_is_chosen(
    cell: Cell, back: bool, rounding: str | None, division: Division
) -> None:
    _assert_in_registers(cell, back, rounding, division, "sm_90")


@pytest.mark.parametrize(("back", "rounding"), [(False, "tf32"), (True, "bf16")])
def test_a_kernel_of_tensor_cores_without_clusters_spills_nothing_on_an_older_gpu(back: bool, rounding: str) -> None:
    _assert_in_registers(cells.LSTM(), back, rounding, TensorDivision(32, 8, 1), "sm_80")


def test_the_kernel_that_counts_large_clusters_spills_nothing() -> None:
    _, usage = nvrtc.compiled(part("clusters.cuh"), "sm_90")
    assert (usage["clusters_at_once"].stack, usage["clusters_at_once"].spill_stores) == (0, 0)


def _assert_in_registers(cell: Cell, back: bool, rounding: str | None, division: Division, architecture: str) -> None:
    program = compiled_cell(cell, back, Options("float", True, True, rounding), 64, division.units, division)
    (launch,) = program.launches(64, division.units)
    nvrtc.assert_in_registers(assembled("float", "persistent.cuh", program.text), launch, architecture)
