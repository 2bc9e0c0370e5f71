"""A kernel for every level of a step, for a GPU, run on the CPU: every field is the float64 textbook's."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import compiled_cases as cc
from compiled_cells import USERS
from cuda_cases import assert_the_textbooks, cases, run
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import VARIANTS, derived, label, steady
from on_cpu import NEEDS_A_COMPILER, OnCpu

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.backward import backward
from rnnkit_kernels.cuda_gpu.emit.tile import tile_of
from rnnkit_kernels.cuda_gpu.place import Launch
from rnnkit_kernels.cuda_gpu.recurrence import forward
from rnnkit_kernels.levels import forward_levels

pytestmark = NEEDS_A_COMPILER

# A text takes a compiler about a second, so what runs always has every cell, every option and both tiles, and not all
# of them together.
_ALWAYS_USERS = ("SixGates", "TwoProducts", "Attending", "FiveGates")
_ALWAYS_ACTIVATIONS = ("swish", "gelu", "softmax")


def _marked(cell: Cell, dtype: str, masked: bool, dropped: bool, height: int) -> Any:
    plain = dtype == "float64" and masked and dropped
    tall = height == 32
    always = (
        (plain and tall and (cell in cells.ALL or cell.name in _ALWAYS_USERS))
        or (plain and height == 8 and cell.name in ("LSTM", "GRUBefore", "LayerNormLSTM"))
        or (dtype == "float32" and masked and dropped and tall and cell.name in ("LSTM", "GRU", "LayerNormLSTM"))
        or (dtype == "float64" and tall and cell.name == "LSTM")
        or (dtype == "float64" and tall and not masked and not dropped and cell.name == "GRUBefore")
    )
    words = [label(cell), dtype, *["masked"] * masked, *["dropped"] * dropped, f"{height} rows"]
    marks = [] if always else pytest.mark.slow
    return pytest.param(cell, dtype, masked, dropped, height, id="-".join(words), marks=marks)


_COMBINATIONS = dict.fromkeys(
    (
        *product((*cells.ALL, *USERS), ("float64",), (True,), (True,), (32,)),
        *product((*cells.ALL, *USERS), ("float32",), (False,), (False,), (8,)),
        *product((cells.LSTM(), cells.GRUBefore()), ("float64",), (True, False), (True, False), (32,)),
        *product((cells.LSTM(), cells.GRU(), cells.LayerNormLSTM()), ("float32",), (True,), (True,), (16, 32)),
        *product((cells.LSTM(), cells.GRUBefore(), cells.LayerNormLSTM()), ("float64",), (True,), (True,), (8,)),
    )
)
TABLE = [_marked(*combination) for combination in _COMBINATIONS]


@pytest.mark.parametrize(("cell", "dtype", "masked", "dropped", "height"), TABLE)
@steady(max_examples=6)
@given(data=st.data())
def test_every_field_is_the_textbooks_in_every_shape(
    cell: Cell, dtype: str, masked: bool, dropped: bool, height: int, data: Any
) -> None:
    case = data.draw(cases(cell, dtype, masked, dropped))
    assert_the_textbooks(case, run(case, height=height))


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(c, id=label(c), marks=[] if label(c) in always else pytest.mark.slow)
        for always in [[f"SimpleRNN-activation-{name}" for name in _ALWAYS_ACTIVATIONS]]
        for c in VARIANTS
        if c.name == "SimpleRNN"
    ],
)
def test_every_field_is_the_textbooks_with_every_activation(cell: Cell) -> None:
    case = cc.draw(derived(cell), (3, 9, 2, 19), spread=0.3)
    assert_the_textbooks(case, run(case))


@pytest.mark.parametrize("name", ["LSTM", "GRUBefore", "LayerNormLSTM"])
def test_the_bits_are_the_same_whatever_the_tile(name: str) -> None:
    """Of exact kernels. Tensor cores keep to that only while no blocks share a tile: those add up parts of a length."""
    case = cc.draw(getattr(cells, name)(), (3, 33, 3, 70), seed=5)
    cc.assert_bits(run(case, height=8), run(case, height=32))


def test_large_batches_have_larger_tiles_where_there_are_enough_of_them() -> None:
    level = forward_levels(cells.LSTM()).levels[0]
    assert [tile_of(level, rows, 256).rows for rows in (1, 64, 128, 256, 2048)] == [8, 8, 16, 32, 32]


def test_tiles_of_tensor_cores_are_those_with_which_the_busiest_multiprocessor_reads_least() -> None:
    level, tall = forward_levels(cells.LSTM()).levels[0], {16: (16, 8), 64: (32, 8), 128: (64, 16), 256: (128, 16)}
    for rounding in ("tf32", "bf16"):
        found = {rows: tile_of(level, rows, 512 if rows == 64 else 1024, rounding) for rows in tall}
        assert {rows: (t.rows, t.units) for rows, t in found.items()} == tall
        for rows, t in found.items():
            assert -(-rows // t.rows) * 1024 // t.units == (256 if rows == 64 else 128)
            assert 2 * t.shared(4) <= 227 << 10, "two blocks do not share a multiprocessor"
            assert (t.stages - 1) * (t.rows + 4 * t.units) * 32 * 4 >= 32 << 10, "too little is on its way"


@pytest.mark.parametrize("height", [32, 64, 128])
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_tensor_cores_round_what_they_multiply_and_nothing_else(name: str, height: int) -> None:
    """Each factor is off by 2^-11 of itself, each product by 2^-10, and so is a sum at most, however long."""
    case = cc.draw(getattr(cells, name)(), (3, 33, 3, 70), "float32", seed=5)
    got = run(case, height=height, rounding="tf32")
    assert_the_textbooks(case, got, limit=3 * 2**-10)
    assert np.abs(got["h"] - run(case)["h"]).max() > 1e-5, "nothing was rounded"


@pytest.mark.parametrize("name", ["LSTM", "LayerNormLSTM"])
def test_twenty_runs_have_the_same_bits(name: str) -> None:
    case = cc.draw(getattr(cells, name)(), (3, 9, 3, 19), seed=5)
    first = run(case)
    for _ in range(19):
        cc.assert_bits(run(case), first)


@pytest.mark.parametrize("cell", cells.ALL, ids=label)
def test_the_bits_do_not_depend_on_which_blocks_and_threads_come_first(cell: Cell) -> None:
    case = cc.draw(cell, (3, 33, 3, 70), seed=5)
    cc.assert_bits(run(case, OnCpu(backwards=True)), run(case))


def test_a_cell_of_a_users_with_activations_of_a_users_is_the_textbooks_to_its_last_digits() -> None:
    cell = next(c for c in USERS if c.name == "FiveGates")
    case = cc.draw(cell, (4, 9, 3, 19))
    assert_the_textbooks(case, run(case), limit=1e-13)


@pytest.mark.parametrize("sizes", [(0, 5, 2, 6), (3, 0, 2, 6), (3, 5, 0, 6)], ids=["no step", "no row", "no feature"])
def test_nothing_to_work_on_is_no_error_and_owes_nothing(sizes: tuple[int, int, int, int]) -> None:
    case = cc.draw(cells.LSTM(), sizes, mask=np.ones(sizes[:2], bool), spread=0.3)
    got = run(case)
    if got["h"].size:
        return assert_the_textbooks(case, got)
    assert got["h"].shape == case.forward()[0].shape
    assert got["x"].shape == case.x.shape
    for name, weight in case.weights.items():
        assert got[f"weights {name}"].shape == weight.shape
        assert not got[f"weights {name}"].any()
    for name, owed in (case.dstate or {}).items():
        np.testing.assert_array_equal(got[f"state0 {name}"], owed)
    return None


def test_what_does_not_belong_together_is_refused_as_in_the_textbook() -> None:
    case, place = cc.draw(cells.LSTM(), (3, 5, 2, 6)), OnCpu()
    cc.assert_refused_as_in_the_textbook(case, partial(forward, place, case.cell), partial(backward, place))


def test_nothing_that_goes_in_is_written_to() -> None:
    case = cc.draw(cells.LSTM(), (3, 33, 3, 70), seed=5)
    before = case.map(np.copy)
    run(case)
    for name in ("x", "mask", "drop", "dh"):
        np.testing.assert_array_equal(getattr(case, name), getattr(before, name))
    for name in ("weights", "state0", "dstate"):
        cc.assert_bits(getattr(case, name), getattr(before, name))


@pytest.mark.parametrize(("dtype", "rounding", "steps"), [("float64", None, 2), ("float32", "bf16", 3)])
def test_a_table_that_is_moved_on_continues_where_the_run_before_ended(
    dtype: str, rounding: str | None, steps: int
) -> None:
    """Captured runs are replayed: `advance` is all that changes between them, and steps beyond the last do nothing."""
    case = cc.draw(cells.LSTM(), (5, 9, 3, 19), dtype, seed=5)
    cc.assert_bits(run(case, _InRuns(steps), rounding=rounding), run(case, rounding=rounding))


class _InRuns(OnCpu):
    """A place that does the steps in runs of so many, as graphs do: the last one is longer than what is left."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def module(self, real: str, skeleton: str, printed: str, prefix: str) -> Any:
        made = super().module(real, skeleton, printed, prefix)
        if prefix not in ("forward", "backward"):  # no step's
            return made
        inner = made.repeat

        def repeat(launches: Any, table: Any, steps: int) -> None:
            advance = Launch(f"{prefix}_advance", (1, 1), 1, 0)
            signed = -self.steps if prefix == "backward" else self.steps
            for _ in range(-(-steps // self.steps)):
                inner(launches, table, self.steps)
                made.launch(advance, table, signed)

        made.repeat = repeat
        return made
