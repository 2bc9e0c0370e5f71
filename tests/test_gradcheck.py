"""The gradient check finds what is wrong, says where, and passes what is right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from rnnkit import Sequential, gradcheck, layers, losses
from rnnkit_kernels import activations, cells
from rnnkit_kernels.backends import Kernel
from rnnkit_kernels.contract import Adjoint, Cell, Gradients, Tape

CELLS = pytest.mark.parametrize("cell", cells.ALL, ids=lambda cell: cell.name)


def changed(cell: Cell, change: Any) -> Cell:
    """The cell with another adjoint: change(what the right one returns, the functions, k, old, new, d, p)."""
    right = type(cell).adjoint

    def adjoint(self: Any, F: Any, *values: Any) -> Adjoint:
        return change(right(self, F, *values), F, *values)

    return type(cell.name, (type(cell),), {"adjoint": adjoint})()


def flipped(cell: Cell, gate: str) -> Cell:
    """The cell with the sign of one gate's gradient turned."""
    k = cell.gates.index(gate)

    def turn(parts: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*parts[:k], -parts[k], *parts[k + 1 :])

    return changed(cell, lambda right, *_: right._replace(x=turn(right.x), u=turn(right.u)))


GATES = [(cell, gate) for cell in cells.ALL for gate in cell.gates]


@pytest.mark.parametrize(("cell", "gate"), GATES, ids=[f"{cell.name}-{gate}" for cell, gate in GATES])
def test_a_flipped_sign_is_found_at_its_gate_and_the_last_step(cell: Cell, gate: str) -> None:
    assert gradcheck(cell, steps=3, rows=4, masked=False)
    report = gradcheck(flipped(cell, gate), steps=3, rows=4, masked=False)
    assert not report
    assert not report.ok
    assert report.error > 1e-2
    assert report.suspect == f"gate {gate}, step 2 (the last step that is wrong)"
    text = str(report)
    assert text.startswith(f"{cell.name} (textbook): WRONG. ")
    assert f"look first at: {report.suspect}" in text
    assert f"worst: {report.worst.where}: gradient {report.worst.analytic:.10g}, complex step" in text


@pytest.mark.parametrize("method", ["complex", "difference"])
def test_either_method_finds_a_flipped_sign(method: str) -> None:
    assert not gradcheck(flipped(cells.GRU(), "r"), method=method)
    assert gradcheck(cells.GRU(), method=method)


def test_an_error_at_one_step_alone_is_found_at_that_step() -> None:
    """Steps before it inherit the error, steps after it are right: the last wrong one is where it was made."""

    @dataclass(frozen=True)
    class Slips(Kernel):
        def backward(self, tape: Tape, dh: Any, dstate: Any = None) -> Gradients:
            seen: list[int] = []

            def slip(right: Adjoint, F: Any, *_: Any) -> Adjoint:
                seen.append(len(seen))
                if len(seen) != 3:  # counted from the end: of 5 steps, step 2
                    return right
                return right._replace(x=(right.x[0], right.x[1], 1.1 * right.x[2], right.x[3]))

            return super().backward(replace(tape, cell=changed(tape.cell, slip)), dh, dstate)

    report = gradcheck(Slips(cells.LSTM(), origin="slips"), steps=5, masked=False)
    assert not report
    assert report.suspect == "gate g, step 2 (the last step that is wrong)"
    assert str(report).startswith("LSTM (slips): WRONG")


@dataclass(frozen=True)
class Forgets(Kernel):
    """A kernel whose gradient of one weight leaves out the first step's part."""

    weight: str = "U"

    def backward(self, tape: Tape, dh: Any, dstate: Any = None) -> Gradients:
        right = super().backward(tape, dh, dstate)
        met = {"W": tape.x, "U": tape.states["h"] * (1 if tape.drop is None else tape.drop)}
        if self.weight in met:
            pre = right.x_pre if self.weight == "W" else right.u_pre
            first = met[self.weight][0].T @ pre[0]
        elif self.weight in right.vectors:
            first = right.vectors[self.weight][0]
        else:
            first = (right.u_pre if self.weight == "b_h" else right.x_pre)[0].sum(axis=0)
        return replace(right, weights=right.weights | {self.weight: right.weights[self.weight] - first})


@pytest.mark.parametrize(
    ("cell", "weight"),
    [
        (cells.LSTM(), "W"),
        (cells.LSTM(), "U"),
        (cells.LSTM(), "b"),
        (cells.GRU(), "b_h"),
        (cells.PeepholeLSTM(), "p_o"),
        (cells.LayerNormGRU(), "gamma_h"),
        (cells.LayerNormSimpleRNN(), "beta"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_step_left_out_of_a_weight_s_gradient_is_found_in_that_weight(cell: Cell, weight: str) -> None:
    report = gradcheck(Forgets(cell, origin="forgets", weight=weight), masked=False)
    assert not report
    assert {e.array for e in report.wrong} == {weight}
    assert report.suspect is None  # every pre-activation is right: the sum is what is wrong
    assert report.worst.where.startswith(f"{weight}[")


def test_an_element_is_named_by_its_gate_and_unit() -> None:
    report = gradcheck(flipped(cells.PeepholeLSTM(), "o"), steps=2, rows=2, features=2, units=2, masked=False)
    places = {e.array: e.where for e in report.rows}
    assert places["p_o"] in ("p_o[unit 0]", "p_o[unit 1]")
    for name, first in (("W", "feature"), ("U", "unit")):
        assert places[name] in {f"{name}[{first} {r}, gate o, unit {c}]" for r in range(2) for c in range(2)}, (
            "the worst element of W and U stands in the gate that is wrong"
        )
    assert places["b"] in ("b[gate o, unit 0]", "b[gate o, unit 1]")
    assert places["x"].startswith("x at step ")
    assert places["pre-activation"].startswith("pre-activation of gate o, step ")
    assert places["state0 h"].startswith("state0 h, row ")


@CELLS
def test_every_cell_passes_with_its_elements_counted(cell: Cell) -> None:
    T, B, F, H = 2, 3, 2, 2
    report = gradcheck(cell, steps=T, rows=B, features=F, units=H)
    columns = len(cell.gates) * H
    weights = F * columns + H * columns + columns * (1 + cell.recurrent_bias)
    weights += columns * len([v for v in cell.gate_vectors if v != "b"]) + H * len(cell.unit_vectors)
    assert report, report
    assert report.checked == weights + len(cell.state) * B * H + T * B * F + T * B * columns
    assert report.tolerance == 1e-12
    assert str(report).startswith(f"{cell.name} (textbook): right. {report.checked} elements by complex step")
    assert report.wrong == ()
    assert report.suspect is None


def test_a_class_is_checked_as_the_cell_that_it_makes() -> None:
    assert str(gradcheck(cells.LSTM)) == str(gradcheck(cells.LSTM()))


def test_the_same_seed_draws_the_same_check_and_another_seed_another() -> None:
    assert str(gradcheck(cells.GRU(), seed=3)) == str(gradcheck(cells.GRU(), seed=3))
    first, second = (gradcheck(cells.GRU(), seed=s).rows[0] for s in (3, 4))
    assert first.analytic != second.analytic


@pytest.mark.parametrize("elements", [1, 20, 100])
def test_elements_beyond_the_number_asked_for_are_drawn_and_every_array_has_one(elements: int) -> None:
    whole = gradcheck(cells.LSTM())
    some = gradcheck(cells.LSTM(), elements=elements)
    assert some
    assert {e.array for e in some.rows} == {e.array for e in whole.rows}
    assert some.checked <= max(elements, len(some.rows))
    assert some.checked < whole.checked


def test_the_random_direction_sees_what_the_drawn_elements_miss() -> None:
    """One element of U is wrong, and none of the few that are drawn is that one."""

    @dataclass(frozen=True)
    class OneWrong(Kernel):
        def backward(self, tape: Tape, dh: Any, dstate: Any = None) -> Gradients:
            right = super().backward(tape, dh, dstate)
            U = right.weights["U"].copy()
            U[0, 0] += 1e-3
            return replace(right, weights=right.weights | {"U": U})

    report = gradcheck(OneWrong(cells.LSTM(), origin="one wrong"), elements=1)
    assert report.wrong == ()
    assert not report
    assert report.directional > 1e-7
    whole = gradcheck(OneWrong(cells.LSTM(), origin="one wrong"))
    assert [e.index for e in whole.wrong] == [(0, 0)]


def test_a_gradient_that_is_not_a_number_is_wrong() -> None:
    report = gradcheck(changed(cells.LSTM(), lambda right, *_: right._replace(s=(0, right.s[1] * np.nan))))
    assert not report
    assert report.error == np.inf


@pytest.mark.parametrize("name", activations.KINKED)
def test_a_kinked_activation_is_checked_by_differences(name: str) -> None:
    report = gradcheck(cells.LSTM(activation=name, recurrent_activation="hard_sigmoid"), elements=60)
    assert report, report
    assert (report.method, report.tolerance) == ("differences", 1e-7)
    with pytest.raises(ValueError, match="the complex step needs a function without kinks; use method='difference'"):
        gradcheck(cells.LSTM(activation=name), method="complex")
    assert not gradcheck(flipped(cells.LSTM(), "g"), method="difference", elements=60)


def test_a_difference_across_a_kink_is_not_taken_for_an_error() -> None:
    x = np.array([[-2.0, -1e-4, -1e-5, 1e-5, 1e-4, 2.0]])
    assert gradcheck(layers.Activation("relu"), x)
    assert gradcheck(layers.Activation("leaky_relu"), x)


def test_a_method_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="method is 'auto', 'difference' or 'complex'; got 'exact'"):
        gradcheck(cells.LSTM(), method="exact")


def test_what_cannot_be_checked_is_refused() -> None:
    with pytest.raises(TypeError, match="takes a cell, a kernel, a layer, a model or a loss; got 3"):
        gradcheck(3)


def test_float32_is_refused_with_the_reason() -> None:
    why = "three digits, too few to tell a right gradient from a wrong one"
    x = np.ones((2, 3, 2), np.float32)
    model = Sequential([layers.Input((3, 2)), layers.LSTM(2)], dtype="float32", seed=0)
    with pytest.raises(ValueError, match=rf"the model is float32: .*{why}; build it with Sequential\(\.\.\., dtype="):
        gradcheck(model, x, np.ones((2, 2)))
    with pytest.raises(ValueError, match=f"needs float64 and x is float32: .*{why}"):
        gradcheck(layers.LSTM(2), x)
    with pytest.raises(ValueError, match=f"needs float64 and y is float32: .*{why}"):
        gradcheck(losses.MSE(), x, x)


# Layers.


LAYERS: list[tuple[Any, tuple[int, ...]]] = [
    (layers.Dense(3), (4, 2)),
    (layers.Dense(3, "tanh"), (2, 3, 2)),
    (layers.Dense(3, "softmax"), (4, 2)),
    (layers.Dense(3, "relu", use_bias=False), (4, 2)),
    (layers.Activation("gelu"), (2, 3)),
    (layers.LSTM(3), (2, 4, 2)),
    (layers.LSTM(3, return_sequences=True, return_state=True), (2, 4, 2)),
    (layers.GRU(3, go_backwards=True), (2, 4, 2)),
    (layers.GRU(3, reset_after=False, return_sequences=True), (2, 4, 2)),
    (layers.SimpleRNN(3, "relu"), (2, 4, 2)),
    (layers.PeepholeLSTM(2, use_bias=False), (2, 4, 2)),
    (layers.LayerNormLSTM(2), (2, 4, 2)),
    (layers.RNN(cells.MGU(), 3), (2, 4, 2)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=[repr(layer) for layer, _ in LAYERS])
def test_a_layer_passes(layer: Any, shape: tuple[int, ...]) -> None:
    report = gradcheck(layer, shape=shape)
    assert report, report
    assert str(report).startswith(f"{layer!r}: right. ")


def test_a_layer_passes_with_a_mask_and_with_the_same_units_dropped() -> None:
    mask = np.array([[True, False, True, True], [False, False, True, False]])
    layer = layers.LSTM(3, dropout=0.3, recurrent_dropout=0.3, return_sequences=True)
    assert gradcheck(layer, shape=(2, 4, 2), mask=mask, dropout=True)
    assert gradcheck(layers.Dropout(0.4), shape=(3, 5), dropout=True)


def test_a_layer_of_a_wrong_cell_is_found_by_its_weight_and_gate() -> None:
    # One step: over more, an error is handed back through h to every gate before it.
    report = gradcheck(layers.RNN(flipped(cells.LSTM(), "g"), 3), shape=(2, 1, 2))
    assert not report
    assert {e.where.split("gate ")[1][0] for e in report.wrong if e.array == "b"} == {"g"}


@dataclass(frozen=True, repr=False)
class Halves(layers.Layer):
    """y = x x / 2, and a pullback with a term too many."""

    too_many: float = 0.0

    def __call__(self, params: Any, x: Any, ctx: Any = None) -> Any:
        return x * x / 2, lambda dy: ({}, dy * (x + self.too_many))


def test_a_user_s_layer_is_checked_like_any_other() -> None:
    assert gradcheck(Halves(), shape=(3, 2))
    report = gradcheck(Halves(too_many=1e-5), shape=(3, 2))
    assert not report
    assert len(report.wrong) == 6
    assert report.worst.where.startswith("x[")


# Models.


@cache
def model_of(*parts: Any) -> Any:
    return Sequential([layers.Input((4, 2)), *parts], dtype="float64", seed=1)


def data(rows: int = 3, out: tuple[int, ...] = (1,)) -> tuple[Any, Any]:
    rng = np.random.default_rng(2)
    return rng.standard_normal((rows, 4, 2)), rng.standard_normal((rows, *out))


MODELS = {
    "stacked": ((layers.LSTM(3, return_sequences=True), layers.GRU(2), layers.Dense(1)), (1,)),
    "sequences": ((layers.SimpleRNN(3, return_sequences=True), layers.Dense(2, "tanh")), (4, 2)),
    "dropout is off": ((layers.LSTM(3, dropout=0.5), layers.Dropout(0.5), layers.Dense(1)), (1,)),
    "stateful": ((layers.GRU(3, stateful=True), layers.Dense(1)), (1,)),
}


@pytest.mark.parametrize("loss", ["mse", "mae", losses.Huber(0.5)], ids=str)
@pytest.mark.parametrize(("parts", "out"), MODELS.values(), ids=MODELS.keys())
def test_a_model_passes_with_every_loss(parts: Any, out: tuple[int, ...], loss: Any) -> None:
    model = model_of(*parts)
    x, y = data(out=out)
    before = [w.copy() for w in model.get_weights()]
    report = gradcheck(model, x, y, loss=loss, elements=60)
    assert report, report
    assert str(report).startswith(f"Sequential of {len(parts)} layers: right. ")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_model_passes_with_a_mask_and_with_weights_of_samples() -> None:
    model = model_of(layers.LSTM(3, return_sequences=True), layers.Dense(2))
    x, y = data(out=(4, 2))
    mask = np.array([[True, True, False, True], [False, True, True, True], [False, False, False, False]])
    report = gradcheck(model, x, y, loss="mse", mask=mask, sample_weight=np.array([0.5, 2.0, 1.0]))
    assert report, report
    masked = [e for e in report.rows if e.array == "x"]
    assert masked[0].error <= 1e-7


def test_a_model_s_report_names_layer_weight_gate_and_unit() -> None:
    parts = [layers.SimpleRNN(2, return_sequences=True), layers.RNN(flipped(cells.GRU(), "z"), 3), layers.Dense(1)]
    model = Sequential([layers.Input((1, 2)), *parts], dtype="float64", seed=1)
    x, y = data()
    report = gradcheck(model, x[:, :1], y, loss="mse")
    assert not report
    wrong = {e.array for e in report.wrong}
    assert {"layer 0 SimpleRNN, W", "layer 1 RNN, W", "layer 1 RNN, b", "x"} <= wrong
    assert not any(name.startswith("layer 2") for name in wrong)
    own = [e.where for e in report.wrong if e.array == "layer 1 RNN, b"]
    assert all(place.startswith("layer 1 RNN, b[gate z, unit ") for place in own)
    assert report.worst.where in str(report)


def test_a_model_uses_the_loss_that_it_was_compiled_with() -> None:
    model = Sequential([layers.Input((4, 2)), layers.GRU(2), layers.Dense(1)], dtype="float64", seed=1)
    x, y = data()
    model.compile("sgd", "mae")
    assert str(gradcheck(model, x, y)) == str(gradcheck(model, x, y, loss="mae"))
    assert str(gradcheck(model, x, y)) != str(gradcheck(model, x, y, loss="mse"))


def test_a_model_has_no_complex_step() -> None:
    with pytest.raises(ValueError, match="a model is checked by differences"):
        gradcheck(model_of(layers.GRU(2), layers.Dense(1)), *data(), method="complex")


# Losses.


@pytest.mark.parametrize("loss", losses.ALL, ids=str)
def test_every_loss_passes(loss: Any) -> None:
    rng = np.random.default_rng(0)
    shape = (3, 4, 2)
    given = {"mask": rng.random((3, 4)) < 0.6, "sample_weight": rng.random(3)}
    assert gradcheck(loss)
    for options in ({}, {"mask": given["mask"]}, {"sample_weight": given["sample_weight"]}, given):
        report = gradcheck(loss, *loss.example(rng, shape), **options)
        assert report, report
        assert str(report).startswith(f"{loss!r}: right. 24 elements")


def test_a_wrong_loss_is_found() -> None:
    def twice(y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> tuple[float, Any]:
        difference = y - target
        return float((difference**2).sum()), difference  # the 2 is missing

    report = gradcheck(twice)
    assert not report
    assert report.error == pytest.approx(0.5, abs=1e-6)
    assert len(report.wrong) == 12
    assert report.worst.where.startswith("y[")


def test_a_gradient_is_judged_by_its_own_error_and_not_by_what_is_small_beside_it() -> None:
    """An error of a ten-thousandth in one element is a relative error of as much, in either method."""

    def slightly(y: Any, target: Any, **_: Any) -> tuple[float, Any]:
        slope = np.cos(y)
        slope[0, 0] *= 1.0001
        return float(np.sin(y).sum()), slope

    report = gradcheck(slightly, np.full((2, 2), 0.3))
    assert not report
    assert [e.index for e in report.wrong] == [(0, 0)]
    assert report.worst.error == pytest.approx(1e-4, rel=1e-2)
    assert gradcheck(slightly, np.full((2, 2), 0.3), tolerance=1e-3)
