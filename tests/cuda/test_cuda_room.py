"""Kernels for a level keep to the shared memory that a block of the GPU may have, or say what they would need."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import compiled_cases as cc
from compiled_cells import USERS
from cuda_cases import run
from kernel_cases import label
from on_cpu import NEEDS_A_COMPILER, OnCpu

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.emit.tile import tile_of
from rnnkit_kernels.levels import backward_levels, forward_levels

# Bytes of a block on Turing, on GPUs for desks since Ampere, on an A100.
_ROOMS = (64 << 10, 99 << 10, 163 << 10)


@pytest.mark.parametrize("cell", [*cells.ALL, *USERS], ids=label)
def test_every_step_has_room_in_every_gpu_but_for_doubles_of_many_columns_on_turing(cell: Cell) -> None:
    levels = (*forward_levels(cell).levels, *backward_levels(cell).levels)
    for level, rows, room in product(levels, (1, 64, 500), _ROOMS):
        for rounding in (None, "tf32", "bf16"):
            for cluster in (1, 8):
                assert tile_of(level, rows, 256, rounding, 4, room, cluster=cluster).shared(4) <= room
        if room > _ROOMS[0] or len(level.columns) < 7:
            assert tile_of(level, rows, 256, None, 8, room).shared(8) <= room


def test_doubles_of_many_columns_on_turing_are_refused_in_a_sentence() -> None:
    cell = next(c for c in USERS if c.name == "SixGates")
    wide = max(forward_levels(cell).levels, key=lambda level: len(level.columns))
    with pytest.raises(
        ValueError, match=r"a product of \d+ columns takes \d+ bytes of shared memory in numbers of 8 bytes"
    ):
        tile_of(wide, 64, 256, None, 8, 40_000)


@NEEDS_A_COMPILER
@pytest.mark.parametrize("name", ["LSTM", "GRUBefore"])
def test_the_bits_are_the_same_where_less_is_asked_ahead(name: str) -> None:
    class Narrow(OnCpu):
        def room(self) -> int:
            return 50_000

        def module(self, real: str, skeleton: str, printed: str, prefix: str) -> Any:
            printed_for.append("stages = 2" in printed)
            return super().module(real, skeleton, printed, prefix)

    printed_for: list[bool] = []
    case = cc.draw(getattr(cells, name)(), (3, 33, 3, 70), seed=5)
    cc.assert_bits(run(case, Narrow(), height=8), run(case, height=8))
    assert any(printed_for)
