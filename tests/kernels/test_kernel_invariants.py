"""What holds for every recurrence whatever its equations: pieces, rows, masks, causality, sums, bits, dtypes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import (
    VARIANTS,
    Case,
    assert_close,
    assert_same_bits,
    cases,
    draw_case,
    everything,
    gradient_point,
    label,
    largest,
    steady,
)

from rnnkit_kernels import cells
from rnnkit_kernels.backends import NAMES, backend
from rnnkit_kernels.contract import Cell, names
from rnnkit_kernels.program import derive, trace
from rnnkit_kernels.textbook.parts import operands

CELLS = pytest.mark.parametrize("cell", cells.ALL, ids=label)

# The same sums in other orders, and products of other shapes: some EPS for each of T steps of F + H terms, in units of
# the largest number there is.
SAME = 1e-13


def part(case: Case, steps: Any = slice(None), rows: Any = slice(None), **changes: Any) -> Case:
    """Some steps and some rows of a case."""
    row = {k: v[rows] for k, v in case.state0.items()}
    return replace(
        case,
        **{
            "x": case.x[steps][:, rows],
            "dh": case.dh[steps][:, rows],
            "state0": row,
            "mask": None if case.mask is None else case.mask[steps][:, rows],
            "drop": None if case.drop is None else case.drop[rows],
            "dstate": None if case.dstate is None else {k: v[rows] for k, v in case.dstate.items()},
        }
        | changes,
    )


def prefixed(name: str, values: dict[str, Any]) -> dict[str, Any]:
    return {f"{name} {k}": v for k, v in values.items()}


@CELLS
@steady(max_examples=25)
@given(data=st.data())
def test_a_sequence_in_two_pieces_is_the_whole_sequence(cell: Cell, data: Any) -> None:
    case = data.draw(cases(cell).filter(lambda c: len(c.x) > 1))
    cut = data.draw(st.integers(1, len(case.x) - 1))
    h, last, tape = case.forward()
    whole = case.back(tape)
    early = part(case, slice(cut))
    h1, middle, tape1 = early.forward()
    late = part(case, slice(cut, None), state0=middle)
    h2, last2, tape2 = late.forward()
    assert_close({"h": np.concatenate([h1, h2])} | last2, {"h": h} | last, SAME)

    after = late.back(tape2)
    before = replace(early, dstate=after.state0).back(tape1)
    joined = {"x": np.concatenate([before.x, after.x])}
    joined |= {k: before.weights[k] + after.weights[k] for k in whole.weights}
    joined |= prefixed("state0", before.state0)
    assert_close(joined, gradient_point(whole), SAME)
    # Index t of `states` counts what h_{t-1} owes as an output too; the piece that begins at t does not emit it.
    emitted = {k: case.dh[cut - 1] if k == "h" else 0 for k in cell.state}
    at_seam = {k: v[cut] for k, v in whole.states.items()}
    assert_close({k: v + emitted[k] for k, v in after.state0.items()}, at_seam, SAME)
    assert_close(before.states, {k: v[: cut + 1] for k, v in whole.states.items()}, SAME)
    for field in ("x_pre", "u_pre"):
        pieces = np.concatenate([getattr(before, field), getattr(after, field)])
        assert_close({field: pieces}, {field: getattr(whole, field)}, SAME)


@CELLS
@steady(max_examples=25)
@given(data=st.data())
def test_a_row_alone_is_the_row_in_its_batch(cell: Cell, data: Any) -> None:
    case = data.draw(cases(cell))
    h, last, tape = case.forward()
    together = case.back(tape)
    weights = []
    for row in range(case.x.shape[1]):
        one = part(case, rows=slice(row, row + 1))
        h1, last1, tape1 = one.forward()
        alone = one.back(tape1)
        forward = {"h": h[:, row : row + 1]} | {k: v[row : row + 1] for k, v in last.items()}
        assert_close({"h": h1} | last1, forward, SAME)
        assert_close(
            {"x": alone.x, "x_pre": alone.x_pre, "u_pre": alone.u_pre} | alone.states,
            {k: getattr(together, k)[:, row : row + 1] for k in ("x", "x_pre", "u_pre")}
            | {k: v[:, row : row + 1] for k, v in together.states.items()},
            SAME,
        )
        weights.append(alone.weights)
    assert_close({k: np.sum([w[k] for w in weights], axis=0) for k in together.weights}, together.weights, SAME)


@CELLS
@steady(max_examples=25)
@given(data=st.data())
def test_a_masked_step_is_a_step_that_is_not_there(cell: Cell, data: Any) -> None:
    """Each row, with its masked steps deleted, gives the same outputs, states and gradients; left pad, holes, padding
    and empty rows alike. A held output is owed to the step that made it, or to the initial state."""
    case = data.draw(cases(cell).filter(lambda c: c.mask is not None))
    h, last, tape = case.forward()
    grads = case.back(tape)
    total = {k: np.zeros_like(v) for k, v in case.weights.items()}
    for row in range(case.x.shape[1]):
        live = np.flatnonzero(case.mask[:, row])
        one = part(case, live, slice(row, row + 1), mask=None)
        owed = np.zeros_like(one.dh)
        to_start = np.zeros_like(one.state0["h"])
        for t, dh in enumerate(case.dh[:, row]):
            made = np.searchsorted(live, t, side="right") - 1
            if made < 0:
                to_start[0] += dh
            else:
                owed[made, 0] += dh
        start = {k: np.zeros_like(v) for k, v in one.state0.items()} | {"h": to_start}
        if len(live) == 0:
            held = {k: v[row : row + 1] for k, v in case.state0.items()}
            assert_same_bits({k: v[row : row + 1] for k, v in last.items()}, held)
            last_owed = case.dstate or {k: np.zeros_like(v) for k, v in case.state0.items()}
            passed = {k: start[k] + last_owed[k][row : row + 1] for k in start}
            assert_close({k: v[row : row + 1] for k, v in grads.state0.items()}, passed, SAME)
            continue
        h1, last1, tape1 = replace(one, dh=owed).forward()
        short = replace(one, dh=owed).back(tape1)
        ended = {k: v[row : row + 1] for k, v in last.items()}
        assert_close({"h": h1} | last1, {"h": h[live, row : row + 1]} | ended, SAME)
        expected = {"x": short.x, "x_pre": short.x_pre, "u_pre": short.u_pre}
        assert_close({k: getattr(grads, k)[live, row : row + 1] for k in expected}, expected, SAME)
        state0 = {k: v[row : row + 1] for k, v in grads.state0.items()}
        assert_close(state0, {k: v + start[k] for k, v in short.state0.items()}, SAME)
        total = {k: v + short.weights[k] for k, v in total.items()}
    assert_close(grads.weights, total, SAME)


@CELLS
@steady(max_examples=25)
@given(data=st.data(), behind=st.sampled_from([np.nan, np.inf, -np.inf, 1e300]))
def test_what_stands_behind_a_mask_changes_nothing(cell: Cell, data: Any, behind: float) -> None:
    case = data.draw(cases(cell).filter(lambda c: c.mask is not None))
    case = replace(case, x=np.where(case.mask[:, :, None], case.x, 0.0))
    other = replace(case, x=np.where(case.mask[:, :, None], case.x, behind))
    h, last, tape = case.forward()
    h2, last2, tape2 = other.forward()
    assert_same_bits({"h": h2} | last2, {"h": h} | last)
    grads = other.back(tape2)
    assert_same_bits(everything(grads), everything(case.back(tape)))
    assert not grads.x[~case.mask].any()
    assert not grads.x_pre[~case.mask].any()
    assert not grads.u_pre[~case.mask].any()


class Log(Cell):
    """Defined where its gate is positive: at a masked step, whose x counts as 0, value and slope are infinite."""

    gates, state = names("g"), names("h")
    unit_vectors = names("p")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        return (s.h + p.p * F.log(x.g + 0 * u.g),), ()


def test_what_is_undefined_behind_a_mask_is_left_out_by_selection() -> None:
    rng = np.random.default_rng(0)
    mask = np.array([[True, False], [False, True], [True, True]])
    case = draw_case(Log(), sizes=(3, 2, 1, 2), mask=mask, biases=())
    case = replace(case, x=1 + rng.random((3, 2, 1)), weights=case.weights | {"W": 1 + rng.random((1, 2))})
    with np.errstate(divide="ignore", invalid="ignore"):  # log(0), and infinity times 0 in its slope
        h, last, tape = case.forward()
        grads = case.back(tape)
    assert not tape.kept["xg"][~mask].any()
    values = {"h": h} | last | everything(grads)
    assert all(np.isfinite(v).all() for v in values.values())
    alone = part(case, [0, 2], slice(1), mask=None)
    dh = np.stack([case.dh[0, :1] + case.dh[1, :1], case.dh[2, :1]])
    np.testing.assert_allclose(grads.x[[0, 2], :1], replace(alone, dh=dh).gradients().x, rtol=1e-13)


@CELLS
def test_an_empty_row_holds_its_state_and_passes_its_gradient_through(cell: Cell) -> None:
    case = draw_case(cell)
    assert not case.mask[:, -1].any()
    h, last, tape = case.forward()
    grads = case.back(tape)
    for name, start in case.state0.items():
        assert_same_bits({name: last[name][-1]}, {name: start[-1]})
        owed = case.dstate[name][-1] + (case.dh[:, -1].sum(axis=0) if name == "h" else 0)
        np.testing.assert_allclose(grads.state0[name][-1], owed, rtol=0, atol=1e-14)
    assert_same_bits({"h": h[:, -1]}, {"h": np.broadcast_to(case.state0["h"][-1], h[:, -1].shape)})
    without = part(case, rows=slice(2)).gradients()
    assert_close(grads.weights, without.weights, SAME)


@CELLS
@steady(max_examples=25)
@given(data=st.data())
def test_the_future_never_changes_what_has_been(cell: Cell, data: Any) -> None:
    case = data.draw(cases(cell).filter(lambda c: len(c.x) > 1))
    now = data.draw(st.integers(1, len(case.x) - 1))
    rng = np.random.default_rng(5)
    x = case.x.copy()
    x[now:] = 3 * rng.standard_normal(x[now:].shape)
    mask = case.mask
    if mask is not None:
        mask = mask.copy()
        mask[now:] = ~mask[now:]
    h, _, tape = case.forward()
    h2, _, tape2 = replace(case, x=x, mask=mask).forward()
    assert_same_bits({"h": h2[:now]}, {"h": h[:now]})
    for kind in ("states", "kept"):
        before = {k: v[:now] for k, v in getattr(tape, kind).items()}
        assert_same_bits({k: v[:now] for k, v in getattr(tape2, kind).items()}, before)


@CELLS
@steady(max_examples=10)
@given(data=st.data())
def test_the_past_owes_nothing_to_a_loss_that_stands_before_it(cell: Cell, data: Any) -> None:
    """With nothing owed from step `end` on, later steps have no gradient, and none of them reaches the weights."""
    case = data.draw(cases(cell, last=False).filter(lambda c: len(c.x) > 1))
    end = data.draw(st.integers(1, len(case.x) - 1))
    dh = case.dh.copy()
    dh[end:] = 0
    grads = replace(case, dh=dh).gradients()
    assert not grads.x[end:].any()
    early = part(case, slice(end)).gradients()
    assert_close(grads.weights, early.weights, SAME)


@CELLS
@steady(max_examples=25)
@given(data=st.data())
def test_the_parts_of_the_steps_add_up_to_the_gradient(cell: Cell, data: Any) -> None:
    case = data.draw(cases(cell))
    T, B, _, H = case.sizes
    tape = case.forward()[2]
    grads = case.back(tape)
    met = operands(tape)
    x = case.x if case.mask is None else np.where(case.mask[:, :, None], case.x, 0)
    total = {k: np.zeros_like(v) for k, v in case.weights.items()}
    for t in range(T):
        total["W"] += sum(np.outer(x[t, b], grads.x_pre[t, b]) for b in range(B))
        for k, q in enumerate(cell.gates):
            columns = slice(k * H, (k + 1) * H)
            total["U"][:, columns] += sum(np.outer(met[q][t, b], grads.u_pre[t, b, columns]) for b in range(B))
        for name in case.weights:
            if name == "b_h":
                total[name] += grads.u_pre[t].sum(axis=0)
            elif name in grads.vectors:
                total[name] += grads.vectors[name][t]
            elif name == "b":
                total[name] += grads.x_pre[t].sum(axis=0)
    assert_close(grads.weights, total, SAME)
    assert grads.vectors.keys() == {*cell.gate_vectors, *cell.unit_vectors} & case.weights.keys()
    assert_close({"x": grads.x}, {"x": grads.x_pre @ case.weights["W"].T}, SAME)
    assert_same_bits(grads.state0, {k: v[0] for k, v in grads.states.items()})


@CELLS
def test_what_met_the_recurrent_weights_is_the_state_before_or_the_inner_product(cell: Cell) -> None:
    case = draw_case(cell)
    tape = case.forward()[2]
    h = tape.states["h"][:-1]
    inner = {"GRUBefore": {"n": "r"}, "MGU": {"n": "f"}}.get(cell.name, {})
    for gate, met in operands(tape).items():
        expected = h * (tape.kept[inner[gate]] if gate in inner else 1) * case.drop
        np.testing.assert_allclose(met, expected, rtol=1e-15)


@CELLS
def test_nothing_that_is_handed_in_is_written_to(cell: Cell) -> None:
    def locked(a: Any) -> Any:
        a = a.copy()
        a.flags.writeable = False
        return a

    case = draw_case(cell).map(locked)
    _, _, tape = case.forward()
    for values in (tape.states, tape.kept):
        for a in values.values():
            a.flags.writeable = False
    case.back(tape)
    assert_same_bits(case.point, draw_case(cell).point)


@pytest.mark.parametrize("cell", VARIANTS, ids=label)
def test_the_same_tape_gives_the_same_bits_again(cell: Cell) -> None:
    case = draw_case(cell, sizes=(2, 4, 2, 3), spread=0.3)
    tape = case.forward()[2]
    first = {k: v.copy() for k, v in everything(case.back(tape)).items()}
    assert_same_bits(everything(case.back(tape)), first)
    assert_same_bits(everything(case.gradients()), first)


@pytest.mark.parametrize("cell", VARIANTS, ids=label)
def test_single_precision_stays_single_and_near_double(cell: Cell) -> None:
    """A step is a chain of `operations` and sums of F + H terms, each rounded to 6e-8 of the largest number on its way,
    forward and back; each of T steps adds its own. exp(a) makes a relative error of a's absolute one: a times it."""
    case = draw_case(cell, sizes=(2, 4, 2, 4), spread=0.3)
    single = case.map(lambda a: a.astype(np.float32) if a.dtype == np.float64 else a)
    h, last, tape = single.forward()
    grads = single.back(tape)
    got = {"h": h} | prefixed("last", last) | prefixed("tape", tape.states) | prefixed("kept", tape.kept)
    got |= everything(grads)
    assert {k: v.dtype for k, v in got.items()} == dict.fromkeys(got, np.dtype(np.float32))

    h, last, tape = case.forward()
    expected = {"h": h} | prefixed("last", last) | prefixed("tape", tape.states) | prefixed("kept", tape.kept)
    expected |= everything(case.back(tape))
    operations = trace(cell).forward.operations + derive(cell).operations
    assert_close(got, expected, 6e-8 * 2 * (operations + 2 + 4) * (1 + np.log(largest(expected))))


@CELLS
def test_double_precision_stays_double(cell: Cell) -> None:
    case = draw_case(cell)
    h, last, tape = case.forward()
    values = {"h": h} | last | prefixed("tape", tape.states) | prefixed("kept", tape.kept) | everything(case.back(tape))
    assert {v.dtype for v in values.values()} == {np.dtype(np.float64)}


@CELLS
def test_the_backend_s_kernel_is_the_recurrence_and_says_so(cell: Cell) -> None:
    case = draw_case(cell)
    kernel = backend("numpy").kernel(cell)
    h, last, tape = kernel.forward(case.weights, case.x, case.state0, mask=case.mask, drop=case.drop)
    h2, last2, _ = case.forward()
    assert kernel.origin == "textbook"
    assert_same_bits({"h": h} | last, {"h": h2} | last2)
    assert_same_bits(everything(kernel.backward(tape, case.dh, case.dstate)), everything(case.gradients()))


def test_a_backend_that_is_not_there_is_refused_by_name() -> None:
    known = ", ".join(NAMES)
    with pytest.raises(ValueError, match=rf"unknown backend 'numby'; did you mean 'num(ba|py)'\? Known are: {known}"):
        backend("numby")


def test_a_seed_draws_the_same_numbers_in_every_dtype() -> None:
    place = backend("auto")
    double = place.random(np.random.default_rng(3), (5, 2), np.float64)
    single = place.random(np.random.default_rng(3), (5, 2), np.float32)
    assert single.dtype == np.float32
    assert_same_bits({"u": single}, {"u": double.astype(np.float32)})
    assert double.min() >= 0
    assert double.max() < 1
