"""Layers made of layers: names, what learns, penalties and constraints, dtypes, refusals alike for all."""

from __future__ import annotations

import numpy as np
import pytest
from wrapper_cases import MASK, MERGES, rng_of, started

from rnnkit import Context, Sequential, layers
from rnnkit.layers.container import Container, layers_within


@pytest.mark.parametrize("wrapper", [layers.Bidirectional, layers.TimeDistributed])
def test_a_state_that_goes_on_from_batch_to_batch_is_refused_inside(wrapper):
    with pytest.raises(ValueError, match=rf"{wrapper.__name__} takes no stateful layer, and LSTM has stateful=True"):
        wrapper(layers.LSTM(3, stateful=True))
    deep = layers.TimeDistributed(layers.Dense(2))
    object.__setattr__(deep, "layer", layers.LSTM(3, stateful=True))
    with pytest.raises(ValueError, match="LSTM has stateful=True"):
        layers.TimeDistributed(deep)


def nested():
    return layers.TimeDistributed(layers.TimeDistributed(layers.BatchNormalization(momentum=0.5)))


def test_what_is_recorded_inside_is_named_by_the_way_in():
    names, x = [], rng_of().standard_normal((3, 2, 2, 2))
    layer = nested()
    layer(started(layer, x.shape), x, Context(rng=rng_of(), record=lambda name, _: names.append(name)))
    assert names == ["layer.layer.moving_mean", "layer.layer.moving_variance"]


def test_training_takes_over_what_is_recorded_inside():
    model = Sequential([nested(), layers.Flatten(), layers.Dense(1)], dtype="float64", seed=0)
    model.compile("sgd", "mse")
    x = rng_of().standard_normal((3, 2, 2, 2)) + 5
    model.train_on_batch(x, np.zeros((3, 1)))
    _, _, mean, _ = model.get_weights()[:4]
    expected = np.zeros(2)
    for t in range(2):
        for s in range(2):
            expected = (expected + x[:, t, s].mean(axis=0)) / 2
    np.testing.assert_allclose(mean, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [
        layers.TimeDistributed(layers.BatchNormalization(), trainable=False),
        layers.TimeDistributed(layers.TimeDistributed(layers.BatchNormalization()), trainable=False),
        layers.TimeDistributed(layers.BatchNormalization(trainable=False)),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True), trainable=False),
    ],
    ids=str,
)
def test_frozen_outside_nothing_inside_moves_by_a_bit(layer):
    shape = (3, 2, 2, 2) if len(list(layers_within(layer))) == 3 and not hasattr(layer, "merge_mode") else (3, 4, 2)
    model = Sequential([layer, layers.Flatten(), layers.Dense(1)], seed=0)
    model.compile("adam", "mse")
    model.build(shape)
    before = model.get_weights()
    model.fit(rng_of().standard_normal(shape), np.ones((3, 1)), epochs=2, verbose=0)
    for a, b in zip(before[:-2], model.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(before[-1], model.get_weights()[-1])


@pytest.mark.parametrize(
    "make",
    [
        lambda **options: layers.WaveNet(2, (1, 2), kernel_regularizer="l2", **options),
        lambda **options: layers.WaveNetBlock(3, kernel_regularizer="l2", **options),
        lambda **options: layers.Bidirectional(layers.GRU(2, kernel_regularizer="l2"), **options),
        lambda **options: layers.Residual(layers.Dense(2, kernel_regularizer="l2"), **options),
        lambda **options: layers.TimeDistributed(layers.Dense(2, kernel_regularizer="l2"), **options),
    ],
)
def test_what_is_frozen_outside_costs_nothing_inside(make):
    params = started(make(), (3, 4, 2))
    assert make().penalty(params)[0] > 0
    assert make(trainable=False).penalty(params) == (0, {})
    assert layers.Residual(make(), trainable=False).penalty({f"0.{k}": w for k, w in params.items()}) == (0, {})


@pytest.mark.parametrize("layer", [layers.Bidirectional(layers.GRU(2)), nested(), layers.WaveNet(2, (1, 2))])
def test_a_list_with_a_weight_too_many_is_refused(layer):
    params = started(layer, (3, 2, 2, 2) if layer == nested() else (3, 4, 2))
    weights = layer.to_list(params)
    assert list(layer.from_list(weights, params)) == list(params)
    kind, count = type(layer).__name__, len(weights)
    with pytest.raises(ValueError, match=f"{kind} has {count} weights; got {count + 1} arrays"):
        layer.from_list([*weights, np.zeros(3)], params)


def test_what_one_part_does_not_learn_the_other_may():
    layer = layers.Bidirectional(layers.SimpleRNN(2), backward_layer=layers.GRU(2, go_backwards=True, trainable=False))
    params = started(layer, (None, None, 2))
    assert layer.learned(params) == ("forward.W", "forward.U", "forward.b")
    assert nested().learned(started(nested(), (3, 2, 2, 2))) == ("layer.layer.gamma", "layer.layer.beta")


def test_penalties_and_constraints_reach_what_is_inside():
    def half_square(w):
        return 0.5 * float((w * w).sum()), w

    dense = layers.Dense(2, kernel_regularizer=half_square, bias_constraint=lambda w: w * 0)
    layer = layers.TimeDistributed(layers.TimeDistributed(dense))
    params = started(layer, (2, 3, 4, 2))
    value, slopes = layer.penalty(params)
    assert value == pytest.approx(0.5 * (params["layer.layer.W"] ** 2).sum())
    assert list(slopes) == ["layer.layer.W"]
    after = layer.constrained(params)
    assert list(after) == list(params)
    assert not after["layer.layer.b"].any()
    np.testing.assert_array_equal(after["layer.layer.W"], params["layer.layer.W"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("training", [False, True])
def test_a_dtype_goes_through_unchanged(dtype, training):
    stack = [
        layers.TimeDistributed(layers.BatchNormalization()),
        *(layers.Bidirectional(layers.LSTM(2, return_sequences=True), mode) for mode in MERGES[:-1]),
    ]
    for layer in stack:
        x, recorded = rng_of().standard_normal((3, 4, 2)).astype(dtype), {}
        params, _ = layer.init(rng_of(), x.shape, dtype)
        ctx = Context(mask=MASK, rng=rng_of() if training else None, record=recorded.__setitem__)
        y, pullback = layer(params, x, ctx)
        dparams, dx = pullback(np.ones_like(y))
        assert {a.dtype for a in (y, dx, *dparams.values(), *recorded.values())} == {np.dtype(dtype)}
        assert {k: g.shape for k, g in dparams.items()} == {k: w.shape for k, w in params.items()}


def test_all_layers_within_a_layer_are_found_outside_first():
    whole = layers.TimeDistributed(layers.Bidirectional(layers.GRU(2)))
    found = [type(layer).__name__ for layer in layers_within(whole)]
    assert found == ["TimeDistributed", "Bidirectional", "GRU", "GRU"]
    assert isinstance(layers.Bidirectional(layers.GRU(2)), Container)


def test_a_wrapper_is_written_as_it_was_made():
    layer = layers.Bidirectional(layers.GRU(2), "sum")
    assert repr(layer) == "Bidirectional(layer=GRU(units=2), merge_mode='sum')"
    assert layer == layers.Bidirectional(layers.GRU(2), merge_mode="sum") != layers.Bidirectional(layers.GRU(2))
    assert type(layer)(**layer.config()) == layer
    assert hash(layer) == hash(type(layer)(**layer.config()))
