"""Residual: y = x + f(x), whatever f is made of."""

from __future__ import annotations

import numpy as np
import pytest
from sliding_cases import assert_streams, seen, weights

from rnnkit import Context, Sequential, gradcheck, layers, load
from rnnkit.layers import GRU, LSTM, Conv1D, Dense, Dropout, GlobalMaxPooling1D, Input, MaxPooling1D, Residual

MASK = np.array([[1, 1, 0, 1, 1, 1, 0, 0, 1], [0, 0, 1, 1, 0, 1, 1, 1, 0]], bool)

# f, for three features; and whether it can be fed step by step.
INSIDE = {
    "one layer": (Dense(3, "tanh"), True),
    "two layers": ([Dense(4, "tanh"), Dense(3)], True),
    "causal convolutions": ([Conv1D(4, 2, 1, "causal", 2, activation="tanh"), Conv1D(3, 3, padding="causal")], True),
    "a centred convolution": ([Conv1D(3, 3, padding="same", activation="sigmoid")], False),
    "a recurrent layer": ([GRU(3, return_sequences=True), Dense(3)], True),
    "layers that turn the mask around": ([GRU(3, return_sequences=True, go_backwards=True)] * 2, False),
    "another of the kind": ([Residual(Dense(3, "tanh")), Conv1D(3, 2, padding="causal")], True),
}
EACH = pytest.mark.parametrize("name", INSIDE)


@EACH
def test_every_inside_passes_the_gradient_check(name):
    for mask in (None, MASK):
        report = gradcheck(Residual(INSIDE[name][0]), shape=(2, 9, 3), mask=mask)
        assert report, report


@EACH
def test_x_is_added_to_what_a_model_of_the_same_layers_gives(name):
    rng = np.random.default_rng(0)
    layer, x = Residual(INSIDE[name][0]), rng.standard_normal((2, 9, 3))
    params, model = weights(layer, 3, rng), Sequential([Input((None, 3)), *layer.layers], dtype="float64")
    model.set_weights(layer.to_list(params))
    for mask in (None, MASK):
        (y, back), (f, back_f) = layer(params, x, Context(mask=mask)), model.forward(x, mask=mask)
        np.testing.assert_allclose(y, x + f, rtol=1e-13)
        dy = rng.standard_normal(y.shape)
        (dparams, dx), (dmodel, dx_f) = back(dy), back_f(dy)
        assert dparams.keys() == params.keys()
        np.testing.assert_allclose(dx, dy + dx_f, rtol=1e-12, atol=1e-14)
        for mine, theirs in zip(layer.to_list(dparams), model.get_weights(dmodel), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)
        assert layer.next_mask(mask, x) is mask


@pytest.mark.parametrize("name", [name for name, (_, causal) in INSIDE.items() if causal])
def test_it_streams_where_its_layers_do(name):
    rng = np.random.default_rng(0)
    layer, x = Residual(INSIDE[name][0]), rng.standard_normal((2, 9, 3))
    params = weights(layer, 3, rng)
    for mask in (None, MASK):
        assert_streams(layer, params, x, mask)


def test_reach_is_what_probing_finds():
    layer, rng = Residual(INSIDE["causal convolutions"][0]), np.random.default_rng(0)
    params, x = weights(layer, 3, rng), rng.standard_normal((1, 12, 3))
    assert layer.reach == (1 + 2 + 2, 1)
    assert seen(layer, params, x, 9) == [5, 6, 7, 8, 9]
    assert Residual(INSIDE["a recurrent layer"][0]).reach == (np.inf, 1)
    assert Residual(Dense(3)).reach == (1, 1)
    with pytest.raises(ValueError, match=r"Conv1D with padding='same' cannot be streamed"):
        Residual(INSIDE["a centred convolution"][0]).stream({"0.W": np.zeros((3, 3, 3))}, 1)


def test_its_parts_drop_record_and_rest_as_they_would_outside():
    x = np.ones((2, 9, 3))
    layer = Residual(Dropout(0.5))
    np.testing.assert_array_equal(layer({}, x)[0], 2 * x)
    y, _ = layer({}, x, Context(rng=np.random.default_rng(0)))
    np.testing.assert_array_equal(y - x, Dropout(0.5)({}, x, Context(rng=np.random.default_rng(0)))[0])
    params, recorded = weights(Residual([Dense(3), layers.BatchNormalization()]), 3, np.random.default_rng(0)), {}
    both = Residual([Dense(3), layers.BatchNormalization()])
    both(params, x, Context(rng=np.random.default_rng(0), record=recorded.__setitem__))
    assert {name.partition(".")[0] for name in recorded} == {"1"}
    assert recorded.keys() <= params.keys()
    assert set(both.learned(params)) == params.keys() - recorded.keys()
    assert Residual([Dense(3)], trainable=False).learned({"0.W": x, "0.b": x}) == ()


def test_it_is_frozen_hashable_and_comes_back_from_a_file(tmp_path):
    layer = Residual([LSTM(3, return_sequences=True), Dense(3, "tanh")])
    assert isinstance(layer.layers, tuple)
    assert hash(layer) == hash(Residual((LSTM(3, return_sequences=True), Dense(3, "tanh"))))
    model = Sequential([Input((None, 3)), layer])
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.layers == model.layers
    x = np.random.default_rng(0).standard_normal((2, 9, 3)).astype(np.float32)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


@pytest.mark.parametrize(
    ("inside", "sentence"),
    [
        ([], r"Residual takes a layer or a list of layers; got \[\]"),
        (3, "Residual takes a layer or a list of layers; got 3"),
        ([Dense], r"Residual takes layers; got .*Dense.*: write it with its brackets"),
    ],
)
def test_what_is_no_layer_is_refused_in_a_sentence(inside, sentence):
    with pytest.raises(TypeError, match=sentence):
        Residual(inside)


def test_layers_that_do_not_go_inside_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"LSTM\(return_state=True\) has several outputs and Residual adds one to x"):
        Residual([LSTM(3, return_state=True)])
    with pytest.raises(ValueError, match=r"Residual takes no stateful layer, and GRU has stateful=True"):
        Residual([GRU(3, stateful=True)])
    with pytest.raises(ValueError, match="Embedding takes indices, to which nothing can be added: put it before"):
        Residual([layers.Embedding(10, 3)])


@pytest.mark.parametrize("steps", [None, 8])
@pytest.mark.parametrize(
    "inside",
    [Dense(4), Conv1D(3, 2), Conv1D(3, 2, 2, "causal"), MaxPooling1D(2), GlobalMaxPooling1D(), GRU(3)],
    ids=lambda layer: repr(layer),
)
def test_layers_that_change_the_shape_are_refused_when_weights_are_made(inside, steps):
    with pytest.raises(
        ValueError, match=r"Residual adds f\(x\) to x: its layers must keep the shape, and they make \("
    ):
        Residual(inside).plan((None, steps, 3))


def test_a_refusal_inside_says_where():
    with pytest.raises(ValueError, match=r"Residual: layer 1 Conv1D: Conv1D looks at 9 steps at a time and the seque"):
        Residual([Dense(3), Conv1D(3, 9)]).plan((None, 8, 3))
