"""All steps in one kernel, for a GPU, run on the CPU: however it is divided, every field is the textbook's."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any, ClassVar

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import compiled_cases as cc
from compiled_cells import USERS
from cuda_cases import assert_the_textbooks, run
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import VARIANTS, derived, label, steady
from on_cpu import NEEDS_A_COMPILER, OnCpu

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.choice import choose
from rnnkit_kernels.cuda_gpu.compiled import compiled_cell
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.emit.places import Options
from rnnkit_kernels.cuda_gpu.kernel import CudaKernel

pytestmark = NEEDS_A_COMPILER

# (units, split, cluster, rows): a warp or a part of it, several warps, clusters whose last block has fewer units or
# none, rows shared out among all of a split or among some, products that end within a chunk.
DIVISIONS = (
    Division(3, 1, 1, 1),
    Division(7, 4, 1, 2),
    Division(33, 2, 1, 2),
    Division(6, 2, 2, 2),
    Division(21, 8, 4, 4),
    Division(9, 8, 8, 2),
    Division(37, 8, 8, 8),
    Division(40, 16, 4, 1),
    Division(5, 32, 2, 4),
)
_SHOWING_ALL = Division(21, 8, 4, 4)  # clusters, shared rows, a block with fewer units
_ONE_BLOCK = Division(33, 2, 1, 2)
_ALWAYS_USERS = ("SixGates", "TwoProducts", "Attending", "FiveGates")


def _name(d: Division) -> str:
    return f"{d.units} units, split {d.split}, cluster {d.cluster}, rows {d.rows}"


def _table() -> list[Any]:
    found = []
    for cell, division in product((*cells.ALL, *USERS), DIVISIONS):
        if cell not in cells.ALL and division not in (_SHOWING_ALL, _ONE_BLOCK):
            continue
        one = division == _SHOWING_ALL and (cell in cells.ALL or cell.name in _ALWAYS_USERS)
        always = one or cell.name == "LSTM" or (cell.name == "LayerNormGRU" and division.split == 4)
        marks = [] if always else pytest.mark.slow
        found.append(pytest.param(cell, division, id=f"{label(cell)}-{_name(division)}", marks=marks))
    return found


@pytest.mark.parametrize(("cell", "division"), _table())
@steady(max_examples=4)
@given(data=st.data())
def test_every_field_is_the_textbooks_however_it_is_divided(cell: Cell, division: Division, data: Any) -> None:
    sizes = (data.draw(st.integers(1, 5)), data.draw(st.sampled_from((1, 2, 5, 9))), 2, division.units)
    seed = data.draw(st.integers(0, 2**32 - 1))
    mask = cc.masks(*sizes[:2], seed)[data.draw(st.sampled_from(cc.MASKS[1:]))]
    biases = data.draw(st.sampled_from([("b", "b_h"), ("b",), ("b_h",), ()]))
    case = cc.draw(cell, sizes, mask=mask, biases=biases, seed=seed, last=data.draw(st.booleans()), spread=0.4)
    assert_the_textbooks(case, run(case, division=division))


@pytest.mark.parametrize("name", ["LSTM", "GRUBefore", pytest.param("LayerNormLSTM", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("masked", "dropped"), [(False, False), (True, False), (False, True)])
def test_every_field_is_the_textbooks_without_masks_or_without_drop(name: str, masked: bool, dropped: bool) -> None:
    mask = None if not masked else cc.masks(4, 5, 3)[cc.MASKS[-1]]
    case = cc.draw(getattr(cells, name)(), (4, 5, 3, 21), mask=mask, dropped=dropped)
    assert_the_textbooks(case, run(case, division=_SHOWING_ALL))


@pytest.mark.parametrize("name", ["LSTM", "GRU", "LayerNormLSTM"])
def test_single_precision_is_as_exact_as_single_precision_is(name: str) -> None:
    case = cc.draw(getattr(cells, name)(), (4, 5, 3, 37), "float32", spread=0.2)
    assert_the_textbooks(case, run(case, division=Division(37, 8, 8, 8)))


@pytest.mark.slow
@pytest.mark.parametrize("cell", [cell for cell in VARIANTS if cell.name in ("SimpleRNN", "LSTM")], ids=label)
def test_every_field_is_the_textbooks_with_every_activation(cell: Cell) -> None:
    case = cc.draw(derived(cell), (3, 5, 2, 9), spread=0.3)
    assert_the_textbooks(case, run(case, division=Division(9, 4, 2, 2)))


@pytest.mark.parametrize("name", ["LSTM", "GRUBefore", "LayerNormLSTM"])
def test_the_bits_do_not_depend_on_which_threads_and_blocks_come_first(name: str) -> None:
    case = cc.draw(getattr(cells, name)(), (4, 9, 3, 21), seed=5)
    first = run(case, division=_SHOWING_ALL)
    for _ in range(3):
        cc.assert_bits(run(case, division=_SHOWING_ALL), first)
    cc.assert_bits(run(case, OnCpu(backwards=True), division=_SHOWING_ALL), first)


@pytest.mark.parametrize("name", ["LSTM", "LayerNormLSTM"])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_stands_in_padding_does_not_change_a_bit(name: str, number: float) -> None:
    case = cc.draw(getattr(cells, name)(), (4, 7, 3, 21))
    padded = [replace(case, x=np.where(case.mask[:, :, None], case.x, n)) for n in (number, 0.0)]
    cc.assert_bits(*(run(other, division=_SHOWING_ALL) for other in padded))


@pytest.mark.parametrize("where", ["U", "h0", "dh", "drop"])
def test_a_number_that_is_not_finite_goes_where_the_textbook_has_it_go(where: str) -> None:
    case = cc.with_number(cc.draw(cells.LSTM(), (4, 5, 3, 21)), {"h0": "state0"}.get(where, where), np.nan)
    assert_the_textbooks(case, run(case, division=_SHOWING_ALL))


@pytest.mark.parametrize("division", [None, _SHOWING_ALL], ids=["levels", "all steps"])
def test_the_largest_is_taken_out_of_a_softmax_however_small_all_are(division: Division | None) -> None:
    case = cc.draw(cells.SimpleRNN(activation="softmax"), (3, 5, 2, 21))
    low = replace(case, weights=case.weights | {"b": case.weights["b"] - 1000})
    assert_the_textbooks(low, run(low, division=division))


class _BiasBesideAnInnerProduct(cells.GRUBefore):
    """h U has a bias, which an inner product has not."""

    recurrent_bias: ClassVar[bool] = True


@pytest.mark.parametrize("division", [None, _SHOWING_ALL], ids=["levels", "all steps"])
def test_an_inner_product_has_no_bias_and_owes_it_nothing(division: Division | None) -> None:
    case = cc.draw(_BiasBesideAnInnerProduct(), (3, 5, 2, 21))
    assert "b_h" in case.weights
    assert_the_textbooks(case, run(case, division=division))


@pytest.mark.parametrize(
    ("units", "split", "cluster", "rows"), [(8, 3, 1, 1), (8, 64, 1, 1), (8, 2, 4, 1), (8, 2, 1, 4), (8, 0, 1, 1)]
)
def test_divisions_that_do_not_come_out_are_refused(units: int, split: int, cluster: int, rows: int) -> None:
    with pytest.raises(ValueError, match="powers of 2"):
        Division(units, split, cluster, rows)


def test_without_clusters_or_with_too_many_units_a_step_is_taken_level_by_level() -> None:
    lstm = cells.LSTM()
    assert choose(lstm, False, 256, 64, 4, 132, 80) is None
    assert choose(lstm, False, 1024, 64, 4, 132, 90) is None
    assert choose(lstm, False, 32, 64, 4, 0, 0) is None


@pytest.mark.parametrize("cell", cells.ALL, ids=label)
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
@pytest.mark.parametrize("rows", [1, 7, 64, 500])
@pytest.mark.parametrize("units", [1, 16, 20, 33, 64, 100, 128, 160, 256])
def test_what_is_chosen_fits_the_gpu(cell: Cell, back: bool, rows: int, units: int) -> None:
    for itemsize, gpu in product((4, 8), ((132, 90), (108, 80), (24, 75))):
        division = choose(cell, back, units, rows, itemsize, *gpu)
        if division is None:
            continue
        held = len(cell.gates) * division.pieces(units) * 4 * itemsize // 4
        assert division.units == units
        assert held <= 128, "weights that do not fit into registers"
        assert division.threads <= 256
        assert division.cluster == 1 or gpu[1] >= 90
        options = Options("float" if itemsize == 4 else "double", True, True)
        assert (
            compiled_cell(cell, back, options, rows, units, division).persistent.shared_bytes() <= 64 * 1024
        )  # the least that a block may ask for


def test_a_kernel_takes_what_is_chosen_for_its_gpu() -> None:
    case = cc.draw(cells.LSTM(), (3, 5, 2, 40))
    place = OnCpu(gpu=(132, 90))
    assert choose(case.cell, False, 40, 5, 8, *place.processors()) is not None
    kernel = CudaKernel(case.cell, place=place)
    h, _, tape = kernel.forward(case.weights, case.x, case.state0, mask=case.mask, drop=case.drop)
    exact = cc.textbook(case)
    np.testing.assert_allclose(h, exact.tape.states["h"][1:], rtol=0, atol=1e-12)
    grads = kernel.backward(tape, case.dh, case.dstate)
    np.testing.assert_allclose(grads.weights["U"], exact.all["weights U"], rtol=0, atol=1e-10)
