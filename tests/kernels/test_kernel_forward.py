"""The recurrence computes what the equations say: held against a slow loop, and against formulas written again."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import EPS, VARIANTS, Case, assert_close, assert_same_bits, cases, draw_case, label, steady

from rnnkit_kernels import activations, cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.textbook.functions import Arrays
from rnnkit_kernels.textbook.recurrence import backward, forward

CELLS = pytest.mark.parametrize("cell", cells.ALL, ids=label)


class Products(Arrays):
    """The functions of a step, with inner products: (m * v) U_q."""

    def __init__(self, blocks: dict[str, Any], drop: Any) -> None:
        self.blocks, self.drop = blocks, drop

    def matmul(self, a: Any, gate: str) -> Any:
        return (a if self.drop is None else a * self.drop) @ self.blocks[gate]


def by_gate(cell: Cell, weight: Any) -> dict[str, Any]:
    return dict(zip(cell.gates, np.split(weight, len(cell.gates), axis=-1), strict=True))


def slow_loop(case: Case) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """All states and all kept values, one step after the other, nothing shared with the recurrence but the cell."""
    cell, weights = case.cell, case.weights
    T, B, _, H = case.sizes
    W, U = by_gate(cell, weights["W"]), by_gate(cell, weights["U"])
    zeros = np.zeros(len(cell.gates) * H)
    b = by_gate(cell, zeros if "b" in cell.gate_vectors else weights.get("b", zeros))
    b_h = by_gate(cell, weights.get("b_h", zeros))
    p = {k: SimpleNamespace(**by_gate(cell, weights.get(k, zeros))) for k in cell.gate_vectors}
    p |= {k: weights[k] for k in cell.unit_vectors}
    states: dict[str, list[Any]] = {k: [v] for k, v in case.state0.items()}
    kept: dict[str, list[Any]] = {k: [] for k in cell.keep or ()}
    for t in range(T):
        old = {k: v[t] for k, v in states.items()}
        met = old["h"] if case.drop is None else old["h"] * case.drop
        x = {q: case.x[t] @ W[q] + b[q] for q in cell.gates}
        u = {q: met @ U[q] + b_h[q] for q in cell.gates}
        x, u, s = SimpleNamespace(**x), SimpleNamespace(**u), SimpleNamespace(**old)
        new, keep = cell.step(Products(U, case.drop), x, u, s, SimpleNamespace(**p))
        for name, value in zip(cell.state, new, strict=True):
            live = np.ones(B, bool) if case.mask is None else case.mask[t]
            states[name].append(np.array([value[r] if live[r] else old[name][r] for r in range(B)]))
        for name, value in zip(kept, keep, strict=True):
            kept[name].append(value)
    return states, kept


def rounding(case: Case) -> float:
    """45 EPS: a step rounds sums of F + H < 10 products and a chain of some ten operations, and what it hands to the
    next is damped by gates. A norm stretches what came before it by 1 / (its deviation), here ten times at most."""
    return 1e-13 if "LayerNorm" in case.cell.name else 1e-14


@CELLS
@steady(max_examples=25)
@given(data=st.data())
def test_the_recurrence_is_the_step_taken_again_and_again(cell: Cell, data: Any) -> None:
    case = data.draw(cases(cell))
    h, last, tape = case.forward()
    states, kept = slow_loop(case)
    assert_close(tape.states, {k: np.array(v) for k, v in states.items()}, rounding(case))
    live = np.ones(case.x.shape[:2], bool) if case.mask is None else case.mask
    assert_close({k: tape.kept[k][live] for k in kept}, {k: np.array(v)[live] for k, v in kept.items()}, rounding(case))
    assert_same_bits({"h": h}, {"h": tape.states["h"][1:]})
    assert_same_bits(last, {k: v[-1] for k, v in tape.states.items()})


@pytest.mark.parametrize("cell", VARIANTS, ids=label)
def test_the_recurrence_is_the_step_taken_again_with_every_activation(cell: Cell) -> None:
    case = draw_case(cell, sizes=(2, 4, 2, 3), spread=0.3)
    states, _ = slow_loop(case)
    assert_close(case.forward()[2].states, {k: np.array(v) for k, v in states.items()}, rounding(case))


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def norm(a: Any, epsilon: float) -> Any:
    """Over the last axis; mean and variance by their definitions."""
    middle = sum(a.T) / a.shape[-1]
    variance = sum((a.T - middle) ** 2) / a.shape[-1]
    return ((a.T - middle) / np.sqrt(variance + epsilon)).T


# Each formula is written from its paper, on x (B, F), states s (B, H) and whole weights w; m is the mask of recurrent
# dropout. Gates are blocks of columns, in the order i f g o, or z r n.
def simple_rnn(cell: Any, x: Any, m: Any, s: Any, w: Any) -> Any:
    return {"h": np.tanh(x @ w.W + w.b + (m * s.h) @ w.U)}


def lstm(cell: Any, x: Any, m: Any, s: Any, w: Any) -> Any:
    i, f, g, o = np.split(x @ w.W + (m * s.h) @ w.U + w.b, 4, axis=1)
    c = sigmoid(f) * s.c + sigmoid(i) * np.tanh(g)
    return {"h": sigmoid(o) * np.tanh(c), "c": c}


def peephole(cell: Any, x: Any, m: Any, s: Any, w: Any) -> Any:
    i, f, g, o = np.split(x @ w.W + (m * s.h) @ w.U + w.b, 4, axis=1)
    c = sigmoid(f + w.p_f * s.c) * s.c + sigmoid(i + w.p_i * s.c) * np.tanh(g)
    return {"h": sigmoid(o + w.p_o * c) * np.tanh(c), "c": c}


def coupled(cell: Any, x: Any, m: Any, s: Any, w: Any) -> Any:
    i, g, o = np.split(x @ w.W + (m * s.h) @ w.U + w.b, 3, axis=1)
    c = (1 - sigmoid(i)) * s.c + sigmoid(i) * np.tanh(g)
    return {"h": sigmoid(o) * np.tanh(c), "c": c}


def gru(cell: Any, x: Any, m: Any, s: Any, w: Any) -> Any:
    x_z, x_r, x_n = np.split(x @ w.W + w.b, 3, axis=1)
    u_z, u_r, u_n = np.split((m * s.h) @ w.U + w.b_h, 3, axis=1)
    z, r = sigmoid(x_z + u_z), sigmoid(x_r + u_r)
    return {"h": z * s.h + (1 - z) * np.tanh(x_n + r * u_n)}


def gru_before(cell: Any, x: Any, m: Any, s: Any, w: Any) -> Any:
    x_z, x_r, x_n = np.split(x @ w.W + w.b, 3, axis=1)
    U_z, U_r, U_n = np.split(w.U, 3, axis=1)
    z, r = sigmoid(x_z + (m * s.h) @ U_z), sigmoid(x_r + (m * s.h) @ U_r)
    return {"h": z * s.h + (1 - z) * np.tanh(x_n + (m * r * s.h) @ U_n)}


def mgu(cell: Any, x: Any, m: Any, s: Any, w: Any) -> Any:
    x_f, x_n = np.split(x @ w.W + w.b, 2, axis=1)
    U_f, U_n = np.split(w.U, 2, axis=1)
    f = sigmoid(x_f + (m * s.h) @ U_f)
    return {"h": (1 - f) * s.h + f * np.tanh(x_n + (m * f * s.h) @ U_n)}


def layer_norm_rnn(cell: Any, x: Any, m: Any, s: Any, w: Any) -> Any:
    return {"h": np.tanh(w.gamma * norm(x @ w.W + w.b + (m * s.h) @ w.U, cell.epsilon) + w.beta)}


def layer_norm_lstm(cell: Any, x: Any, m: Any, s: Any, w: Any) -> Any:
    a = norm(x @ w.W, cell.epsilon) * w.gamma_x + w.beta_x + w.b
    i, f, g, o = np.split(a + norm((m * s.h) @ w.U, cell.epsilon) * w.gamma_h + w.beta_h, 4, axis=1)
    c = sigmoid(f) * s.c + sigmoid(i) * np.tanh(g)
    return {"h": sigmoid(o) * np.tanh(norm(c, cell.epsilon) * w.gamma_c + w.beta_c), "c": c}


def layer_norm_gru(cell: Any, x: Any, m: Any, s: Any, w: Any) -> Any:
    p_z, p_r, p_n = np.split(norm(x @ w.W, cell.epsilon) * w.gamma_x + w.beta_x + w.b, 3, axis=1)
    q_z, q_r, q_n = np.split(norm((m * s.h) @ w.U, cell.epsilon) * w.gamma_h + w.beta_h, 3, axis=1)
    z, r = sigmoid(p_z + q_z), sigmoid(p_r + q_r)
    return {"h": z * s.h + (1 - z) * np.tanh(p_n + r * q_n)}


FORMULAS = {
    cells.SimpleRNN: simple_rnn,
    cells.LSTM: lstm,
    cells.GRU: gru,
    cells.GRUBefore: gru_before,
    cells.PeepholeLSTM: peephole,
    cells.CoupledLSTM: coupled,
    cells.LayerNormSimpleRNN: layer_norm_rnn,
    cells.LayerNormLSTM: layer_norm_lstm,
    cells.LayerNormGRU: layer_norm_gru,
    cells.MGU: mgu,
}


@CELLS
@steady(max_examples=25)
@given(data=st.data())
def test_a_cell_computes_its_paper_s_formula(cell: Cell, data: Any) -> None:
    formula = FORMULAS.get(type(cell))
    assert formula is not None, f"write the formula of {cell.name} here, from its paper"
    case = data.draw(cases(cell, mask=None, biases=("b", "b_h")))
    drop = np.ones_like(case.dh[0]) if case.drop is None else case.drop
    states = {k: [v] for k, v in case.state0.items()}
    for x in case.x:
        old = SimpleNamespace(**{k: v[-1] for k, v in states.items()})
        new = formula(cell, x, drop, old, SimpleNamespace(**case.weights))
        for name, value in new.items():
            states[name].append(value)
    assert_close(case.forward()[2].states, {k: np.array(v) for k, v in states.items()}, rounding(case))


# From the definitions, on one number; `softmax` is over a row and stands in the tests of the functions.
SCALAR = {
    "linear": lambda a: a,
    "tanh": math.tanh,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "hard_sigmoid": lambda a: min(max(a / 6 + 0.5, 0), 1),
    "relu": lambda a: max(a, 0),
    "leaky_relu": lambda a: a if a > 0 else 0.2 * a,
    "elu": lambda a: a if a > 0 else math.expm1(a),
    "selu": lambda a: 1.0507009873554805 * (a if a > 0 else 1.6732632423543772 * math.expm1(a)),
    "gelu": lambda a: a * (1 + math.erf(a / math.sqrt(2))) / 2,
    "softplus": lambda a: math.log1p(math.exp(a)) if a < 30 else a + math.exp(-a),
    "softsign": lambda a: a / (1 + abs(a)),
    "swish": lambda a: a / (1 + math.exp(-a)),
    "silu": lambda a: a / (1 + math.exp(-a)),
    "exponential": math.exp,
}


@pytest.mark.parametrize("name", sorted(set(activations.ALL) - {"softmax"}))
def test_an_activation_is_its_definition(name: str) -> None:
    a = np.concatenate([np.linspace(-40, 40, 161), [-3.0, 3.0, -1e-9, 1e-9, -0.0]])
    expected = np.array([SCALAR[name](float(v)) for v in a])
    got = activations.expand(name, Arrays(), a)
    # exp(a) - 1 and 1 + erf(a) are rounded to the size of 1; everything else to its own.
    np.testing.assert_allclose(got, expected, rtol=8 * EPS, atol=20 * EPS)


@CELLS
@pytest.mark.parametrize(
    ("field", "change", "words"),
    [
        ("x", lambda a: a[0], r"x is \(T, B, F\), time first; got shape \(3, 2\)"),
        ("weights", lambda w: {"U": w["U"]}, "weights need W and U, got U"),
        ("weights", lambda w: w | {"U": w["U"][:, 1:]}, r"U is \(H, . H\) for the gates"),
        ("weights", lambda w: w | {"W": w["W"][1:]}, r"W should have shape \(2, \d+\) for x \(4, 3, 2\); got \(1,"),
        ("weights", lambda w: w | {"b": w["b"][1:]}, "b should have shape"),
        ("weights", lambda w: w | {"peep": w["b"]}, "has no weight 'peep'; it has W U b"),
        ("state0", lambda s: {}, r"state0 needs h( and c)?; 'h' is missing"),
        ("state0", lambda s: s | {"h": s["h"][:1]}, r"state 'h' is \(B, H\) = \(3, 3\); got \(1, 3\)"),
        ("mask", lambda m: m.T, r"mask is \(T, B\) = \(4, 3\) of bool; got \(3, 4\) of bool"),
        ("mask", lambda m: m.astype(float), r"of bool; got \(4, 3\) of float64"),
        ("drop", lambda d: d[0], r"drop is \(B, H\) = \(3, 3\); got \(3,\)"),
    ],
    ids=[
        "x of two axes", "no W", "U of other columns", "W of other rows", "b of other length", "a weight too many",
        "no state", "a state of other rows", "a batch-major mask", "a mask of numbers", "a drop of one axis",
    ],
)  # fmt: skip
def test_arrays_that_do_not_belong_together_are_refused_by_name(
    cell: Cell, field: str, change: Any, words: str
) -> None:
    case = draw_case(cell)
    given = {"weights": case.weights, "x": case.x, "state0": case.state0, "mask": case.mask, "drop": case.drop}
    given[field] = change(given[field])
    with pytest.raises(ValueError, match=f"{cell.name}.*{words}"):
        forward(cell, given["weights"], given["x"], given["state0"], mask=given["mask"], drop=given["drop"])


@pytest.mark.parametrize("cell", [c for c in cells.ALL if c.unit_vectors or c.gate_vectors], ids=label)
def test_a_vector_that_is_missing_is_named(cell: Cell) -> None:
    case = draw_case(cell)
    for name in (*cell.unit_vectors, *cell.gate_vectors):
        if name != "b":
            weights = {k: v for k, v in case.weights.items() if k != name}
            with pytest.raises(ValueError, match=rf"{cell.name}: weights lack '{name}', of shape \(\d+,\)"):
                forward(cell, weights, case.x, case.state0)


@CELLS
def test_cotangents_of_other_shapes_are_refused(cell: Cell) -> None:
    case = draw_case(cell)
    tape = case.forward()[2]
    with pytest.raises(ValueError, match=rf"{cell.name}: dh is \(T, B, H\) = \(4, 3, 3\), as h; got \(3, 3, 3\)"):
        backward(tape, case.dh[1:])
    with pytest.raises(ValueError, match=r"dstate is a dict of h.*got 'h' \(3,\)"):
        backward(tape, case.dh, {"h": case.dh[0, 0]})
    with pytest.raises(ValueError, match=r"dstate is a dict of h.*got 'q'"):
        backward(tape, case.dh, {"q": case.dh[0]})
