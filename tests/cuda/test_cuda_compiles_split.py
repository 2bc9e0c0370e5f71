"""Kernels for single levels whose tiles a cluster shares compile and keep everything in registers."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import nvrtc
from compiled_cells import USERS
from kernel_cases import label
from thinned import thinned

from rnnkit_kernels import cells
from rnnkit_kernels.cuda_gpu.compiled import CompiledCell, compiled_cell
from rnnkit_kernels.cuda_gpu.emit.places import Options
from rnnkit_kernels.cuda_gpu.source import assembled

MOST = 128  # a thread's registers: 512 threads share the 65536 of a multiprocessor
_SIZES = ((1, 256), (16, 512), (64, 128), (64, 256), (64, 512), (128, 1024), (256, 1024))
_ALWAYS = {
    ("LSTM", "tf32", 128, 1024), ("LSTM", "bf16", 256, 1024), ("LayerNormLSTM", "bf16", 128, 1024),
    ("GRU", "tf32", 64, 512),
}  # fmt: skip


def _chosen() -> list[Any]:
    """Programs whose tiles are shared, each once."""
    found: dict[Any, Any] = {}
    for cell, back, rounding, sizes in product((*cells.ALL, *USERS), (False, True), ("tf32", "bf16"), _SIZES):
        program = compiled_cell(cell, back, Options("float", True, True, rounding), *sizes, cluster=8)
        always = (cell.name, rounding, *sizes) in _ALWAYS
        if all(tile.split == 1 for tile in program.tiles) or (program in found and not always):
            continue
        words = [label(cell), "back" if back else "there", rounding, *map(str, sizes)]
        found[program] = pytest.param(program, id="-".join(words), marks=[] if always else pytest.mark.slow)
    return thinned(found.values(), 7)


@nvrtc.NEEDS_NVRTC
@pytest.mark.parametrize("program", _chosen())
def test_a_kernel_whose_tiles_are_shared_spills_nothing_where_it_is_chosen(program: CompiledCell) -> None:
    _, usage = nvrtc.compiled(assembled("float", "level.cuh", program.text), "sm_90")
    for launch in program.launches(128, 1024):
        used = usage[launch.kernel]
        assert (used.stack, used.spill_stores, used.spill_loads, used.shared) == (0, 0, 0, 0), f"{launch}: {used}"
        assert used.registers <= MOST, f"{launch}: {used}"
        assert used.registers * launch.threads <= 1 << 16, f"{launch} asks for more registers than there are: {used}"
