"""What may be asked for between two steps: zoneout, projection, beginning anew, and a limit on the way back.

Each is held against a slow loop that does the same to one row at a time, against sequences run apart, and against the
complex step; what is not asked for changes no bit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from device_double import Device
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from kernel_cases import assert_close, assert_same_bits, derived, draw_case, everything, label, steady

from rnnkit import gradcheck
from rnnkit_kernels import cells
from rnnkit_kernels.backends import backend
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.textbook.functions import Arrays
from rnnkit_kernels.textbook.parts import steps_of
from rnnkit_kernels.textbook.recurrence import backward, forward

CELLS = pytest.mark.parametrize("cell", cells.ALL, ids=label)
PROJECTABLE = pytest.mark.parametrize("cell", [c for c in cells.ALL if c.projectable], ids=label)

# The same sums in other orders: some EPS for each of T steps of F + H terms, in units of the largest number; a norm
# stretches what came before it, here ten times at most.
SAME = 1e-12


@dataclass(frozen=True, eq=False)
class Asked:
    """A case, and everything that `forward` may be asked for beside it."""

    cell: Cell
    weights: dict[str, Any]
    x: Any
    state0: dict[str, Any]
    dh: Any
    dstate: dict[str, Any]
    mask: Any = None
    drop: Any = None
    zone: Any = None
    reset: Any = None
    fresh: Any = None

    def forward(self) -> Any:
        extra = {k: getattr(self, k) for k in ("mask", "drop", "zone", "reset", "fresh")}
        return forward(self.cell, self.weights, self.x, self.state0, **extra)

    def back(self, **options: Any) -> Any:
        return backward(self.forward()[2], self.dh, self.dstate, **options)

    def part(self, row: int, steps: slice, **changes: Any) -> Asked:
        """Some steps of one row."""
        one = slice(row, row + 1)
        zone = {k: z[steps, one] if isinstance(z, np.ndarray) else z for k, z in (self.zone or {}).items()}
        given = {"x": self.x[steps, one], "dh": self.dh[steps, one], "zone": zone, "reset": None, "fresh": None}
        given["mask"] = None if self.mask is None else self.mask[steps, one]
        given["drop"] = None if self.drop is None else self.drop[one]
        return replace(self, **given | changes)

    def map(self, function: Any) -> Asked:
        """The case with `function` of each of its arrays; shares and the cell as they are."""

        def of(value: Any) -> Any:
            if isinstance(value, dict):
                return {k: of(v) for k, v in value.items()}
            return function(value) if isinstance(value, np.ndarray) else value

        return Asked(**{f.name: of(getattr(self, f.name)) for f in fields(self)})


def ask(cell: Cell, *, projection: int | None = None, zone: Any = True, reset: Any = True, **options: Any) -> Asked:
    """A case of `draw_case` with all options on, or as they are given."""
    case = draw_case(cell, **options)
    (T, B, F, H), rng = case.sizes, np.random.default_rng(options.get("seed", 0) + 1)
    shapes, sizes = cell.weight_shapes(F, H, projection=projection), cell.state_sizes(H, projection)
    if zone is True:
        zone = {k: rng.random((T, B, n)) < 0.4 for k, n in sizes.items()}
    elif isinstance(zone, float):
        zone = dict.fromkeys(sizes, zone)
    if reset is True:
        reset = rng.random((T, B)) < 0.4

    def states() -> dict[str, Any]:
        return {k: 0.8 * rng.standard_normal((B, n)) for k, n in sizes.items()}

    return Asked(
        cell,
        {k: 0.6 * rng.standard_normal(s) + cell.initial.get(k, 0) for k, s in shapes.items()},
        case.x, states(), rng.standard_normal((T, B, sizes["h"])), states(), case.mask,
        None if case.drop is None else (rng.random((B, sizes["h"])) < 0.6) / 0.6,
        zone, reset, None if reset is None else states(),
    )  # fmt: skip


class Products(Arrays):
    def __init__(self, U: dict[str, Any], drop: Any) -> None:
        self.U, self.drop = U, drop

    def matmul(self, a: Any, gate: str) -> Any:
        return (a * self.drop) @ self.U[gate]


def slow_loop(asked: Asked) -> dict[str, Any]:
    """All states, (T, B, H) by name: one row after the other, nothing shared with the recurrence but the cell."""
    cell, w = asked.cell, asked.weights
    T, B, _ = asked.x.shape
    columns = w["U"].shape[1]
    zeros = np.zeros(columns)

    def by_gate(a: Any) -> dict[str, Any]:
        return dict(zip(cell.gates, np.split(a, len(cell.gates), axis=-1), strict=True))

    W, U = by_gate(w["W"]), by_gate(w["U"])
    b = by_gate(zeros if "b" in cell.gate_vectors else w.get("b", zeros))
    b_h = by_gate(w.get("b_h", zeros))
    p = {k: SimpleNamespace(**by_gate(w.get(k, zeros))) for k in cell.gate_vectors}
    p |= {k: w[k] for k in cell.unit_vectors}
    found = {k: np.zeros((T, B, v.shape[1])) for k, v in asked.state0.items()}
    for r in range(B):
        state = {k: v[r : r + 1] for k, v in asked.state0.items()}
        drop = np.ones(1) if asked.drop is None else asked.drop[r]
        for t in range(T):
            if asked.reset is not None and asked.reset[t, r]:
                state = {k: v[r : r + 1] for k, v in asked.fresh.items()}
            x = SimpleNamespace(**{q: asked.x[t, r : r + 1] @ W[q] + b[q] for q in cell.gates})
            u = {q: (state["h"] * drop) @ U[q] + b_h[q] for q in cell.gates}
            new, _ = cell.step(
                Products(U, drop), x, SimpleNamespace(**u), SimpleNamespace(**state), SimpleNamespace(**p)
            )
            new = dict(zip(cell.state, new, strict=True))
            if "P" in w:
                new["h"] = new["h"] @ w["P"]
            for k, z in (asked.zone or {}).items():
                z = z[t, r] if isinstance(z, np.ndarray) else z
                new[k] = z * state[k] + (1 - z) * new[k]
            if asked.mask is None or asked.mask[t, r]:
                state = new
            for k, v in state.items():
                found[k][t, r] = v[0]
    return found


@st.composite
def asked_cases(draw: Any, cell: Cell, **fixed: Any) -> Asked:
    sizes = tuple(draw(st.integers(1, most)) for most in (6, 3, 3, 4))
    options = {
        "sizes": sizes,
        "seed": draw(st.integers(0, 2**32 - 2)),
        "mask": draw(st.none() | arrays.arrays(bool, sizes[:2])),
        "dropped": draw(st.booleans()),
        "zone": draw(st.sampled_from([None, True, 0.3])),
        "reset": draw(st.none() | arrays.arrays(bool, sizes[:2])),
        "projection": draw(st.none() | st.integers(1, 5)) if cell.projectable else None,
    }
    return ask(cell, **options | fixed)


@CELLS
@steady(max_examples=15)
@given(data=st.data())
def test_every_option_is_the_slow_loop(cell: Cell, data: Any) -> None:
    asked = data.draw(asked_cases(cell))
    h, last, tape = asked.forward()
    expected = slow_loop(asked)
    assert_close({k: v[1:] for k, v in tape.states.items()}, expected, SAME)
    assert_close({"h": h} | {f"last {k}": v for k, v in last.items()},
                 {"h": expected["h"]} | {f"last {k}": v[-1] for k, v in expected.items()}, SAME)  # fmt: skip


@CELLS
@pytest.mark.parametrize(
    "options",
    [{"zoned": True}, {"zoned": 0.3}, {"restarted": True}, {"zoned": True, "restarted": True}],
    ids=lambda options: " ".join(options),
)
def test_the_adjoint_under_every_option_is_the_derivative(cell: Cell, options: dict[str, Any]) -> None:
    for kind in (cell, derived(cell)):
        report = gradcheck(kind, seed=2, elements=150, **options)
        assert report, report


@PROJECTABLE
@pytest.mark.parametrize("projection", [1, 5])
def test_a_projected_recurrence_passes_the_check(cell: Cell, projection: int) -> None:
    for options in ({}, {"zoned": True, "restarted": True}, {"zoned": 0.4, "masked": False, "dropped": False}):
        # Of one unit's h a norm sees rows that are all but zero, and multiplies their rounding by 1 / sqrt(epsilon).
        tolerance = 316e-12 if "LayerNorm" in cell.name else None
        report = gradcheck(cell, projection=projection, elements=200, tolerance=tolerance, **options)
        assert report, report
        assert {e.array for e in report.rows} >= {"P", "U", "state0 h"}


def test_an_error_in_the_gradient_of_p_is_found_by_its_place() -> None:
    @dataclass(frozen=True)
    class Slips(type(backend("numpy").kernel(cells.LSTM()))):  # type: ignore[misc]
        def backward(self, tape: Any, dh: Any, dstate: Any = None) -> Any:
            right = super().backward(tape, dh, dstate)
            P = right.weights["P"].copy()
            P[1, 0] *= 1.1
            return replace(right, weights=right.weights | {"P": P})

    report = gradcheck(Slips(cells.LSTM(), origin="slips"), projection=2)
    assert [e.where for e in report.wrong] == ["P[unit 1, unit 0 of h]"]


@CELLS
def test_what_is_not_asked_for_changes_no_bit(cell: Cell) -> None:
    plain = ask(cell, zone=None, reset=None)
    T, B, _ = plain.x.shape
    h, last, tape = plain.forward()
    grads = plain.back()
    assert (tape.began, tape.made, grads.fresh) == ({}, {}, {})
    never = {k: np.zeros((T, *v.shape), bool) for k, v in plain.state0.items()}
    for changes in ({"zone": {}}, {"zone": never}, {"reset": np.zeros((T, B), bool)}, {"zone": never, "fresh": {}}):
        other = replace(plain, **changes)
        h2, last2, tape2 = other.forward()
        assert_same_bits({"h": h2} | last2, {"h": h} | last)
        assert_same_bits(tape2.states | tape2.kept, tape.states | tape.kept)
        again = everything(other.back())
        assert not any(v.any() for k, v in again.items() if k.startswith("fresh"))
        assert_same_bits({k: v for k, v in again.items() if not k.startswith("fresh")}, everything(grads))
    assert_same_bits(everything(plain.back(clip=1e300)), everything(grads))


@CELLS
def test_units_that_are_always_kept_stay_what_they_were(cell: Cell) -> None:
    asked = ask(cell, reset=None)
    always = {k: np.ones_like(z) for k, z in asked.zone.items()}
    h, _, _ = replace(asked, zone=always).forward()
    np.testing.assert_array_equal(h, np.broadcast_to(asked.state0["h"], h.shape))
    grads = replace(asked, zone=always).back()
    assert not any(w.any() for w in grads.weights.values())
    np.testing.assert_allclose(grads.state0["h"], asked.dh.sum(axis=0) + asked.dstate["h"], rtol=1e-13)


def test_the_cell_s_own_c_makes_h_whether_it_is_kept_or_not() -> None:
    asked = ask(cells.LSTM(), mask=None, reset=None, sizes=(1, 3, 2, 4))
    kept = replace(asked, zone={"c": np.ones((1, 3, 4), bool)})
    free = replace(asked, zone=None)
    np.testing.assert_array_equal(kept.forward()[0], free.forward()[0])
    np.testing.assert_array_equal(kept.forward()[1]["c"], asked.state0["c"])


@CELLS
@steady(max_examples=12)
@given(data=st.data())
def test_a_row_that_begins_anew_is_two_sequences(cell: Cell, data: Any) -> None:
    """Outputs, states, and every gradient; through masked steps, dropped and kept units alike."""
    T, B = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))
    reset = data.draw(arrays.arrays(bool, (T, B)))
    fixed = {"sizes": (T, B, 2, 3), "mask": data.draw(st.none() | arrays.arrays(bool, (T, B))), "reset": reset}
    asked = data.draw(asked_cases(cell, **fixed))
    h, last, _ = asked.forward()
    grads = asked.back()
    outputs, dx = np.empty_like(h), np.empty_like(asked.x)
    weights = {k: np.zeros_like(w) for k, w in asked.weights.items()}
    ends = {k: np.empty_like(v) for k, v in last.items()}
    first = {k: np.zeros_like(v) for k, v in asked.state0.items()}
    fresh = {k: np.zeros_like(v) for k, v in asked.state0.items()}
    for r in range(B):
        seams = sorted({0, T, *np.flatnonzero(reset[:, r])})
        for start, stop in pairwise(seams):
            source = asked.fresh if reset[start, r] else asked.state0
            nothing = {k: np.zeros_like(v[r : r + 1]) for k, v in asked.dstate.items()}
            owed = {k: v[r : r + 1] for k, v in asked.dstate.items()} if stop == T else nothing
            one = asked.part(r, slice(start, stop), state0={k: v[r : r + 1] for k, v in source.items()}, dstate=owed)
            outputs[start:stop, r], end, _ = (a[:, 0] if isinstance(a, np.ndarray) else a for a in one.forward())
            alone = one.back()
            dx[start:stop, r] = alone.x[:, 0]
            for k in weights:
                weights[k] += alone.weights[k]
            for k in ends:
                ends[k][r] = end[k][0]
                (fresh if reset[start, r] else first)[k][r] += alone.state0[k][0]
    assert_close({"h": h} | {f"last {k}": v for k, v in last.items()},
                 {"h": outputs} | {f"last {k}": v for k, v in ends.items()}, SAME)  # fmt: skip
    assert_close({"x": grads.x} | grads.weights, {"x": dx} | weights, SAME)
    assert_close(grads.state0, first, SAME)
    assert_close(grads.fresh, fresh, SAME)


def test_rows_begin_anew_from_zeros_where_nothing_is_said() -> None:
    asked = ask(cells.LSTM())
    nothing = {k: np.zeros_like(v) for k, v in asked.state0.items()}
    np.testing.assert_array_equal(replace(asked, fresh=None).forward()[0], replace(asked, fresh=nothing).forward()[0])


def test_what_was_not_finite_before_a_row_began_anew_does_not_come_after_it() -> None:
    asked = ask(cells.GRU(), mask=None, zone=True)
    reset = np.zeros(asked.x.shape[:2], bool)
    reset[2, 0] = True
    broken = replace(asked, reset=reset, x=asked.x.copy())
    broken.x[0, 0] = np.nan
    h, last, _ = broken.forward()
    assert np.isnan(h[1, 0]).any()
    assert np.isfinite(h[2:]).all()
    assert np.isfinite(last["h"]).all()
    after = replace(broken, dh=np.where(np.arange(4)[:, None, None] >= 2, broken.dh, 0)).back()
    assert np.isfinite(after.fresh["h"]).all()
    assert np.isfinite(after.states["h"][3:]).all()


@CELLS
def test_the_parts_of_each_step_add_up_under_every_option(cell: Cell) -> None:
    for projection in (None, 2) if cell.projectable else (None,):
        asked = ask(cell, projection=projection)
        tape, grads = asked.forward()[2], asked.back()
        for name, whole in grads.weights.items():
            parts = steps_of(name, tape, grads)
            assert parts.shape == (len(asked.x), *whole.shape)
            assert_close({name: parts.sum(axis=0)}, {name: whole}, SAME)


# The limit on the way back


INNER = [c for c in cells.ALL if c.name in ("GRUBefore", "MGU")]


@pytest.mark.parametrize("cell", [c for c in cells.ALL if c not in INNER], ids=label)
@pytest.mark.parametrize("clip", [0.02, 0.3])
def test_a_limit_is_put_on_every_pre_activation_before_it_goes_on(cell: Cell, clip: float) -> None:
    """Step by step: each step's own gradient without a limit, then the limit and the products with U and W by hand."""
    asked = ask(cell, zone=None, reset=None, sizes=(5, 3, 2, 3))
    tape, got = asked.forward()[2], asked.back(clip=clip)
    owed = dict(asked.dstate)
    weights: dict[str, Any] = dict.fromkeys(asked.weights, 0)
    dx, pre = np.empty_like(asked.x), []
    for t in reversed(range(len(asked.x))):
        step = replace(
            asked, x=asked.x[t : t + 1], mask=asked.mask[t : t + 1], dh=asked.dh[t : t + 1],
            state0={k: v[t] for k, v in tape.states.items()}, dstate=owed,
        ).back()  # fmt: skip
        limited, on_u = np.clip(step.x_pre[0], -clip, clip), np.clip(step.u_pre[0], -clip, clip)
        pre.append(np.abs(step.x_pre).max() > clip)
        owed = dict(step.state0)
        owed["h"] = owed["h"] + asked.drop * ((on_u - step.u_pre[0]) @ asked.weights["U"].T)
        dx[t] = limited @ asked.weights["W"].T
        by_hand = {"W": tape.x[t].T @ limited, "U": (tape.states["h"][t] * asked.drop).T @ on_u}
        by_hand |= {"b_h": on_u.sum(axis=0)}
        if "b" not in cell.gate_vectors:
            by_hand["b"] = limited.sum(axis=0)
        weights = {k: v + by_hand.get(k, step.weights[k]) for k, v in weights.items()}
    assert any(pre)
    assert_close(got.weights | {"x": got.x} | got.state0, weights | {"x": dx} | owed, SAME)
    assert max(np.abs(got.x_pre).max(), np.abs(got.u_pre).max()) <= clip


@pytest.mark.parametrize("clip", [0.05, 1e9])
def test_a_limit_holds_for_what_goes_through_an_inner_product(clip: float) -> None:
    """A GRU with the reset before the product, all of its way back written again."""
    asked = ask(cells.GRUBefore(), zone=None, reset=None, mask=None, dropped=False, sizes=(5, 3, 2, 3))
    w, T, H = asked.weights, len(asked.x), 3
    U = {q: w["U"][:, k * H : (k + 1) * H] for k, q in enumerate("zrn")}
    tape = asked.forward()[2]
    dh, dU = asked.dstate["h"], np.zeros_like(w["U"])
    dW, db, dx = np.zeros_like(w["W"]), np.zeros_like(w["b"]), np.zeros_like(asked.x)
    for t in reversed(range(T)):
        h, z, r, n = tape.states["h"][t], tape.kept["z"][t], tape.kept["r"][t], tape.kept["n"][t]
        dh = dh + asked.dh[t]
        a_z = dh * (h - n) * z * (1 - z)
        a_n = np.clip(dh * (1 - z) * (1 - n * n), -clip, clip)
        dv = a_n @ U["n"].T
        a_r = dv * h * r * (1 - r)
        a_z, a_r = np.clip(a_z, -clip, clip), np.clip(a_r, -clip, clip)
        all_of_it = np.concatenate([a_z, a_r, a_n], axis=1)
        dU += np.concatenate([h.T @ a_z, h.T @ a_r, (r * h).T @ a_n], axis=1)
        dW, db, dx[t] = dW + asked.x[t].T @ all_of_it, db + all_of_it.sum(axis=0), all_of_it @ w["W"].T
        dh = dh * z + dv * r + a_z @ U["z"].T + a_r @ U["r"].T
    got = asked.back(clip=clip)
    assert_close(got.weights | {"x": got.x} | got.state0, {"W": dW, "U": dU, "b": db, "x": dx, "h": dh}, SAME)


def test_a_limit_beyond_a_dtype_is_none_and_nan_passes_it() -> None:
    asked = ask(cells.LSTM())
    single = asked.map(lambda a: a.astype(np.float32) if a.dtype == np.float64 else a)
    assert_same_bits(everything(single.back(clip=1e300)), everything(single.back()))
    assert {v.dtype for v in everything(single.back(clip=0.1)).values()} == {np.dtype(np.float32)}
    expected = replace(single, zone={"h": 0.25, "c": 0.5})
    assert {v.dtype for v in everything(expected.back()).values()} == {np.dtype(np.float32)}
    assert expected.forward()[0].dtype == np.float32
    broken = replace(asked, mask=None, reset=None, dh=asked.dh.copy())
    broken.dh[0, 0, 0] = np.nan
    assert np.isnan(broken.back(clip=0.1).x_pre).any()


@PROJECTABLE
def test_every_option_runs_on_another_place_s_arrays(cell: Cell) -> None:
    for zone in (True, 0.3):
        here = ask(cell, projection=2, zone=zone)
        there = here.map(Device)
        for clip in (None, 0.1):
            got = everything(there.back(clip=clip))
            assert {type(v) for v in got.values()} == {Device}
            assert_same_bits({k: v.get() for k, v in got.items()}, everything(here.back(clip=clip)))


# Cells that no table has, and refusals


@dataclass(frozen=True)
class SeesItsCell(Cell):
    """An LSTM of two gates whose output gate meets the whole new c, through U."""

    gates, state = ("f", "o"), ("h", "c")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        c = s.c + F.sigmoid(x.f + u.f) * (F.tanh(x.f) - s.c)
        return (F.sigmoid(x.o + F.matmul(c, "o")) * F.tanh(c), c), ()


def test_an_inner_product_with_a_new_state_meets_the_cell_s_own_kept_or_not() -> None:
    assert not SeesItsCell().projectable
    for options in ({"zoned": True}, {"zoned": 0.3}, {"zoned": True, "restarted": True}):
        report = gradcheck(SeesItsCell(), **options)
        assert report, report


@dataclass(frozen=True)
class BiasedBefore(cells.GRUBefore):
    recurrent_bias: ClassVar[bool] = True


def test_a_second_bias_stands_beside_the_gates_that_meet_h_alone() -> None:
    report = gradcheck(BiasedBefore(), zoned=True)
    assert report, report


@pytest.mark.parametrize("cell", [c for c in cells.ALL if not c.projectable], ids=label)
def test_a_cell_that_reads_its_old_h_is_not_projected(cell: Cell) -> None:
    assert cell.name in ("GRU", "GRUBefore", "LayerNormGRU", "MGU")
    with pytest.raises(ValueError, match=f"{cell.name} cannot have its h projected: its step reads the old h itself"):
        ask(cell, projection=2).forward()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"zone": {"q": 0.2}}, "LSTM has no state 'q' to keep; it has h and c"),
        ({"zone": {"h": 1.5}}, r"zone 'h' is a share in \[0, 1\]; got 1.5"),
        ({"zone": {"h": np.ones((4, 3), bool)}}, r"zone 'h' is \(T, B, H\) = \(4, 3, 2\) of bool, or a float; got"),
        ({"zone": {"h": np.float32(0.2)}}, r"or a float; got \(\) of float32"),
        ({"zone": {"c": np.ones((4, 3, 2), bool)}}, r"zone 'c' is \(T, B, H\) = \(4, 3, 3\)"),
        ({"zone": {"c": np.ones((4, 3, 3))}}, r"or a float; got \(4, 3, 3\) of float64"),
        ({"reset": np.ones((3, 4), bool)}, r"reset is \(T, B\) = \(4, 3\) of bool; got \(3, 4\) of bool"),
        ({"reset": np.ones((4, 3))}, r"reset is .* of float64"),
        ({"fresh": {"h": np.ones((3, 3))}}, r"state 'h' is \(B, H\) = \(3, 2\); got \(3, 3\)"),
        ({"state0": {"h": np.ones((3, 3)), "c": np.ones((3, 3))}}, r"state 'h' is \(B, H\) = \(3, 2\)"),
        ({"fresh": {"H": np.ones((3, 2))}}, r"LSTM has no state 'H'; it has h and c"),
        ({"drop": np.ones((3, 3))}, r"drop is \(B, H\) = \(3, 2\); got \(3, 3\)"),
        ({"weights": {"P": np.ones((2, 3))}}, r"LSTM: U should have shape \(3, 12\)"),
        ({"weights": {"U": np.ones((3, 12))}}, r"LSTM: U should have shape \(2, 12\) for x \(4, 3, 2\)"),
        ({"weights": {"U": np.ones(12)}}, r"LSTM: U is a matrix; got shape \(12,\)"),
        ({"weights": {"P": np.ones(2)}}, r"LSTM: P is a matrix; got shape \(2,\)"),
        ({"weights": {"U": np.ones((2, 13))}}, r"LSTM: U is \(H, 4 H\) for the gates i f g o; got \(2, 13\)"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_a_sentence(changes: dict[str, Any], words: str) -> None:
    asked = ask(cells.LSTM(), projection=2)
    if "weights" in changes:
        changes = {"weights": asked.weights | changes["weights"]}
    with pytest.raises(ValueError, match=words):
        replace(asked, **changes).forward()


def test_cotangents_of_a_projected_recurrence_have_the_widths_of_its_states() -> None:
    asked = ask(cells.LSTM(), projection=2)
    with pytest.raises(ValueError, match=r"dh is \(T, B, H\) = \(4, 3, 2\), as h"):
        replace(asked, dh=np.ones((4, 3, 3))).back()
    with pytest.raises(ValueError, match=r"dstate is a dict of h \(3, 2\), c \(3, 3\); got 'c' \(3, 2\)"):
        replace(asked, dstate={"c": np.ones((3, 2))}).back()


def test_a_kernel_takes_the_same_options() -> None:
    asked, kernel = ask(cells.LSTM(), projection=2), backend("numpy").kernel(cells.LSTM())
    h, _, tape = kernel.forward(
        asked.weights, asked.x, asked.state0, mask=asked.mask, drop=asked.drop, zone=asked.zone, reset=asked.reset,
        fresh=asked.fresh,
    )  # fmt: skip
    np.testing.assert_array_equal(h, asked.forward()[0])
    got = kernel.backward(tape, asked.dh, asked.dstate, clip=0.2)
    assert_same_bits(everything(got), everything(asked.back(clip=0.2)))
