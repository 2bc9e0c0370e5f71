"""What is the same to the last bit, whatever else the process does, and what a tape and gradients keep."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba")

import compiled_cases as cc
import compiled_setting as setting
from kernel_cases import everything

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.levels import backward_levels, forward_levels
from rnnkit_kernels.numba_cpu import memory
from rnnkit_kernels.numba_cpu.backward import backward

SIMPLE, LSTM, GRU, LAYERNORM = cells.SimpleRNN(), cells.LSTM(), cells.GRU(), cells.LayerNormLSTM()
CELLS = pytest.mark.parametrize("cell", [SIMPLE, LSTM, GRU, LAYERNORM], ids=lambda c: c.name)
SPLITS = pytest.mark.parametrize(
    "split", cc.SPLITS, ids=lambda s: f"{s.parts}{' by units' if s.by_units else ' by rows'}"
)
SIZES = (5, 13, 7, 150)  # arrays above 64 KiB, whose memory is used again here
# These products' rows, not units, are dealt out among parts: another tile height may add in another order.
BY_ROWS = ("x", "state0 h", "states h")


@pytest.fixture(autouse=True, scope="module")
def _three_threads():
    with setting.threads(3):
        yield


@pytest.fixture(autouse=True)
def _smaller_arrays_are_used_again(monkeypatch):
    monkeypatch.setattr(memory, "_SMALL", 1 << 16)


def copied(fields: dict[str, Any]) -> dict[str, Any]:
    return {k: v.copy() for k, v in fields.items()}


def disturb() -> None:
    """Other work that takes, fills and gives back memory of the sizes in use."""
    gc.collect()
    for cell, T in ((GRU, 5), (LSTM, 6)):
        other = cc.draw(cell, (T, 13, 7, 150), "float64", seed=T)
        cc.compiled(other)
    blocks = [memory.empty((1 << k) + (1 << k) // 4 * j, np.uint8) for k in range(16, 23) for j in range(4)]
    for block in blocks:
        block.fill(0xFF)


@CELLS
@SPLITS
def test_a_rerun_gives_the_same_bits(cell: Cell, split: Any) -> None:
    case = cc.draw(cell, SIZES, "float64")
    first = copied(cc.compiled(case, split=split).all)
    disturb()
    for _ in range(2):
        cc.assert_bits(cc.compiled(case, split=split).all, first)


@pytest.mark.parametrize("cell", [SIMPLE, LSTM, GRU], ids=lambda c: c.name)
@pytest.mark.parametrize("B", [1, 7, 13])
def test_by_units_any_number_of_parts_gives_the_same_bits_but_in_dx_and_the_first_states_gradient(
    cell: Cell, B: int
) -> None:
    case = cc.draw(cell, (4, B, 17, 150), "float64")
    alone, *others = (cc.compiled(case, split=split).all for split in (cc.ALONE, *cc.SPLITS[3:]))
    for other in others:
        for name in alone.keys() - set(BY_ROWS):
            np.testing.assert_array_equal(other[name], alone[name], err_msg=name)


def test_cells_with_sums_over_units_are_the_ones_whose_bits_may_change_with_the_parts_by_units() -> None:
    """Each part sums its own units first. The other cells have no such sum, in neither direction."""
    summing = {c.name for c in cells.ALL if forward_levels(c).sums + backward_levels(c).sums}
    assert summing == {"LayerNormSimpleRNN", "LayerNormLSTM", "LayerNormGRU"}


@pytest.mark.parametrize("B", [6, 12])
def test_by_rows_with_the_same_tiles_only_the_gradients_of_weights_may_have_other_bits(B: int) -> None:
    """Each part sums its own rows first; where every part has as many rows as fill a tile, the rest is the same."""
    case = cc.draw(LSTM, (4, B * 2, 17, 64), "float64")
    alone, two = (cc.compiled(case, split=split).all for split in (cc.ALONE, cc.SPLITS[1]))
    for name in alone.keys() - {f"weights {k}" for k in case.weights}:
        np.testing.assert_array_equal(two[name], alone[name], err_msg=name)


@CELLS
@SPLITS
@pytest.mark.parametrize("T", [1, 2, 5])
def test_without_a_tape_h_and_the_last_state_have_the_same_bits(cell: Cell, split: Any, T: int) -> None:
    for mask in (True, None):
        case = cc.draw(cell, (T, 13, 7, 70), "float64", mask=mask, dropped=mask is None)
        h, last, tape = cc.ahead(case, split=split)
        h_alone, last_alone, none = cc.ahead(case, split=split, tape=False)
        assert none is None
        assert tape is not None
        cc.assert_bits(cc.forward_fields(h_alone, last_alone, None), cc.forward_fields(h, last, None))


@CELLS
@SPLITS
def test_a_tape_is_not_written_by_going_back_and_may_be_gone_back_over_again(cell: Cell, split: Any) -> None:
    case = cc.draw(cell, SIZES, "float64")
    h, last, tape = cc.ahead(case, split=split)
    before = copied(cc.forward_fields(h, last, tape) | {"met": tape.met})
    first = copied(everything(backward(tape, case.dh, case.dstate)))
    disturb()
    second = everything(backward(tape, case.dh, case.dstate))
    cc.assert_bits(second, first)
    cc.assert_bits(cc.forward_fields(h, last, tape) | {"met": tape.met}, before)


def test_going_back_with_another_cotangent_in_between_changes_nothing() -> None:
    case = cc.draw(LSTM, SIZES, "float32")
    tape = cc.ahead(case)[2]
    one = backward(tape, case.dh, case.dstate)
    other = backward(tape, 2 * case.dh, None)
    other.states, other.x_pre  # noqa: B018 - made now, on demand
    cc.assert_bits(everything(one), everything(backward(tape, case.dh, case.dstate)))


@CELLS
def test_what_is_kept_of_a_result_outlives_the_rest(cell: Cell) -> None:
    """h alone, the last state alone, one gradient alone: each keeps its memory from being used again."""
    case = cc.draw(cell, SIZES, "float64")
    whole = copied(cc.compiled(case).all)
    h = cc.ahead(case)[0]
    last = cc.ahead(case)[1]
    h_only = cc.ahead(case, tape=False)[0]
    grads = backward(cc.ahead(case)[2], case.dh, case.dstate)
    gW, dx = grads.weights["W"], grads.x
    del grads
    states = backward(cc.ahead(case)[2], case.dh, case.dstate).states
    for _ in range(2):
        disturb()
    cc.assert_bits({"h": h}, {"h": whole["h"]})
    cc.assert_bits({"h": h_only}, {"h": whole["h"]})
    cc.assert_bits({f"last {k}": v for k, v in last.items()}, {k: whole[k] for k in whole if k.startswith("last ")})
    cc.assert_bits({"W": gW, "x": dx}, {"W": whole["weights W"], "x": whole["x"]})
    expected = {k: whole[k] for k in whole if k.startswith("states ")}
    cc.assert_bits({f"states {k}": v for k, v in states.items()}, expected)


def test_gradients_of_single_steps_may_be_asked_for_after_the_tape_is_gone() -> None:
    case = cc.draw(LSTM, SIZES, "float64")
    whole = copied(cc.compiled(case).all)
    grads = backward(cc.ahead(case)[2], case.dh, case.dstate)
    disturb()
    cc.assert_bits(everything(grads), {k: whole[k] for k in everything(grads)})


def test_four_threads_of_python_at_once_get_what_each_would_get_alone() -> None:
    """They have one team between them; who does not get it computes alone, by rows in one part."""
    jobs = [
        (cc.draw(cell, sizes, dtype, seed=k), split)
        for k, (cell, sizes, dtype, split) in enumerate(
            [
                (LSTM, (9, 13, 7, 70), "float64", cc.SPLITS[3]),
                (GRU, (11, 7, 3, 33), "float32", cc.SPLITS[1]),
                (LAYERNORM, (5, 19, 16, 65), "float64", cc.SPLITS[4]),
                (SIMPLE, (17, 24, 5, 100), "float64", cc.SPLITS[2]),
            ]
        )
    ]

    def job(k: int) -> Any:
        case, split = jobs[k]
        return [cc.compiled(case, split=split) for _ in range(6)]

    for k, (case, split) in enumerate(jobs):  # compiled, and right, before it is a race
        cc.assert_the_textbooks(case, cc.compiled(case, split=split), str(case.x.dtype))
        assert k < 4
    with ThreadPoolExecutor(4) as pool:
        found = [f.result(timeout=120) for f in [pool.submit(job, k) for k in range(4)]]
    for (case, split), outcomes in zip(jobs, found, strict=True):
        serial = {(p.parts, p.by_units): cc.compiled(case, split=p).all for p in (split, cc.ALONE)}
        for outcome in outcomes:
            used, grads = outcome.tape.split, everything(outcome.grads)
            expected = serial[used.parts, used.by_units]
            forward_names = expected.keys() - grads.keys()
            assert_all_equal(outcome.all, expected, forward_names)
            cc.assert_the_textbooks(case, outcome, str(case.x.dtype))


def assert_all_equal(got: dict[str, Any], expected: dict[str, Any], which: Any) -> None:
    for name in which:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
