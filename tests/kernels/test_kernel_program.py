"""A step read once: what it costs, how it is cut, what it keeps, what it prints, and what it refuses."""

from __future__ import annotations

import cProfile
import inspect
import pstats
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import pytest
from kernel_cases import (
    VARIANTS,
    assert_close,
    assert_is_the_derivative,
    assert_same_bits,
    derived,
    draw_case,
    everything,
    label,
)

from rnnkit import gradcheck
from rnnkit_kernels import activations, cells
from rnnkit_kernels.contract import Adjoint, Cell, names
from rnnkit_kernels.expressions import CUTS, POINTWISE, Graph
from rnnkit_kernels.levels import backward_levels
from rnnkit_kernels.program import Program, derive, reachable, trace, trace_adjoint
from rnnkit_kernels.replay import Replay, needs_argument
from rnnkit_kernels.stages import stages
from rnnkit_kernels.textbook.functions import Arrays

CELLS = pytest.mark.parametrize("cell", cells.ALL, ids=label)
VARIED = pytest.mark.parametrize("cell", VARIANTS, ids=label)


def cell_of(step: Any, gates: str = "z r n", state: str = "h", **more: Any) -> Cell:
    """A cell called Mine with that step."""
    return type("Mine", (Cell,), {"gates": names(gates), "state": names(state), "step": step} | more)()


# Operations.


@pytest.mark.parametrize(
    ("cell", "step", "adjoint"),
    [
        (cells.SimpleRNN(), 2, 3),
        (cells.LSTM(), 13, 23),
        (cells.GRU(), 10, 15),
        (cells.PeepholeLSTM(), 19, 32),
        (cells.GRUBefore(), 11, 17),
        (cells.CoupledLSTM(), 11, 20),
        (cells.MGU(), 9, 15),
    ],
    ids=lambda value: value.name if isinstance(value, Cell) else str(value),
)
def test_a_derived_adjoint_costs_what_the_one_by_hand_costs(cell: Cell, step: int, adjoint: int) -> None:
    assert trace(cell).forward.operations == step
    assert derive(cell).operations == adjoint
    assert trace_adjoint(cell).operations == adjoint


@CELLS
def test_no_derived_adjoint_of_a_cell_as_it_comes_costs_more_than_the_one_by_hand(cell: Cell) -> None:
    assert derive(cell).operations <= trace_adjoint(cell).operations


@VARIED
def test_a_derived_adjoint_never_costs_more_than_twice_the_one_by_hand(cell: Cell) -> None:
    """It computes again what is not kept, such as an activation's inner part; it never grows out of hand."""
    assert derive(cell).operations <= 2 * trace_adjoint(cell).operations


def test_operations_are_counted_once_and_constants_leaves_and_parts_are_free() -> None:
    F = Graph()
    a = F.leaf("x.a")
    (y,), rstd = F.standardize(a)
    cell = cell_of(lambda self, F, x, u, s, p: ((F.tanh(x.z) + F.tanh(x.z) + 2.0,), ()), gates="z")
    assert trace(cell).forward.operations == 3  # tanh, + and + 2
    assert [n.op for n in (y, rstd)] == ["part", "part"]
    assert "part" not in POINTWISE | CUTS


# Reading.


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda F, a, b: a + b, lambda F, a, b: b + a),
        (lambda F, a, b: a * b, lambda F, a, b: b * a),
        (lambda F, a, b: F.maximum(a, b), lambda F, a, b: F.maximum(b, a)),
        (lambda F, a, b: F.tanh(a), lambda F, a, b: np.tanh(a)),
        (lambda F, a, b: a - (-b), lambda F, a, b: a + b),
        (lambda F, a, b: a + (-b), lambda F, a, b: a - b),
        (lambda F, a, b: 0 - a, lambda F, a, b: -a),
        (lambda F, a, b: 0 - (-a), lambda F, a, b: a),
        (lambda F, a, b: a * 1, lambda F, a, b: a),
        (lambda F, a, b: -1 * a, lambda F, a, b: -a),
        (lambda F, a, b: a * 0 + b, lambda F, a, b: b),
        (lambda F, a, b: a - 0, lambda F, a, b: a),
        (lambda F, a, b: a / 1, lambda F, a, b: a),
        (lambda F, a, b: a**3, lambda F, a, b: a * (a * a)),
        (lambda F, a, b: a > b, lambda F, a, b: b < a),
        (lambda F, a, b: F.where(a < b, a, a), lambda F, a, b: a),
        (lambda F, a, b: a + (2 * F.value(3) - 1) / 4, lambda F, a, b: a + 1.25),
        (lambda F, a, b: np.where(a > 0, a, b), lambda F, a, b: F.where(F.less(0, a), a, b)),
        (lambda F, a, b: np.square(a) + np.reciprocal(b), lambda F, a, b: a * a + 1 / b),
        (lambda F, a, b: np.float64(2) * a, lambda F, a, b: a * 2),
    ],
)
def test_equal_expressions_are_one_node(first: Any, second: Any) -> None:
    F = Graph()
    a, b = F.leaf("x.a"), F.leaf("x.b")
    assert first(F, a, b) is second(F, a, b)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda F, a, b: a - b, lambda F, a, b: b - a),
        (lambda F, a, b: a / b, lambda F, a, b: b / a),
        (lambda F, a, b: F.less(a, b), lambda F, a, b: F.less(b, a)),
        (lambda F, a, b: F.matmul(a, "z"), lambda F, a, b: F.matmul(a, "r")),
        (lambda F, a, b: F.matmul(a, "z"), lambda F, a, b: F.matmul_t(a, "z")),
        (lambda F, a, b: F.standardize(a, b)[1], lambda F, a, b: F.standardize(b, a)[1]),
        (lambda F, a, b: F.standardize(a, epsilon=1e-3)[1], lambda F, a, b: F.standardize(a, epsilon=1e-5)[1]),
        (lambda F, a, b: F.maximum(a, b), lambda F, a, b: F.minimum(a, b)),
    ],
)
def test_expressions_that_differ_stay_apart(first: Any, second: Any) -> None:
    F = Graph()
    a, b = F.leaf("x.a"), F.leaf("x.b")
    assert first(F, a, b) is not second(F, a, b)


@VARIED
def test_a_program_replayed_on_a_graph_writes_itself_again(cell: Cell) -> None:
    step = trace(cell)
    forward, graph = step.forward, Graph()
    again = Replay(forward.outputs)(graph, {name: graph.leaf(name) for name in forward.leaves})
    copy = Program(again)
    assert (copy.operations, set(copy.leaves)) == (forward.operations, set(forward.leaves))


def test_a_node_remembers_the_line_of_the_cell_that_wrote_it() -> None:
    def step(self: Any, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        return (F.tanh(x.z + u.z),), ()

    node = trace(cell_of(step, gates="z")).state["h"]
    assert node.source == f"{__file__}:{inspect.getsourcelines(step)[1] + 1}"


# Levels.


def columns(cell: Cell) -> list[dict[str, str]]:
    """For each level, how the columns of each gate are used that it is the first to use."""
    found = []
    for stage in stages(trace(cell)):
        kinds: dict[str, str] = {}
        for gate, kind in stage.columns:
            kinds[gate] = f"{kinds[gate]} {kind}" if gate in kinds else kind
        found.append(kinds)
    return found


def statistics(cell: Cell) -> list[list[str]]:
    return [[node.op for node in stage.statistics] for stage in stages(trace(cell))]


@pytest.mark.parametrize("cell", [cells.LSTM(), cells.PeepholeLSTM()], ids=label)
def test_an_lstm_is_one_level_with_four_fused_gates(cell: Cell) -> None:
    assert columns(cell) == [dict.fromkeys("ifgo", "fused")]
    assert statistics(cell) == [[]]


def test_a_gru_is_one_level_in_which_the_candidate_s_two_parts_stay_apart() -> None:
    assert columns(cells.GRU()) == [{"z": "fused", "r": "fused", "n": "x u"}]


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (lambda F, x, u: F.tanh(x + u) * F.sigmoid(u + x), "fused"),
        (lambda F, x, u: F.tanh(x * u), "x u"),
        (lambda F, x, u: F.tanh(x - u), "x u"),
        (lambda F, x, u: F.tanh(x + u) * x, "x u"),
        (lambda F, x, u: F.tanh(x + 2 * u), "x u"),
        (lambda F, x, u: F.tanh(x), "x"),
        (lambda F, x, u: F.tanh(u), "u"),
    ],
    ids=["sum", "product", "difference", "sum and x", "sum with 2 u", "x alone", "u alone"],
)
def test_a_gate_s_columns_are_fused_where_their_sum_is_all_that_is_used(write: Any, kind: str) -> None:
    cell = cell_of(lambda self, F, x, u, s, p: ((write(F, x.g, u.g),), ()), gates="g")
    assert columns(cell) == [{"g": kind}]
    assert_is_the_derivative(draw_case(cell), draw_case(cell).gradients(), np.random.default_rng(1))


@pytest.mark.parametrize(
    ("cell", "first", "second"),
    [
        (cells.GRUBefore(), {"z": "fused", "r": "fused"}, {"n": "x inner"}),
        (cells.MGU(), {"f": "fused"}, {"n": "x inner"}),
    ],
    ids=["GRUBefore", "MGU"],
)
def test_an_inner_product_opens_a_second_level_where_its_gate_s_columns_wait(
    cell: Cell, first: dict[str, str], second: dict[str, str]
) -> None:
    assert columns(cell) == [first, second]
    assert statistics(cell) == [[], []]


def test_a_norm_opens_a_level_with_its_statistics() -> None:
    assert columns(cells.LayerNormSimpleRNN()) == [{"h": "fused"}, {}]
    assert statistics(cells.LayerNormSimpleRNN()) == [[], ["standardize"]]
    assert columns(cells.LayerNormLSTM()) == [dict.fromkeys("ifgo", "x u"), {}, {}]
    assert statistics(cells.LayerNormLSTM()) == [[], ["standardize"] * 2, ["standardize"]]
    assert columns(cells.LayerNormGRU()) == [dict.fromkeys("zrn", "x u"), {}]
    assert statistics(cells.LayerNormGRU()) == [[], ["standardize"] * 2]


@pytest.mark.parametrize("field", ["activation", "recurrent_activation"])
def test_softmax_in_a_gate_opens_a_level(field: str) -> None:
    assert statistics(cells.LSTM()) == [[]]
    assert ["softmax"] in [s[:1] for s in statistics(cells.LSTM(**{field: "softmax"}))]


@VARIED
def test_the_levels_hold_every_operation_once_and_in_order(cell: Cell) -> None:
    step = trace(cell)
    levels = stages(step)
    placed = {}
    for k, stage in enumerate(levels):
        for node in (*stage.statistics, *stage.nodes):
            assert node not in placed
            placed[node] = k
    everywhere = {n for n in step.forward.nodes if n.op not in ("leaf", "const", "matmul")}
    assert placed.keys() == everywhere
    for node, k in placed.items():
        assert all(placed.get(a, 0) <= k - (node.op in CUTS) for a in node.args)
    used = {(gate, part) for stage in levels for gate, kind in stage.columns for part in _parts(kind)}
    inner = {(gate, "u") for gate in step.operands}
    assert used == {(n[2:], n[0]) for n in step.forward.leaves if n[:2] in ("x.", "u.")} | inner


def _parts(kind: str) -> tuple[str, ...]:
    return {"fused": ("x", "u"), "x": ("x",), "u": ("u",), "inner": ("u",)}[kind]


# What is kept.


def gru_step(self: Any, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
    z = F.sigmoid(x.z + u.z)
    r = F.sigmoid(x.r + u.r)
    n = F.tanh(x.n + r * u.n)
    return (n + z * (s.h - n),), (z, r, n)


def test_what_is_missing_from_keep_is_named() -> None:
    with pytest.raises(ValueError, match=r"^Mine: the adjoint needs u\.n: add it to keep$"):
        trace(cell_of(gru_step, keep=names("z r n")))


def test_a_cell_without_keep_keeps_the_fewest_values_under_its_own_names_for_them() -> None:
    def step(self: Any, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        return gru_step(self, F, x, u, s, p)[0], ()

    def named(self: Any, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        update = F.sigmoid(x.z + u.z)
        reset = F.sigmoid(x.r + u.r)
        inner = u.n
        candidate = F.tanh(x.n + reset * inner)
        return (candidate + update * (s.h - candidate),), ()

    assert set(trace(cell_of(named)).kept) == {"update", "reset", "inner", "candidate"}
    assert derive(cell_of(named)).operations == 15
    assert len(trace(cell_of(step)).kept) == 4  # the names stand in another function


def test_a_value_that_the_old_and_new_state_give_back_is_not_kept() -> None:
    def step(self: Any, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        c = s.c + F.tanh(x.g + u.g)
        h = F.tanh(c)
        return (h, c), ()

    kept = trace(cell_of(step, gates="g", state="h c")).kept
    assert len(kept) == 1  # tanh(x.g + u.g); tanh(c) is the new h
    assert next(iter(kept.values())).op == "tanh"


@VARIED
def test_a_cell_s_own_keep_is_enough_but_for_arguments_that_a_chosen_activation_needs(cell: Cell) -> None:
    step = trace(cell)
    more = set(step.kept) - set(cell.keep or ())
    assert all(name.startswith("a_") for name in more)
    chosen = [getattr(cell, f.name) for f in fields(cell) if f.name in ("activation", "recurrent_activation")]
    if not any(needs_argument(a) for a in chosen):
        assert not more


@pytest.mark.parametrize("name", activations.ALL)
def test_an_activation_s_argument_is_kept_where_its_output_does_not_say_enough(name: str) -> None:
    from_output = {"linear", "tanh", "sigmoid", "relu", "exponential", "softmax"}
    assert needs_argument(name) == (name not in from_output)


@CELLS
def test_an_adjoint_sees_only_what_a_backward_pass_has(cell: Cell) -> None:
    allowed = {f"k.{k}" for k in trace(cell).kept}
    allowed |= {f"{kind}.{k}" for kind in "snd" for k in cell.state}
    allowed |= {f"p.{k}" for k in cell.unit_vectors}
    allowed |= {f"p.{k}.{q}" for k in cell.gate_vectors for q in cell.gates}
    assert set(derive(cell).leaves) <= allowed
    assert set(trace_adjoint(cell).leaves) <= allowed
    assert derive(cell).outputs.keys() == trace_adjoint(cell).outputs.keys()


# What is refused.


def refused(step: Any, words: str, error: type[Exception] = ValueError, **declared: Any) -> None:
    with pytest.raises(error, match=words):
        trace(cell_of(step, **declared))


def test_a_wrong_number_of_states_is_refused() -> None:
    refused(lambda self, F, x, u, s, p: ((x.z, x.r), ()), r"^Mine\.step returns 2 states, the cell names h$")


def test_a_wrong_number_of_kept_values_is_refused() -> None:
    refused(gru_step, r"^Mine\.step returns 3 values to keep, the cell names z r$", keep=names("z r"))
    refused(gru_step, r"^Mine\.step returns 3 values to keep, the cell names none$")


def test_a_state_in_keep_is_refused() -> None:
    refused(gru_step, "^Mine: h is a state and needs no place in keep$", keep=names("z r h"))


def test_a_result_that_is_not_two_tuples_is_refused() -> None:
    refused(lambda self, F, x, u, s, p: x.z + u.z, r"Mine\.step returns \(\(new state\), \(kept\)\),.*got x")
    refused(lambda self, F, x, u, s, p: ([x.z], []), "two tuples")


def test_a_cell_whose_states_are_not_called_h_is_refused() -> None:
    refused(lambda self, F, x, u, s, p: ((x.z,), ()), "^Mine: one state is called h, .*got", state="y")


def test_a_cell_without_a_step_is_told_to_write_one() -> None:
    refused(Cell.step, "Mine has no step: write step", NotImplementedError)


def here(step: Any, lines: int = 1) -> str:
    """The file and line of a step's first line, or a later one, as an error has it."""
    return rf"test_kernel_program\.py:{inspect.getsourcelines(step)[1] + lines}"


def test_a_branch_on_a_value_is_refused_at_its_line() -> None:
    def step(self: Any, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        if x.z < 0:
            return (x.z,), ()
        return (x.r,), ()

    refused(step, here(step) + r": a step is read once.*cannot branch on a value; write F\.where\(F\.less", TypeError)


def test_an_inner_product_with_columns_that_are_used_already_is_refused() -> None:
    refused(
        lambda self, F, x, u, s, p: ((F.tanh(x.z + u.z + F.matmul(s.h, "z")),), ()),
        r"Mine: F\.matmul\(\.\.\., 'z'\) needs a gate of the cell whose u\.z is not used",
    )
    refused(lambda self, F, x, u, s, p: ((F.matmul(s.h, "q"),), ()), "'q'")
    refused(
        lambda self, F, x, u, s, p: ((F.matmul(s.h, "z") + F.matmul(x.r, "z"),), ()),
        "Mine: one gate has two inner products",
    )


def test_rstd_in_an_equation_is_refused_at_its_line() -> None:
    def step(self: Any, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        (y,), rstd = F.standardize(x.z + u.z)
        return (y * rstd,), ()

    refused(step, here(step) + r": rstd is for keeping, not for equations; use F\.mean")


def test_an_operation_of_adjoints_is_refused_in_a_step() -> None:
    def step(self: Any, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        return (x.z / F.sum(x.z),), ()

    refused(step, here(step) + r": F\.sum has no derivative; use F\.mean")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda F, a: np.sin(a), r"np\.sin at .*test_kernel_program\.py:\d+ cannot stand in a step; use \+"),
        (lambda F, a: np.mean(a), r"np\.mean at .*test_kernel_program\.py:\d+ cannot stand in a step"),
        (lambda F, a: np.tanh(a, dtype=float), r"np\.tanh at"),
        (
            lambda F, a: a + "one",
            r"kernel_program\.py:\d+: a step computes with its values and with numbers, got 'one'",
        ),
        (lambda F, a: a * None, "with numbers, got None"),
        (lambda F, a: a**0.5, r"a power in a step is a whole number from 1 up, got 0\.5 at .*test_kernel_program\.py"),
        (lambda F, a: a**0, "whole number from 1 up, got 0"),
        (lambda F, a: max(a, 0), "cannot branch on a value"),
    ],
    ids=["sin", "mean", "keyword", "text", "None", "root", "power 0", "max"],
)
def test_what_cannot_be_read_is_refused_with_what_to_write(write: Any, words: str) -> None:
    refused(lambda self, F, x, u, s, p: ((write(F, x.z + u.z),), ()), words, TypeError)


@CELLS
def test_an_unknown_activation_is_refused_with_the_nearest_name(cell: Cell) -> None:
    with pytest.raises(ValueError, match=r"unknown activation 'tahn'; did you mean 'tanh'\? Known are: elu, "):
        type(cell)(activation="tahn")


def test_what_is_no_activation_is_refused() -> None:
    class OnlyValue:
        def value(self, a: Any) -> Any:
            return a

    @dataclass
    class Changeable:
        def value(self, a: Any) -> Any:
            return a

        derivative = value

    for given, words in (
        (3, "3 is no activation: give a name"),
        (OnlyValue(), "has a value but no derivative"),
        (Changeable(), r"make its class @dataclass\(frozen=True\)"),
    ):
        with pytest.raises(TypeError, match=words):
            cells.LSTM(activation=given)


# What is printed.


def test_explain_prints_the_lstm_as_numbered_equations() -> None:
    assert cells.LSTM().explain().splitlines() == [
        "LSTM: 1 level(s), kept: i f g o",
        "",
        "step, 13 operations",
        "   1  i  = sigmoid(x.i + u.i)",
        "   2  f  = sigmoid(x.f + u.f)",
        "   3  g  = tanh(x.g + u.g)",
        "   4  o  = sigmoid(x.o + u.o)",
        "   5  c' = f * s.c + i * g",
        "   6  h' = o * tanh(c')",
        "",
        "adjoint, 23 operations; d.q is dL/dq', q' the new state",
        "   1  v1   = tanh(n.c)",
        "   2  v2   = d.c + d.h * k.o * (1 - v1 * v1)",
        "   3  dx.i = v2 * k.g * k.i * (1 - k.i)",
        "   4  dx.f = v2 * s.c * k.f * (1 - k.f)",
        "   5  dx.g = v2 * k.i * (1 - k.g * k.g)",
        "   6  dx.o = d.h * v1 * k.o * (1 - k.o)",
        "   7  ds.c = v2 * k.f",
        "   8  du.i = dx.i",
        "   9  du.f = dx.f",
        "  10  du.g = dx.g",
        "  11  du.o = dx.o",
        "  12  ds.h = 0",
    ]


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        (cells.GRU(), "   4  n  = tanh(x.n + r * un)"),
        (cells.GRU(), "   5  du.n = dx.n * k.r"),
        (cells.GRUBefore(), "   3  n  = tanh(x.n + (r * s.h) @ U_n)"),
        (cells.GRUBefore(), "   4  v2   = dx.n @ U_n^T"),
        (cells.PeepholeLSTM(), "   9  dp.p_f = dx.f * s.c"),
        (cells.LayerNormSimpleRNN(), "   3  rstd = v1[rstd]"),
        (cells.LayerNormSimpleRNN(), "   3  dx.h     = k.rstd * (v1 - mean(v1) - k.y * mean(v1 * k.y))"),
        (cells.CoupledLSTM(), "   4  c' = s.c + i * (g - s.c)"),
    ],
    ids=lambda value: value.name if isinstance(value, Cell) else None,
)
def test_explain_prints_each_cell_in_its_own_names(cell: Cell, line: str) -> None:
    assert line in cell.explain().splitlines()


@VARIED
def test_explain_numbers_every_equation_and_names_every_gradient(cell: Cell) -> None:
    text = cell.explain()
    step, adjoint = text.split("adjoint,")
    for part in (step, adjoint):
        numbers = [int(line.split()[0]) for line in part.splitlines() if " = " in line]
        assert numbers == list(range(1, len(numbers) + 1))
    left = [line.split()[1] for line in adjoint.splitlines() if " = " in line]
    assert {f"d{name}" for name in derive(cell).outputs} <= set(left)
    assert len(left) == len(set(left))


@pytest.mark.parametrize(
    "write",
    [
        lambda a, b, c: a - (b - c),
        lambda a, b, c: a - (b + c),
        lambda a, b, c: (a - b) - c,
        lambda a, b, c: a / (b * c),
        lambda a, b, c: a / (b / c),
        lambda a, b, c: (a + b) * c,
        lambda a, b, c: -(a + b) * c,
        lambda a, b, c: a - -(b * c) / 3,
        lambda a, b, c: 1 - a * (b - c) / (a + 2),
    ],
)
def test_a_printed_expression_has_the_brackets_that_it_needs(write: Any) -> None:
    """Read as Python, it has the value of what was written."""
    F = Graph()
    numbers = {"a": 1.7, "b": -0.6, "c": 2.3}
    printed = repr(write(*(F.leaf(name) for name in numbers)))
    assert eval(printed, {}, numbers) == pytest.approx(write(*numbers.values()), rel=1e-15)


# A user's own cell and activations.


class Mine(Cell):
    gates, state = names("z r n"), names("h")
    recurrent_bias = True

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        z = F.sigmoid(x.z + u.z)
        r = F.sigmoid(x.r + u.r)
        n = F.tanh(x.n + r * u.n)
        return (n + z * (s.h - n),), ()


def test_a_cell_typed_with_its_step_alone_is_the_built_in_one() -> None:
    case = draw_case(Mine(), seed=4)
    built_in = draw_case(cells.GRU(), seed=4)
    assert not Mine().has_adjoint
    h, last, tape = case.forward()
    h2, last2, tape2 = built_in.forward()
    assert_same_bits({"h": h} | last, {"h": h2} | last2)
    assert_close(everything(case.back(tape)), everything(built_in.back(tape2)), 1e-14)
    assert gradcheck(Mine)


class Everything(Cell):
    """Each function that a step may use, two states, vectors of both kinds, of which one of each is not used."""

    gates, state = names("q a b"), names("h m")
    unit_vectors: ClassVar[tuple[str, ...]] = names("gain unused")
    gate_vectors: ClassVar[tuple[str, ...]] = names("shift idle")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        a = F.tanh(x.a + u.a + p.shift.a)
        b = F.sigmoid(u.b) * F.erf(x.b) + F.softplus(x.b - 1) / (1 + F.abs(x.b))
        (y, w), _ = F.standardize(a * 3, b + s.m, epsilon=1e-2)
        spread = F.mean((s.h - F.mean(s.h)) * (s.h - F.mean(s.h)), y)
        q = F.tanh(x.q + F.matmul(y * s.h, "q")) * F.rsqrt(1 + spread * spread)
        chosen = F.where(F.less(a, b), F.sqrt(1 + w * w), F.exp(-w * w))
        m = F.maximum(q, 0.2 * q) + F.minimum(chosen, 2 - chosen) * p.gain + F.softmax(y) - F.relu(w) * p.shift.q
        return (q + F.log(1 + m * m) * 0.3, 0.5 * m), ()


def test_every_function_of_a_step_has_a_right_derivative_in_a_cell() -> None:
    for seed in range(6):
        case = draw_case(Everything(), sizes=(3, 4, 2, 4), seed=seed)
        grads = case.gradients()
        assert_is_the_derivative(case, grads, np.random.default_rng(seed))
        for name in ("unused", "idle"):
            assert not grads.weights[name].any()
        unmasked = draw_case(Everything(), sizes=(3, 4, 2, 4), seed=seed, mask=None)
        assert_is_the_derivative(unmasked, unmasked.gradients(), np.random.default_rng(seed))


def test_two_states_may_be_one_value_and_are_owed_together() -> None:
    def step(self: Any, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        h = F.tanh(x.g + u.g + s.m)
        return (h, h), ()

    case = draw_case(cell_of(step, gates="g", state="h m"))
    assert_is_the_derivative(case, case.gradients(), np.random.default_rng(1))


def test_a_state_may_pass_through_a_step_unchanged() -> None:
    def step(self: Any, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        return (F.tanh(x.g + u.g + s.m), s.m), ()

    case = draw_case(cell_of(step, gates="g", state="h m"))
    assert_is_the_derivative(case, case.gradients(), np.random.default_rng(1))
    assert_same_bits(case.forward()[1] | {"h": case.x}, case.state0 | {"h": case.x})


class Cube:
    def value(self, a: Any) -> Any:
        return a * a * a

    def derivative(self, a: Any) -> Any:
        return 3 * a * a


class WrongCube(Cube):
    def derivative(self, a: Any) -> Any:
        return 2 * a * a


class Swish:
    """With the functions of a step, and what NumPy would call doubles."""

    def value(self, F: Any, a: Any) -> Any:
        return a * F.sigmoid(a) * F.where(F.less(a, 0), 1.0, 1.0)

    def derivative(self, F: Any, a: Any) -> Any:
        y = F.sigmoid(a)
        return (y + a * y * (1 - y)) * np.where(a < 0, 1.0, 1.0)


class Stairs:
    """Constants alone: a slope that NumPy would make a double of."""

    def value(self, a: Any) -> Any:
        return np.where(a > 0, a, 0.5 * a)

    def derivative(self, a: Any) -> Any:
        return np.where(a > 0, 1.0, 0.5)


OWN = {
    "an object": Cube(),
    "an object with F": Swish(),
    "an object of constants": Stairs(),
    "np.tanh": np.tanh,
    "a function of np.tanh": lambda a: 0.5 * np.tanh(a) + 0.1 * a,
    "a function with F": lambda F, a: F.tanh(a) * F.exp(0.5),
    "a function with a default": lambda a, slope=0.3: slope * a,
    "a function by cases": lambda a: np.where(a < 0, -1.0, 0.5) * a,
}


@CELLS
@pytest.mark.parametrize("own", OWN.values(), ids=OWN.keys())
def test_a_user_s_activation_works_in_every_cell(cell: Cell, own: Any) -> None:
    mine = type(cell)(activation=own)
    assert gradcheck(mine, steps=2, rows=2, elements=40)
    case = draw_case(mine, sizes=(2, 4, 2, 3), spread=0.3)
    assert_close(
        everything(case.gradients()),
        everything(draw_case(derived(mine), sizes=(2, 4, 2, 3), spread=0.3).gradients()),
        1e-13,
    )
    single = case.map(lambda a: a.astype(np.float32) if a.dtype == np.float64 else a)
    h, last, tape = single.forward()
    values = {"h": h} | last | tape.kept | everything(single.back(tape))
    assert {v.dtype for v in values.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("own", OWN.values(), ids=OWN.keys())
def test_a_user_s_activation_keeps_the_dtype_on_arrays(own: Any) -> None:
    F = Arrays()
    a = np.linspace(-2, 2, 5, dtype=np.float32)
    y = F.apply(own, a)
    assert y.dtype == np.float32
    assert F.back(own, y, a, np.ones_like(a)).dtype == np.float32


@CELLS
def test_a_wrong_derivative_of_a_user_s_activation_is_caught(cell: Cell) -> None:
    assert gradcheck(type(cell)(activation=Cube()), steps=2, elements=40)
    report = gradcheck(type(cell)(activation=WrongCube()), steps=2, elements=40)
    assert not report
    assert report.error > 1e-3


def test_an_adjoint_by_hand_may_leave_the_vectors_out_where_there_are_none() -> None:
    assert Adjoint(x=(1,), u=(2,), s=(3,)).p == {}


def test_a_cell_is_traced_under_a_profiler_which_goes_on_afterwards() -> None:
    def afterwards() -> int:
        return 1

    profile = cProfile.Profile()
    profile.enable()
    try:
        trace(type("Fresh", (cells.LSTM,), {})())  # of a type that nobody has traced before
        afterwards()
    finally:
        profile.disable()
    told: Any = pstats.Stats(profile)
    assert any(name == "afterwards" for _, _, name in told.stats)


@pytest.mark.parametrize("name", ["LSTM", "LayerNormLSTM"])
def test_a_cell_that_is_read_again_goes_with_its_own_adjoint(name: str) -> None:
    """As happens to the first of more cells than are remembered."""
    cell = getattr(cells, name)(activation="softmax")
    derive(cell)
    trace.cache_clear()
    lowered = backward_levels.__wrapped__(cell)
    nodes = {node for level in lowered.levels for node in reachable(level.outputs.values())}
    assert {node.graph for node in nodes} == {trace(cell).graph}
