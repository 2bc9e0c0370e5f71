"""NaN, infinity and numbers near zero come out of compiled recurrences where the textbook has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba")

import compiled_cases as cc
import compiled_setting as setting
from kernel_cases import derived

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell

CELLS = pytest.mark.parametrize(
    "cell", [cells.SimpleRNN(), cells.LSTM(), cells.GRU(), cells.LayerNormLSTM()], ids=lambda c: c.name
)
PLACES = ("x", "W", "U", "b", "drop", "state0", "dh", "dstate")


@pytest.fixture(autouse=True, scope="module")
def _three_threads():
    with setting.threads(3):
        yield


@CELLS
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("split", cc.SPLITS[:4:3], ids=["alone", "2 by units"])
def test_nan_comes_out_where_the_textbook_has_it(cell: Cell, where: str, split: Any) -> None:
    case = cc.with_number(cc.draw(cell, (4, 5, 3, 70), "float64"), where, np.nan)
    got = cc.compiled(case, split=split)
    assert any(np.isnan(v).any() for v in got.all.values())
    cc.assert_the_textbooks(case, got, "float64")


@CELLS
@pytest.mark.parametrize("where", ["U", "drop"])
def test_nan_in_what_h_is_multiplied_by_is_not_owed_by_steps_that_did_not_happen(cell: Cell, where: str) -> None:
    """After the last step, and where the step after holds the row, h is owed nothing through U: not even 0 NaN."""
    case = cc.draw(cell, (4, 5, 3, 18), "float64")
    mask = np.ones((4, 5), bool)
    mask[2:, 1], mask[0, 2], mask[:, 3] = False, False, False
    case = cc.with_number(replace(case, mask=mask, drop=2 * np.ones_like(case.drop)), where, np.nan)
    got = cc.compiled(case)
    assert np.isnan(got.grads.states["h"]).any()
    assert np.isfinite(got.grads.states["h"][-1]).all()
    assert np.isfinite(got.grads.states["h"][:, 3]).all()
    cc.assert_the_textbooks(case, got, "float64")


@pytest.mark.parametrize("number", [np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "W", "state0", "dh", "dstate"])
@pytest.mark.parametrize("cell", [cells.SimpleRNN(), cells.LSTM(), cells.GRU()], ids=lambda c: c.name)
def test_infinity_comes_out_where_the_textbook_has_it(cell: Cell, where: str, number: float) -> None:
    """Infinity less infinity is NaN, so the order of operations decides: both sides derive the adjoint."""
    case = cc.with_number(cc.draw(derived(cell), (4, 5, 3, 18), "float64"), where, number)
    got = cc.compiled(case)
    cc.assert_the_textbooks(case, got, "float64")
    assert any(np.isfinite(v).any() for v in got.all.values())


@CELLS
def test_numbers_beyond_every_gates_range_saturate_and_do_not_overflow(cell: Cell) -> None:
    case = cc.draw(cell, (3, 5, 3, 18), mask=None, dropped=False)
    case = replace(case, x=1e300 * np.sign(case.x))
    h, expected = cc.compiled(case).h, cc.textbook(case).h
    np.testing.assert_array_equal(np.isnan(h), np.isnan(expected))
    if cell.name != "LayerNormLSTM":  # whose variance of such numbers is infinite
        np.testing.assert_allclose(h, expected, rtol=0, atol=64 * np.finfo(np.float64).eps)


@pytest.mark.parametrize("cell", [cells.LSTM(), cells.GRU()], ids=lambda c: c.name)
@pytest.mark.parametrize("split", [cc.ALONE, cc.SPLITS[3]], ids=["alone", "2 by units"])
def test_a_vanishing_gradient_is_the_textbooks_down_to_numbers_that_are_flushed(cell: Cell, split: Any) -> None:
    """Owed only to the last step, 1e-20 or so, and less at every step before it: the first have none left."""
    case = cc.draw(cell, (60, 5, 3, 18), "float32", mask=None, dropped=False, last=False, spread=0.15)
    dh = np.zeros_like(case.dh)
    dh[-1] = 1e-20 * case.dh[-1]
    case = replace(case, dh=dh)
    got, expected = cc.compiled(case, split=split), cc.textbook(cc.doubled(case)).all
    limits = cc.tolerances(case, "float32", expected)
    for name, value in got.all.items():
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=limits[name], err_msg=name)
    steps = np.abs(got.grads.x).max(axis=(1, 2))
    assert steps[-1] > 1e-23
    assert not ((steps > 0) & (steps < np.finfo(np.float32).tiny)).any(), "numbers below the normal ones are left"


def test_the_mode_in_which_small_numbers_are_flushed_is_left_behind() -> None:
    case = cc.draw(cells.LSTM(), (4, 13, 3, 70), "float32")
    small = np.array([1e-310, 1e-320])
    for split in cc.SPLITS:
        cc.compiled(case, split=split)
        assert (small * 0.5 > 0).all()
        assert np.array([1e-40], np.float32)[0] * np.float32(0.5) > 0
