"""Cells that users write, every activation in every role, every width of vectors: compiled, they are the textbook's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("numba", reason="needs the extra numba")

import compiled_cases as cc
import compiled_cells
import compiled_setting as setting
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import label, steady

from rnnkit_kernels import activations, cells
from rnnkit_kernels.contract import Cell

NAMES = tuple(activations.ALL)
# Steps that grow like exp(exp(..)) leave the range of a float: two steps, small weights.
SHORT = (2, 5, 3, 18)


@pytest.fixture(autouse=True, scope="module")
def _three_threads_and_nothing_but_nan_in_fresh_memory():
    with setting.threads(3), setting.poisoned():
        yield


# In float64 alone, whose programs the gradient checks use too; those of most levels take longest to compile.
USERS = pytest.mark.parametrize(
    "cell",
    [
        pytest.param(c, id=c.name, marks=[] if c.name in compiled_cells.QUICK else pytest.mark.slow)
        for c in compiled_cells.USERS
    ],
)


@USERS
@steady(max_examples=20)
@given(data=st.data())
def test_a_users_own_cell_is_compiled_to_the_textbooks_numbers(cell: Cell, data: Any) -> None:
    case = data.draw(cc.cases(cell, "float64"))
    got = cc.compiled(case, split=data.draw(st.sampled_from(cc.SPLITS)))
    assert got.tape.origin == "numba"
    cc.assert_the_textbooks(case, got, "float64")


@USERS
def test_a_users_own_cell_goes_back_in_chunks(cell: Cell) -> None:
    case = cc.draw(cell, (4, 5, 3, 33))
    with setting.small_chunks():
        for split in cc.SPLITS[:4:3]:
            cc.assert_the_textbooks(case, cc.compiled(case, split=split), "float64")


@pytest.mark.slow
@pytest.mark.parametrize("cell", compiled_cells.USERS, ids=label)
def test_a_users_own_cell_is_compiled_in_float32_too(cell: Cell) -> None:
    for split in (cc.ALONE, cc.SPLITS[3]):
        case = cc.draw(cell, (4, 7, 3, 33), "float32")
        cc.assert_the_textbooks(case, cc.compiled(case, split=split), "float32")


def _varied() -> list[Any]:
    """Each activation once as `activation` and once as `recurrent_activation` of each cell: the second goes through the
    list at another place, so that one program tests two. In turn in float32 and float64."""
    found: list[Any] = [replace(cells.SimpleRNN(), activation=name) for name in NAMES]
    for shift, cell in ((5, cells.LSTM()), (8, cells.GRU())):
        for k, name in enumerate(NAMES):
            other = NAMES[(k + shift) % len(NAMES)]
            found.append(replace(cell, activation=name, recurrent_activation=other))
    return [
        pytest.param(c, cc.DTYPES[k % 2], id=f"{label(c)}-{cc.DTYPES[k % 2]}", marks=pytest.mark.slow)
        for k, c in enumerate(found)
    ]


@pytest.mark.parametrize(("cell", "dtype"), _varied())
def test_every_activation_is_compiled_in_every_role(cell: Cell, dtype: str) -> None:
    for sizes in (SHORT, (2, 3, 1, 1)):
        case = cc.draw(cell, sizes, dtype, spread=0.3 / (sizes[2] + sizes[3]) ** 0.5)
        cc.assert_the_textbooks(case, cc.compiled(case, split=cc.SPLITS[3]), dtype)


def test_every_activation_is_compiled_in_one_cell_that_has_a_gate_for_each() -> None:
    """So that no run of the tests goes without any of them."""

    class Every(Cell):
        gates, state = tuple("abcdefghijklmno"), ("h",)

        def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
            parts = [F.apply(name, getattr(x, q) + getattr(u, q)) for q, name in zip(self.gates, NAMES, strict=True)]
            return (sum(parts) / len(parts) - 0.25 * s.h,), ()

    case = cc.draw(Every(), (3, 7, 3, 18), "float64")
    cc.assert_the_textbooks(case, cc.compiled(case), "float64")


# Every width and number of registers; what this machine takes by itself is in every other test.
WIDTHS = [(lanes, registers) for lanes in (16, 8, 4) for registers in (32, 16)]


@pytest.mark.parametrize(
    ("name", "lanes", "registers"),
    [
        # Two in every run: AVX2's and NEON's kind of processor, whatever this one is.
        pytest.param(name, *width, marks=[] if name == "GRU" and width in ((8, 16), (4, 32)) else pytest.mark.slow)
        for name in ("GRU", "LSTM", "GRUBefore", "LayerNormLSTM")
        for width in WIDTHS
    ],
)
def test_vectors_of_every_width_and_tiles_of_every_height_give_the_textbooks_numbers(
    name: str, lanes: int, registers: int
) -> None:
    cell = getattr(cells, name)()
    dtype = cc.DTYPES[(lanes == 8) ^ (registers == 16)]  # in turn
    program = setting.program_of(cell, dtype, lanes, registers)
    count = program.lanes.count
    for units in (1, count - 1, count, count + 1, 4 * count + 1, 9 * count - 1):
        for rows in (1, 5, 13):
            if units > 0:
                case = cc.draw(cell, (2, rows, 3, units), dtype)
                cc.assert_the_textbooks(case, cc.compiled(case, program), dtype)
    for split in cc.SPLITS[1:]:
        case = cc.draw(cell, (3, 7, 3, 9 * count - 1), dtype)
        cc.assert_the_textbooks(case, cc.compiled(case, program, split), dtype)


@pytest.mark.parametrize("rows", range(1, 14))
@pytest.mark.parametrize("units", [1, 16, 17, 48, 64, 80])
def test_any_number_of_rows_fills_tiles_of_any_height(rows: int, units: int) -> None:
    case = cc.draw(cells.LSTM(), (2, rows, 5, units), "float64")
    cc.assert_the_textbooks(case, cc.compiled(case), "float64")
