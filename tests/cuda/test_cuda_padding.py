"""What stands in padding and held rows never enters a GPU's kernels; NaN and infinity come out as in the textbook."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import compiled_cases as cc
from compiled_cells import USERS
from cuda_cases import assert_the_textbooks, expected, run
from kernel_cases import derived
from on_cpu import NEEDS_A_COMPILER

from rnnkit_kernels import cells

pytestmark = NEEDS_A_COMPILER


@pytest.mark.parametrize("name", ["LSTM", "GRUBefore", "LayerNormLSTM"])
@pytest.mark.parametrize("number", [np.nan, np.inf, 1e300])
def test_what_stands_in_padding_does_not_change_a_bit(name: str, number: float) -> None:
    case = cc.draw(getattr(cells, name)(), (4, 7, 3, 18))
    padded = [replace(case, x=np.where(case.mask[:, :, None], case.x, n)) for n in (number, 0.0)]
    cc.assert_bits(*(run(other) for other in padded))


@pytest.mark.parametrize("pattern", cc.MASKS[1:])
@pytest.mark.parametrize("name", ["LSTM", "GRU", "LayerNormLSTM"])
def test_rows_that_are_held_keep_their_state_bit_for_bit_and_owe_nothing(name: str, pattern: str) -> None:
    mask = cc.masks(5, 7, 4)[pattern]
    case = cc.draw(getattr(cells, name)(), (5, 7, 3, 18), mask=mask)
    got = run(case)
    assert_the_textbooks(case, got)
    for state in case.cell.state:
        after, before = got[f"tape states {state}"][1:], got[f"tape states {state}"][:-1]
        np.testing.assert_array_equal(after[~mask], before[~mask])
    for gradient in ("x", "x_pre", "u_pre"):
        assert not got[gradient][~mask].any()


@pytest.mark.parametrize("where", ["x", "W", "U", "b", "drop", "state0", "dh", "dstate"])
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU", "LayerNormLSTM"])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_nan_and_infinity_come_out_where_the_textbook_has_them(name: str, where: str, number: float) -> None:
    """Infinity less infinity is NaN, so the order of operations decides: both sides derive the adjoint."""
    if number == np.inf and (name == "LayerNormLSTM" or where in ("U", "b", "drop")):
        pytest.skip("such infinities make NaN by an order of operations that nobody promises")
    case = cc.with_number(cc.draw(derived(getattr(cells, name)()), (4, 5, 3, 18)), where, number)
    got = run(case)
    assert not all(np.isfinite(v).all() for v in got.values())
    assert_the_textbooks(case, got)


@pytest.mark.parametrize("where", ["U", "drop"])
@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU", "GRUBefore", "LayerNormLSTM"])
def test_nan_in_what_h_is_multiplied_by_is_not_owed_by_steps_that_did_not_happen(
    name: str, where: str, number: float
) -> None:
    """After the last step, and where the step after holds the row, h is owed nothing through U: not even 0 NaN."""
    case = cc.draw(derived(getattr(cells, name)()), (4, 5, 3, 18))
    mask = np.ones((4, 5), bool)
    mask[2:, 1], mask[0, 2], mask[:, 3] = False, False, False
    case = cc.with_number(replace(case, mask=mask, drop=2 * np.ones_like(case.drop)), where, number)
    got, wanted = run(case), expected(case)
    assert np.isfinite(got["states h"][-1]).all()
    assert np.isfinite(got["states h"][:, 3]).all()
    for name_, value in wanted.items():
        held = np.isfinite(value)
        if name_.startswith(("states", "tape states", "x", "u_pre")):
            np.testing.assert_array_equal(np.isfinite(got[name_][:, 3]), held[:, 3], err_msg=name_)
    if np.isnan(number):
        assert_the_textbooks(case, got)


def test_a_softmax_of_numbers_far_below_zero_is_the_textbooks() -> None:
    """The largest of a row is taken off before exp, also where it is less than 0."""
    case = cc.draw(next(cell for cell in USERS if cell.name == "Attending"), (2, 5, 3, 18))
    b = case.weights["b"] - 900 * (np.arange(36) < 18)
    case = replace(case, weights=case.weights | {"b": b})
    got = run(case)
    assert np.isfinite(got["h"]).all()
    assert_the_textbooks(case, got)
