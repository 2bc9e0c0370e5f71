"""All steps in one kernel whose products run on tensor cores, run on the CPU: their factors are rounded, and nothing
else."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import compiled_cases as cc
from compiled_cells import USERS
from cuda_cases import assert_the_textbooks, run
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import Case, label, largest, steady
from on_cpu import NEEDS_A_COMPILER, OnCpu
from thinned import thinned

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.backward import backward
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.emit.tensor_division import TensorDivision
from rnnkit_kernels.cuda_gpu.recurrence import forward

pytestmark = NEEDS_A_COMPILER

# Each factor is off by 2^-11 of itself (2^-8), each product by 2^-10 (2^-7), and so is a sum at most, however long.
LIMITS = {"tf32": 3 * 2**-10, "bf16": 3 * 2**-7}

# (units, split, cluster): warps that share the outputs, the length, or both; gates that end within a tile; clusters
# whose last block has fewer units or none; two threads and four for a row and unit; several tiles of a warp.
_SHOWING_ALL = TensorDivision(21, 8, 4)
DIVISIONS = (
    _SHOWING_ALL,
    TensorDivision(3, 8, 1),
    TensorDivision(20, 8, 16),
    TensorDivision(31, 8, 1),
    TensorDivision(37, 16, 8),
    TensorDivision(9, 32, 2),
    TensorDivision(50, 8, 2),
    TensorDivision(70, 16, 16),
)
_ALWAYS = {"LSTM": ("tf32", "bf16"), "GRU": ("tf32",), "GRUBefore": ("bf16",), "LayerNormLSTM": ("tf32",)}


def _name(d: Division) -> str:
    return f"{d.units} units, split {d.split}, cluster {d.cluster}"


def rounded(numbers: Any, rounding: str) -> Any:
    """To 11 digits of a fraction in [0.5, 1), halves away from 0: TF32; or to 8, halves to even: bf16. In float64."""
    fraction, exponent = np.frexp(np.asarray(numbers, np.float64))
    if rounding == "bf16":
        return np.ldexp(np.rint(fraction * 2**8), exponent - 8)
    return np.ldexp(np.copysign(np.floor(np.abs(fraction) * 2**11 + 0.5), fraction), exponent - 11)


_KINKED = ("SixGates", "Functions")  # their gradients jump where a maximum changes sides, which rounding can make it do


def _table() -> list[Any]:
    found = []
    smooth = (*cells.ALL, *(cell for cell in USERS if cell.name not in _KINKED))
    for cell, division, rounding in product(smooth, DIVISIONS, LIMITS):
        if cell not in cells.ALL and division != _SHOWING_ALL:
            continue
        always = division == _SHOWING_ALL and cell in cells.ALL and rounding in _ALWAYS.get(cell.name, ())
        large = cell.name == "LSTM" and division.cluster == 16 and division.units == 20 and rounding == "bf16"
        marks = [] if always or large else pytest.mark.slow
        found.append(
            pytest.param(cell, division, rounding, id=f"{label(cell)}-{_name(division)}-{rounding}", marks=marks)
        )
    return thinned(found, 4)


@pytest.mark.parametrize(("cell", "division", "rounding"), _table())
@steady(max_examples=3)
@given(data=st.data())
def test_every_field_is_the_textbooks_but_for_what_is_rounded(
    cell: Cell, division: Division, rounding: str, data: Any
) -> None:
    sizes = (data.draw(st.integers(2, 4)), data.draw(st.sampled_from((1, 5, 8, 9))), 2, division.units)
    seed = data.draw(st.integers(0, 2**32 - 1))
    mask = cc.masks(*sizes[:2], seed)[data.draw(st.sampled_from(cc.MASKS[1:]))]
    biases = data.draw(st.sampled_from([("b", "b_h"), ("b",), ("b_h",), ()]))
    last = data.draw(st.booleans())
    case = cc.draw(cell, sizes, "float32", mask=mask, biases=biases, seed=seed, last=last, spread=0.25)
    assert_the_textbooks(case, run(case, division=division, rounding=rounding), LIMITS[rounding])


@pytest.mark.parametrize("rounding", list(LIMITS))
@pytest.mark.parametrize(("masked", "dropped"), [(False, False), (True, False), (False, True)])
@pytest.mark.slow
def test_every_field_is_the_textbooks_without_masks_or_without_drop(masked: bool, dropped: bool, rounding: str) -> None:
    mask = None if not masked else cc.masks(4, 9, 3)[cc.MASKS[-1]]
    case = cc.draw(cells.LSTM(), (4, 9, 3, 21), "float32", mask=mask, dropped=dropped)
    assert_the_textbooks(case, run(case, division=_SHOWING_ALL, rounding=rounding), LIMITS[rounding])


def _plain(name: str, steps: int, units: int) -> Case:
    return cc.draw(
        getattr(cells, name)(), (steps, 9, 2, units), "float32", mask=None, dropped=False, spread=0.4, seed=7
    )


_EXACT = [
    ("LSTM", TensorDivision(37, 16, 8), "tf32"),  # warps share the length, there and back
    ("LSTM", TensorDivision(20, 8, 16), "bf16"),
    pytest.param("LSTM", _SHOWING_ALL, "tf32", marks=pytest.mark.slow),
    pytest.param("LSTM", _SHOWING_ALL, "bf16", marks=pytest.mark.slow),
    pytest.param("LSTM", TensorDivision(70, 16, 16), "tf32", marks=pytest.mark.slow),
    pytest.param("LayerNormLSTM", _SHOWING_ALL, "bf16", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "division", "rounding"), _EXACT)
def test_a_step_is_exact_for_state_and_weights_that_are_rounded_beforehand(
    name: str, division: Division, rounding: str
) -> None:
    case = _plain(name, 1, division.units)
    exact = cc.doubled(case)
    exact.weights["U"], exact.state0["h"] = (rounded(a, rounding) for a in (exact.weights["U"], exact.state0["h"]))
    wanted, got = cc.textbook(exact).all, run(case, division=division, rounding=rounding)
    for field in ("h", *(f for f in wanted if f.startswith("tape kept"))):
        np.testing.assert_allclose(got[field], wanted[field], rtol=0, atol=1e-6 * largest(wanted), err_msg=field)


@pytest.mark.parametrize(("name", "division", "rounding"), _EXACT[:-1])
def test_what_h_is_owed_is_exact_for_gradients_and_weights_that_are_rounded_beforehand(
    name: str, division: Division, rounding: str
) -> None:
    case, place = _plain(name, 2, division.units), OnCpu()
    tape = forward(place, case.cell, case.weights, case.x, case.state0)[2]
    grads: Any = backward(place, tape, case.dh, case.dstate, division=division, rounding=rounding)
    through = rounded(grads.u_pre[1], rounding) @ rounded(case.weights["U"], rounding).T
    np.testing.assert_allclose(grads.states["h"][1], case.dh[0] + through, rtol=0, atol=1e-6 * np.abs(through).max())


@pytest.mark.parametrize("rounding", ["tf32", pytest.param("bf16", marks=pytest.mark.slow)])
def test_an_inner_product_is_exact_for_an_operand_that_is_rounded_beforehand(rounding: str) -> None:
    case = _plain("GRUBefore", 1, 21)
    got = run(case, division=_SHOWING_ALL, rounding=rounding)
    at = case.cell.gates.index("n")
    W, U, b = (case.weights[name][..., 21 * at : 21 * (at + 1)].astype(np.float64) for name in ("W", "U", "b"))
    n = np.tanh(case.x[0] @ W + b + rounded(got["tape operands n"][0], rounding) @ rounded(U, rounding))
    np.testing.assert_allclose(got["tape kept n"][0], n, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("name", "rounding"), [("LSTM", "bf16"), ("GRUBefore", "tf32"), ("LayerNormLSTM", "bf16")])
def test_the_bits_do_not_depend_on_which_threads_and_blocks_come_first(name: str, rounding: str) -> None:
    case = cc.draw(getattr(cells, name)(), (4, 9, 3, 21), "float32", seed=5)
    first = run(case, division=_SHOWING_ALL, rounding=rounding)
    for _ in range(3):
        cc.assert_bits(run(case, division=_SHOWING_ALL, rounding=rounding), first)
    cc.assert_bits(run(case, OnCpu(backwards=True), division=_SHOWING_ALL, rounding=rounding), first)


@pytest.mark.parametrize("where", ["U", "h0", "dh"])
@pytest.mark.parametrize("rounding", list(LIMITS))
def test_a_number_that_is_not_finite_goes_where_the_textbook_has_it_go(where: str, rounding: str) -> None:
    case = cc.draw(cells.LSTM(), (4, 9, 3, 21), "float32", seed=5)
    case = cc.with_number(case, {"h0": "state0"}.get(where, where), np.nan)
    assert_the_textbooks(case, run(case, division=_SHOWING_ALL, rounding=rounding), LIMITS[rounding])


def test_tensor_cores_are_refused_where_nothing_may_be_rounded() -> None:
    case = cc.draw(cells.LSTM(), (2, 3, 2, 21), "float32")
    with pytest.raises(ValueError, match="nothing may be rounded"):
        run(case, division=_SHOWING_ALL)
    with pytest.raises(ValueError, match="nothing may be rounded"):
        run(cc.cast(case, "float64"), division=_SHOWING_ALL, rounding="tf32")


@pytest.mark.parametrize(
    ("split", "cluster", "rows"), [(4, 1, 8), (64, 1, 8), (8, 3, 8), (8, 32, 8), (8, 0, 8), (8, 1, 4)]
)
def test_divisions_that_do_not_come_out_are_refused(split: int, cluster: int, rows: int) -> None:
    with pytest.raises(ValueError, match="for tensor cores"):
        TensorDivision(32, split, cluster, rows)


@pytest.mark.parametrize("division", [*DIVISIONS, TensorDivision(512, 8, 16), TensorDivision(100, 8, 4)], ids=_name)
def test_warps_share_a_product_wholly_and_hold_no_more_than_they_must(division: TensorDivision) -> None:
    for gates, back, (rounding, step) in product((1, 3, 4), (False, True), (("tf32", 8), ("bf16", 16))):
        share = division.share(gates, back, rounding)
        of_own = gates * division.own
        outputs, length = (division.units, of_own) if back else (of_own, division.units)
        assert share.parts * share.groups == division.warps
        assert share.groups * share.tiles * 16 >= outputs
        assert share.parts * share.steps * step >= length
        assert share.words == share.parts * share.steps * 64
        assert share.sums == share.parts * share.groups * share.tiles * 128
        tiles = -(-outputs // 16)
        assert share.registers <= 4 * -(-tiles // division.warps) * -(-length // step), "the length shared by none"
