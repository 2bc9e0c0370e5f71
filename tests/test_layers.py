"""Layers: every one is differentiated; pieces, padding, company and direction do not matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import an_input, example, started

import rnnkit
from rnnkit import Context, gradcheck, layers
from rnnkit.layers.recurrent import Recurrent
from rnnkit_kernels import activations, cells

RECURRENT = [name for name, kind in layers.ALL.items() if issubclass(kind, Recurrent)]
EACH = pytest.mark.parametrize("name", layers.ALL)
EACH_RECURRENT = pytest.mark.parametrize("name", RECURRENT)
FEW = settings(max_examples=8, deadline=None, derandomize=True)


@st.composite
def sequences(draw, least=1):
    """A generator of numbers, rows, steps and features."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng, draw(st.integers(1, 4)), draw(st.integers(least, 6)), draw(st.integers(1, 3))


def at_random(layer, rng, shape):
    """Parameters and an input of that shape."""
    x = rng.standard_normal(shape)
    return started(layer, rng, x), x


def a_state(layer, rng, rows):
    return {k: rng.standard_normal((rows, layer.units)) for k in layer.make_cell().state}


def same(a, b, digits=1e-11):
    """Two trees of numbers, up to the order in which sums are taken."""
    assert a.keys() == b.keys()
    for k in a:
        np.testing.assert_allclose(a[k], b[k], rtol=digits, atol=digits, err_msg=k)


# Gradients

# A norm over a row that is all but zero multiplies its rounding by 1 / sqrt(epsilon), 316: so much above the 1e-12 that
# gradcheck asks of a complex step.
CONDITION = {"LayerNormLSTM": 3e-10, "LayerNormGRU": 3e-10}


@EACH
def test_every_layer_passes_the_gradient_check(name):
    layer = example(name)
    report = gradcheck(layer, an_input(layer, np.random.default_rng(0)), dropout=True)
    assert report, report


@EACH_RECURRENT
@pytest.mark.parametrize(
    "options",
    [
        {"return_sequences": True},
        {"return_state": True},
        {"go_backwards": True, "return_sequences": True, "return_state": True},
        {"dropout": 0.4, "recurrent_dropout": 0.3, "return_sequences": True},
    ],
    ids=lambda options: " ".join(options),
)
def test_every_recurrent_layer_passes_it_masked_in_all_its_spellings(name, options):
    mask = np.array([[True, True, False, True], [False, False, True, True], [False, False, False, False]])
    report = gradcheck(example(name, **options), mask=mask, dropout=True, tolerance=CONDITION.get(name))
    assert report, report


@EACH_RECURRENT
def test_every_recurrent_layer_passes_it_without_bias(name):
    params, _ = example(name, use_bias=False).init(np.random.default_rng(0), (None, None, 2))
    assert not params.keys() & {"b", "b_h"}
    report = gradcheck(example(name, use_bias=False), shape=(2, 3, 2))
    assert report, report


@pytest.mark.parametrize("activation", activations.ALL)
def test_dense_and_activation_pass_it_with_every_activation(activation):
    for layer in (layers.Dense(3, activation), layers.Activation(activation)):
        report = gradcheck(layer, shape=(4, 3))
        assert report, report


@pytest.mark.parametrize("activation", activations.ALL)
@pytest.mark.parametrize("name", ["LSTM", "GRU", "PeepholeLSTM", "LayerNormLSTM"])
def test_gated_layers_pass_it_with_every_activation_at_both_places(name, activation):
    # exp(exp(...)) is soon beyond float64: two steps of it, and not in the gates too.
    wild = activation == "exponential"
    layer = example(name, activation=activation, recurrent_activation="sigmoid" if wild else activation)
    tolerance = None if activation in activations.KINKED else CONDITION.get(name)
    report = gradcheck(layer, shape=(2, 2 if wild else 3, 2), tolerance=tolerance)
    assert report, report


@pytest.mark.parametrize("rank", [2, 3, 4])
def test_dense_works_on_the_last_axis_whatever_stands_before(rank):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 2)[-rank:])
    assert gradcheck(layers.Dense(3, "tanh"), x)
    params, shape = layers.Dense(3).init(np.random.default_rng(0), x.shape, "float64")
    y, _ = layers.Dense(3)(params, x)
    assert y.shape == shape == (*x.shape[:-1], 3)
    np.testing.assert_allclose(y, np.einsum("...f,fu->...u", x, params["W"]) + params["b"], rtol=1e-13)


# What must not matter


@EACH_RECURRENT
@FEW
@given(sequences(least=2), st.data())
def test_a_sequence_in_pieces_is_the_whole_sequence(name, case, data):
    rng, rows, steps, features = case
    layer, at = example(name), data.draw(st.integers(1, steps - 1))
    params, x, state = *at_random(layer, rng, (rows, steps, features)), {}
    state = a_state(layer, rng, rows)
    mask = rng.random((rows, steps)) < 0.7
    h, last, back = layer.scan(params, x, state, Context(mask=mask))
    h1, middle, back1 = layer.scan(params, x[:, :at], state, Context(mask=mask[:, :at]))
    h2, end, back2 = layer.scan(params, x[:, at:], middle, Context(mask=mask[:, at:]))
    same(last, end)
    np.testing.assert_allclose(np.concatenate([h1, h2], axis=1), h, rtol=1e-11)
    dh, dstate = rng.standard_normal(h.shape), {k: rng.standard_normal(v.shape) for k, v in last.items()}
    dparams, dx, dstate0 = back(dh, dstate)
    later, dx2, dmiddle = back2(dh[:, at:], dstate)
    sooner, dx1, dfirst = back1(dh[:, :at], dmiddle)
    same({k: sooner[k] + later[k] for k in later}, dparams)
    same(dfirst, dstate0)
    np.testing.assert_allclose(np.concatenate([dx1, dx2], axis=1), dx, rtol=1e-11, atol=1e-11)


@EACH_RECURRENT
@FEW
@given(sequences())
def test_masked_steps_are_as_if_they_had_not_been_there(name, case):
    rng, _, steps, features = case
    layer = example(name)
    params, x = at_random(layer, rng, (1, steps, features))
    real = rng.random(steps) < 0.6
    real[rng.integers(steps)] = True
    dy = rng.standard_normal((1, layer.units))
    y, back = layer(params, np.where(real[:, None], x, np.nan), Context(mask=real[None]))
    short, back_short = layer(params, x[:, real])
    np.testing.assert_allclose(y, short, rtol=1e-12, atol=1e-14)
    (dparams, dx), (dparams_short, dx_short) = back(dy), back_short(dy)
    same(dparams, dparams_short)
    np.testing.assert_allclose(dx[:, real], dx_short, rtol=1e-11, atol=1e-13)
    assert not dx[:, ~real].any()


@EACH
@FEW
@given(sequences(least=2))
def test_a_row_alone_is_the_row_in_its_batch(name, case):
    rng, rows, steps, features = case
    layer = example(name)
    x = an_input(layer, rng, rows, steps, features if name != "WaveNetBlock" else 2)
    params = started(layer, rng, x)
    y, back = layer(params, x)
    dy = rng.standard_normal(y.shape)
    dparams, dx = back(dy)
    total = {k: np.zeros_like(g) for k, g in dparams.items()}
    for row in range(rows):
        alone, back_alone = layer(params, x[row : row + 1])
        np.testing.assert_allclose(alone[0], y[row], rtol=1e-12, atol=1e-14)
        part, dx_alone = back_alone(dy[row : row + 1])
        np.testing.assert_allclose(dx_alone[0], dx[row], rtol=1e-11, atol=1e-12)
        total = {k: total[k] + part[k] for k in total}
    same(total, dparams)


@EACH_RECURRENT
@FEW
@given(sequences())
def test_backwards_is_forward_over_the_reversed_sequence(name, case):
    rng, rows, steps, features = case
    params, x = at_random(example(name), rng, (rows, steps, features))
    mask = rng.random((rows, steps)) < 0.7
    options = {"return_sequences": True, "return_state": True}
    forth, back = example(name, **options), example(name, go_backwards=True, **options)
    ys, pullback = back(params, x, Context(mask=mask))
    zs, other = forth(params, x[:, ::-1], Context(mask=mask[:, ::-1]))
    for y, z in zip(ys, zs, strict=True):
        np.testing.assert_array_equal(y, z)
    dys = tuple(rng.standard_normal(y.shape) for y in ys)
    (dparams, dx), (dparams2, dx2) = pullback(dys), other(dys)
    same(dparams, dparams2)
    np.testing.assert_array_equal(dx, dx2[:, ::-1])


@EACH_RECURRENT
def test_states_come_beside_the_output_and_their_cotangents_go_back(name):
    rng = np.random.default_rng(1)
    plain, layer = example(name), example(name, return_state=True)
    params, x = at_random(layer, rng, (2, 5, 2))
    (y, *states), pullback = layer(params, x)
    h, last, back = layer.scan(params, x)
    np.testing.assert_array_equal(y, plain(params, x)[0])
    assert len(states) == len(last) == len(layer.make_cell().state)
    for given_, (k, kept) in zip(states, last.items(), strict=True):
        np.testing.assert_array_equal(given_, kept, err_msg=k)
    np.testing.assert_array_equal(y, states[0])
    dy, *dlast = (rng.standard_normal(y.shape) for _ in range(1 + len(states)))
    dparams, dx = pullback((dy, *dlast))
    dh = np.zeros_like(h)
    dh[:, -1] = dy
    expected, dx_expected, _ = back(dh, dict(zip(last, dlast, strict=True)))
    same(dparams, expected)
    np.testing.assert_array_equal(dx, dx_expected)
    # None stands for a cotangent of zeros.
    same(pullback((dy, *[None] * len(states)))[0], plain(params, x)[1](dy)[0])
    same(pullback((None, *dlast))[0], pullback((0 * dy, *dlast))[0])


@EACH
def test_going_back_twice_gives_the_same_bits(name):
    rng = np.random.default_rng(2)
    layer = example(name)
    x = an_input(layer, rng)
    params = started(layer, rng, x)
    y, pullback = layer(params, x, Context(rng=np.random.default_rng(0)))
    kept = {k: w.copy() for k, w in params.items()}, x.copy(), y.copy()
    dy = rng.standard_normal(y.shape)
    (first, dx), (second, dx2) = pullback(dy), pullback(dy)
    np.testing.assert_array_equal(dx, dx2)
    for k in first:
        np.testing.assert_array_equal(first[k], second[k])
    for k, w in kept[0].items():
        np.testing.assert_array_equal(params[k], w)
    np.testing.assert_array_equal(x, kept[1])
    np.testing.assert_array_equal(y, kept[2])


@EACH
def test_a_layer_used_twice_keeps_its_two_uses_apart(name):
    rng = np.random.default_rng(3)
    layer = example(name)
    x1, x2 = an_input(layer, rng), an_input(layer, rng, rows=2)
    params = started(layer, rng, x1)
    y1, alone = layer(params, x1)
    dy = rng.standard_normal(y1.shape)
    expected, dx_expected = alone(dy)
    _, first = layer(params, x1)
    _, second = layer(params, x2)
    second(rng.standard_normal((2, *y1.shape[1:])))
    got, dx = first(dy)
    np.testing.assert_array_equal(dx, dx_expected)
    for k in expected:
        np.testing.assert_array_equal(got[k], expected[k])


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_dtype_goes_through_unchanged(name, dtype):
    layer = example(name)
    x = an_input(layer, np.random.default_rng(1), dtype=dtype)
    params, _ = layer.init(np.random.default_rng(0), (None, *x.shape[1:]), dtype)
    y, pullback = layer(params, x, Context(rng=np.random.default_rng(0)))
    dparams, dx = pullback(np.ones_like(y))
    found = {a.dtype for a in (y, *params.values(), *dparams.values())} | (set() if layer.takes_indices else {dx.dtype})
    assert found == {np.dtype(dtype)}
    assert dparams.keys() == params.keys()
    assert all(dparams[k].shape == w.shape for k, w in params.items())
    assert dx.shape == x.shape


@EACH
def test_a_plan_draws_nothing_and_is_what_init_does(name):
    layer = example(name)
    x = an_input(layer, np.random.default_rng(0), dtype="float32")
    sizes, out = layer.plan((None, *x.shape[1:]))
    params, shape = layer.init(np.random.default_rng(0), (None, *x.shape[1:]))
    assert out == shape
    assert sizes == {k: w.shape for k, w in params.items()}
    assert layer(params, x)[0].shape == (3, *shape[1:])


def test_dropout_drops_a_share_scales_the_rest_and_rests_without_a_generator():
    x = np.ones((100, 50))
    layer = layers.Dropout(0.3)
    assert layer({}, x)[0] is x
    y, pullback = layer({}, x, Context(rng=np.random.default_rng(0)))
    assert set(np.unique(y)) == {0.0, 1 / 0.7}
    assert np.mean(y == 0) == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / x.size))  # four standard deviations
    np.testing.assert_array_equal(pullback(x)[1], y)


@pytest.mark.parametrize("name", RECURRENT)
def test_inside_a_recurrence_the_same_units_are_dropped_at_every_step(name):
    rng, seed = np.random.default_rng(4), 11
    layer = example(name, dropout=0.5, recurrent_dropout=0.4, return_sequences=True)
    params, x = at_random(layer, rng, (2, 5, 3))
    y, _ = layer(params, x, Context(rng=np.random.default_rng(seed)))
    masks = np.random.default_rng(seed)
    on_x, on_h = (masks.random((2, 1, 3)) >= 0.5) / 0.5, (masks.random((2, 3)) >= 0.4) / 0.6
    kernel = Context().kernels.kernel(layer.make_cell())
    state = {k: np.zeros((2, 3)) for k in layer.make_cell().state}
    h, _, _ = kernel.forward(params, (x * on_x).swapaxes(0, 1).copy(), state, drop=on_h)
    np.testing.assert_array_equal(y, h.swapaxes(0, 1))
    np.testing.assert_array_equal(layer(params, x)[0], example(name, return_sequences=True)(params, x)[0])


# Where weights start, and how they are listed: Keras' ways


def test_weights_come_in_keras_order_and_shapes():
    def shapes(layer):
        params, _ = layer.init(np.random.default_rng(0), (None, None, 2))
        listed = layer.to_list(params)
        again = layer.from_list(listed, params)
        for k, w in params.items():
            np.testing.assert_array_equal(again[k], w)
        return [w.shape for w in listed]

    assert shapes(layers.Dense(3)) == [(2, 3), (3,)]
    assert shapes(layers.Dense(3, use_bias=False)) == [(2, 3)]
    assert shapes(layers.SimpleRNN(3)) == [(2, 3), (3, 3), (3,)]
    assert shapes(layers.LSTM(3)) == [(2, 12), (3, 12), (12,)]
    assert shapes(layers.LSTM(3, use_bias=False)) == [(2, 12), (3, 12)]
    assert shapes(layers.GRU(3)) == [(2, 9), (3, 9), (2, 9)]
    assert shapes(layers.GRU(3, use_bias=False)) == [(2, 9), (3, 9)]
    assert shapes(layers.GRU(3, reset_after=False)) == [(2, 9), (3, 9), (9,)]
    assert shapes(layers.PeepholeLSTM(3)) == [(2, 12), (3, 12), (12,), (3,), (3,), (3,)]
    assert shapes(layers.LayerNormSimpleRNN(3)) == [(2, 3), (3, 3), (3,), (3,), (3,)]
    assert shapes(layers.LayerNormLSTM(3)) == [(2, 12), (3, 12), *[(12,)] * 5, (3,), (3,)]
    assert shapes(layers.LayerNormGRU(3)) == [(2, 9), (3, 9), *[(9,)] * 5]
    assert shapes(layers.RNN(cells.MGU(), 3)) == [(2, 6), (3, 6), (6,)]
    assert shapes(layers.Dropout(0.1)) == shapes(layers.Activation("relu")) == []


def test_the_names_of_weights_are_in_that_order_too():
    def names(layer):
        return " ".join(layer.init(np.random.default_rng(0), (None, None, 2))[0])

    assert names(layers.GRU(3)) == "W U b b_h"
    assert names(layers.PeepholeLSTM(3)) == "W U b p_i p_f p_o"
    assert names(layers.LayerNormSimpleRNN(3)) == "W U b gamma beta"
    assert names(layers.LayerNormLSTM(3)) == "W U b gamma_x beta_x gamma_h beta_h gamma_c beta_c"
    assert names(layers.LayerNormGRU(3)) == "W U b gamma_x beta_x gamma_h beta_h"


@EACH_RECURRENT
def test_a_recurrence_starts_from_glorot_and_orthogonal_weights_and_zero_biases(name):
    features, layer = 7, example(name)
    layer = type(layer)(cells.MGU(), 20) if name == "RNN" else type(layer)(20)
    params, _ = layer.init(np.random.default_rng(0), (None, None, features), "float64")
    rows, columns = params["W"].shape
    limit = np.sqrt(6 / (rows + columns))
    assert np.abs(params["W"]).max() <= limit
    assert np.abs(params["W"]).max() > 0.95 * limit
    # The standard deviation of a uniform draw is limit / sqrt(3), its own error about 45 % / sqrt(n).
    assert params["W"].std() == pytest.approx(limit / np.sqrt(3), rel=4 * 0.45 / np.sqrt(params["W"].size))
    np.testing.assert_allclose(params["U"] @ params["U"].T, np.eye(20), atol=1e-12)  # orthonormal rows, all gates wide
    forgets = name in ("LSTM", "PeepholeLSTM", "LayerNormLSTM")
    bias = params["b"].reshape(-1, 20)
    np.testing.assert_array_equal(bias, [[0.0] * 20, [1.0] * 20, [0.0] * 20, [0.0] * 20] if forgets else 0 * bias)
    for k, w in params.items():
        if k not in ("W", "U", "b"):
            np.testing.assert_array_equal(w, np.full_like(w, k.startswith("gamma")), err_msg=k)


def test_the_forget_bias_starts_at_one_only_where_it_is_asked_to():
    params, _ = layers.LSTM(2, unit_forget_bias=False).init(np.random.default_rng(0), (None, None, 1))
    assert not params["b"].any()
    options = {"bias_initializer": "ones", "kernel_initializer": "zeros", "recurrent_initializer": "identity"}
    params, _ = layers.SimpleRNN(2, **options).init(np.random.default_rng(0), (None, None, 1))
    assert not params["W"].any()
    np.testing.assert_array_equal(params["U"], np.eye(2))
    assert params["b"].all()


# A cell of one's own


@dataclass(frozen=True)
class Leaky(rnnkit.Cell):
    """h' = h + (tanh(x_h + u_h) - h) / 4: a leaky integrator (Jaeger 2001)."""

    gates, state = rnnkit.names("h"), rnnkit.names("h")

    def step(self, F, x, u, s, p):
        return (s.h + (F.tanh(x.h + u.h) - s.h) / 4,), ()


def test_a_cell_of_ten_lines_is_a_layer_like_any_other():
    for layer in (layers.RNN(Leaky(), 3, return_sequences=True), layers.RNN(Leaky, 3, return_sequences=True)):
        report = gradcheck(layer, mask=np.array([[True, False, True, True]] * 3))
        assert report, report
    rng = np.random.default_rng(0)
    params, x = at_random(layer, rng, (2, 3, 2))
    h, expected = np.zeros((2, 3)), []
    for t in range(3):
        h = h + (np.tanh(x[:, t] @ params["W"] + params["b"] + h @ params["U"]) - h) / 4
        expected.append(h)
    np.testing.assert_allclose(layer(params, x)[0], np.stack(expected, axis=1), rtol=1e-12)


def test_a_layer_is_written_as_it_was_made():
    assert repr(layers.LSTM(3, return_sequences=True)) == "LSTM(units=3, return_sequences=True)"
    for name in layers.ALL:
        layer = example(name)
        assert type(layer)(**layer.config()) == layer
        with pytest.raises(AttributeError, match="cannot assign"):
            layer.name = "another"
