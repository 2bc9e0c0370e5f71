"""Products of bf16 in kernels for single levels, run on the CPU: their factors are rounded once, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import compiled_cases as cc
from cuda_cases import assert_the_textbooks, run
from kernel_cases import Case, label
from on_cpu import NEEDS_A_COMPILER, OnCpu

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.compiled import compiled_cell
from rnnkit_kernels.cuda_gpu.emit import tile
from rnnkit_kernels.cuda_gpu.emit.places import Options
from rnnkit_kernels.cuda_gpu.panels import _bf16, _pairs, panels_there
from rnnkit_kernels.program import trace
from rnnkit_kernels.textbook import recurrence

_ALONE = [cell for cell in cells.ALL if not trace(cell).operands]  # whose products with U all read m * h
SIZES, ODD = (4, 33, 3, 33), (3, 1, 2, 17)  # T, B, F, H


def rounded(a: Any) -> Any:
    """To 8 digits of a fraction in [0.5, 1), halves to even: bf16, where numbers are not tiny."""
    fraction, exponent = np.frexp(a)
    return np.ldexp(np.rint(fraction * 256) / 256, exponent)


def _stepwise(case: Case, got: dict[str, Any]) -> dict[str, Any]:
    """What products of rounded factors make of the case, a step of the float64 textbook at a time.

    A product of m' * h, where m' is such that m' * h is m * h rounded, is one of rounded numbers; the rest of the step
    knows nothing of m. The way back knows the true m, and what it owes through a product is put there rounded. Which
    way a number is rounded that lies half-way is told by the kernels' own.
    """
    exact, wide = cc.doubled(case), {name: got[name].astype(float) for name in ("tape states h", "u_pre")}
    U, m = exact.weights["U"], np.ones_like(exact.state0["h"]) if exact.drop is None else exact.drop
    weights, state, tapes = exact.weights | {"U": rounded(U)}, exact.state0, []
    for t, x in enumerate(exact.x):
        h = wide["tape states h"][t]
        crooked = rounded((m * h).astype("f")) / np.where(state["h"] == 0, 1, state["h"])
        mask = None if exact.mask is None else exact.mask[t : t + 1]
        _, state, tape = recurrence.forward(exact.cell, weights, x[None], state, mask=mask, drop=crooked)
        tapes.append(replace(tape, drop=m))
    found = {f"last {name}": value for name, value in state.items()}
    owed, sums, u_pre = dict(exact.dstate or {}), {}, []
    for t, tape in reversed(list(enumerate(tapes))):
        grads = recurrence.backward(tape, exact.dh[t : t + 1], owed)
        sums = {name: sums.get(name, 0) + g for name, g in grads.weights.items()}
        owed, met = dict(grads.state0), wide["u_pre"][t]
        through = rounded(met.astype("f")) @ rounded(U).T if t else met @ U.T
        owed["h"] = owed["h"] - m * (grads.u_pre[0] @ rounded(U).T) + m * through
        u_pre.insert(0, grads.u_pre[0])
    found |= {"h": np.concatenate([tape.states["h"][1:] for tape in tapes]), "u_pre": np.stack(u_pre)}
    return found | {f"weights {k}": v for k, v in sums.items()} | {f"state0 {k}": v for k, v in owed.items()}


def _assert_rounded_once(case: Case) -> None:
    got = run(case, height=None, rounding="bf16")
    wanted = _stepwise(case, got)
    size = max(float(np.abs(a).max()) for a in wanted.values())
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=0, atol=3e-6 * size, err_msg=name)


@NEEDS_A_COMPILER
@pytest.mark.parametrize("cell", _ALONE, ids=label)
def test_the_factors_of_products_are_rounded_and_nothing_else(cell: Cell) -> None:
    """Every step is the textbook's of rounded factors, to the digits of float32: wherever rows are held, at the edges
    of tiles, of pieces and of lines."""
    for sizes, how in ((SIZES, "holes"), (SIZES, "right"), (ODD, "left"), ((1, 5, 2, 6), "full")):
        case = cc.draw(cell, sizes, "float32", mask=cc.masks(*sizes[:2], 7)[how], dropped=True, seed=5)
        _assert_rounded_once(case)


@NEEDS_A_COMPILER
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_so_they_are_without_a_mask_and_a_drop_and_over_many_pieces(name: str) -> None:
    for sizes in (SIZES, (3, 40, 2, 200)):
        _assert_rounded_once(cc.draw(getattr(cells, name)(), sizes, "float32", mask=None, dropped=False, seed=5))


@NEEDS_A_COMPILER
@pytest.mark.parametrize("cell", [c for c in cells.ALL if c not in _ALONE], ids=label)
@pytest.mark.parametrize("sizes", [SIZES, ODD, (3, 5, 2, 70)], ids=str)
def test_operands_of_inner_products_are_rounded_too(cell: Cell, sizes: tuple[int, int, int, int]) -> None:
    """Each factor is off by 2^-8 of itself at most, each product by 2^-7, and so is a sum at most, however long."""
    case = cc.draw(cell, sizes, "float32", mask=cc.masks(*sizes[:2], 7)["holes"], dropped=True, seed=5)
    got = run(case, height=None, rounding="bf16")
    assert_the_textbooks(case, got, limit=2**-7)
    assert np.abs(got["h"] - run(case)["h"]).max() > 1e-4, "nothing was rounded"


@NEEDS_A_COMPILER
@pytest.mark.parametrize(("name", "rows", "units"), [("LSTM", 128, 16), ("GRUBefore", 64, 16)])
def test_the_bits_are_the_same_in_every_run_order_and_tile(
    name: str, rows: int, units: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tile, as long as it is a block's own: blocks that share one add up parts of the length."""
    small, case = (cc.draw(getattr(cells, name)(), sizes, "float32", seed=5) for sizes in ((3, 3, 2, 9), SIZES))
    first = run(small, height=None, rounding="bf16")
    for _ in range(19):
        cc.assert_bits(run(small, height=None, rounding="bf16"), first)
    first = run(case, height=None, rounding="bf16")
    cc.assert_bits(run(case, OnCpu(backwards=True), height=None, rounding="bf16"), first)
    monkeypatch.setattr(tile, "_TENSOR_ROWS", (rows,))
    monkeypatch.setattr(tile, "_TENSOR_UNITS", (units,))
    cc.assert_bits(run(case, height=None, rounding="bf16"), first)


def test_numbers_of_64_bits_are_never_rounded() -> None:
    case = cc.draw(cells.SimpleRNN(), (2, 3, 2, 5))
    cc.assert_bits(run(case, height=8, rounding="bf16"), run(case, height=8))


# Pairs


def test_numbers_are_rounded_to_the_nearest_bf16_and_halves_to_even() -> None:
    half = 2.0**-8
    table = {
        1 + half: 1.0, 1 + 3 * half: 1 + 4 * half, -1 - half: -1.0, 1 + 1.01 * half: 1 + 2 * half, 0.0: 0.0,
        np.inf: np.inf, -np.inf: -np.inf, 3.4e38: np.inf, 2.0**-133: 2.0**-133,
    }  # fmt: skip
    found = _floats(_bf16(np, np.array(list(table), "f")))
    np.testing.assert_array_equal(found, np.array(list(table.values()), "f"))
    numbers = np.random.default_rng(3).standard_normal(1000).astype("f")
    np.testing.assert_array_equal(_floats(_bf16(np, numbers)), rounded(numbers))
    nans = np.array([0x7F800001, 0xFFFFFFFF, 0x7FC00000], np.uint32).view("f")
    assert np.isnan(_floats(_bf16(np, nans))).all()


def test_a_pair_holds_the_even_number_of_a_column_below_the_odd_one() -> None:
    panels = np.arange(1, 31, dtype="f").reshape(2, 5, 3)
    found = _pairs(np, panels)
    assert (found.dtype, found.shape, found.flags.c_contiguous) == (np.uint32, (8, 4), True)
    whole = np.zeros((2, 8, 4), "f")
    whole[:, :5, :3] = panels
    even, odd = (_floats((found >> shift & 0xFFFF).astype(np.uint16)) for shift in (0, 16))
    np.testing.assert_array_equal(np.stack([even, odd], axis=1).reshape(2, 8, 4), whole)


def test_without_bf16_panels_are_numbers_and_there_are_no_twins() -> None:
    case = cc.draw(cells.GRUBefore(), (2, 3, 2, 5), "float32")
    for rounding, twins in (("bf16", {"twin.h", "twin.v.n"}), ("tf32", set()), (None, set())):
        program = compiled_cell(case.cell, False, Options("float", rounding=rounding), 3, 5)
        found = panels_there(np, program, case.weights["U"], case.state0["h"])
        assert set(found) <= set(program.layout.arrays)
        assert {name for name in found if name.startswith("twin")} == twins
        assert {a.dtype.name for n, a in found.items() if n.startswith("panel")} == {"uint32" if twins else "float32"}


def _floats(upper: Any) -> Any:
    """The numbers whose upper halves these are."""
    return (upper.astype(np.uint32) << 16).view("f")
