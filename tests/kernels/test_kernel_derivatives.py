"""Backward is the derivative of forward: every cell, every activation, every option, by hand and derived."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import (
    VARIANTS,
    assert_close,
    assert_is_the_derivative,
    cases,
    derived,
    draw_case,
    everything,
    label,
    smooth,
    steady,
)

from rnnkit import gradcheck
from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.textbook.recurrence import backward

CELLS = pytest.mark.parametrize("cell", cells.ALL, ids=label)
WAYS = pytest.mark.parametrize("way", [lambda cell: cell, derived], ids=["by hand", "derived"])
SMOOTH = pytest.mark.parametrize("cell", [c for c in VARIANTS if smooth(c)], ids=label)
# Two steps: what grows exponentially has no third one within reach of a float.
SHORT = (2, 4, 2, 3)
VARIED = pytest.mark.parametrize("cell", VARIANTS, ids=label)


@CELLS
@WAYS
@steady(max_examples=25)
@given(data=st.data())
def test_backward_is_the_derivative_of_forward(cell: Cell, way: Any, data: Any) -> None:
    case = data.draw(cases(way(cell)))
    assert_is_the_derivative(case, case.gradients(), np.random.default_rng(1))


@SMOOTH
def test_backward_is_the_derivative_with_every_smooth_activation(cell: Cell) -> None:
    case = draw_case(cell, sizes=SHORT, spread=0.3)
    assert_is_the_derivative(case, case.gradients(), np.random.default_rng(1))


@VARIED
def test_backward_agrees_with_differences_for_every_activation(cell: Cell) -> None:
    # The seed is one whose numbers stay finite.
    report = gradcheck(cell, steps=2, rows=2, units=2, method="difference", elements=12, seed=5)
    assert report.error <= 1e-7, report


@VARIED
def test_the_derived_adjoint_is_the_one_by_hand(cell: Cell) -> None:
    case = draw_case(cell, sizes=SHORT, spread=0.3)
    other = replace(case, cell=derived(cell))
    assert_close(everything(other.gradients()), everything(case.gradients()), 1e-12)


@CELLS
@steady(max_examples=25)
@given(data=st.data())
def test_the_derived_adjoint_is_the_one_by_hand_in_every_shape(cell: Cell, data: Any) -> None:
    case = data.draw(cases(cell))
    other = replace(case, cell=derived(cell))
    assert_close(everything(other.gradients()), everything(case.gradients()), 1e-12)


@CELLS
@WAYS
def test_every_element_of_every_gradient_is_right(cell: Cell, way: Any) -> None:
    """By the complex step, to 1e-12 of the element, or of a hundredth of its array's largest."""
    report = gradcheck(way(cell), steps=3, rows=2)
    assert report, report
    assert report.method == "complex step"
    assert report.checked == sum(np.size(v) for v in draw_case(cell, sizes=(3, 2, 2, 3)).point.values()) + (
        3 * 2 * 3 * len(cell.gates)
    )


@CELLS
def test_the_gradient_of_a_state_is_that_of_a_recurrence_begun_there(cell: Cell) -> None:
    """dL/dstate_t, and what h_t was owed as an output beside it."""
    case = draw_case(cell, sizes=(4, 2, 2, 3), mask=None)
    tape = case.forward()[2]
    states = case.back(tape).states
    for t in range(1, 4):
        rest = replace(case, x=case.x[t:], dh=case.dh[t:], state0={k: v[t] for k, v in tape.states.items()})
        after = rest.gradients().state0
        for name, value in after.items():
            emitted = case.dh[t - 1] if name == "h" else 0
            np.testing.assert_allclose(states[name][t], value + emitted, rtol=0, atol=1e-13)


@CELLS
def test_a_last_state_that_is_not_named_is_owed_nothing(cell: Cell) -> None:
    case = draw_case(cell)
    tape = case.forward()[2]
    nothing = {k: np.zeros_like(v) for k, v in case.state0.items()}
    expected = everything(backward(tape, case.dh, nothing))
    assert_close(everything(backward(tape, case.dh)), expected, 0.0)
    assert_close(everything(backward(tape, case.dh, {"h": nothing["h"]})), expected, 0.0)
