"""TimeDistributed: the layer inside at every step by hand; statistics, masks, streams, gradients, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from wrapper_cases import MASK, rng_of, same, started

from rnnkit import Context, gradcheck, layers

# A layer inside, and what is fed to the wrapper around it.
DISTRIBUTED = {
    "Dense": (layers.Dense(3, "tanh"), (3, 4, 2)),
    "LSTM over inner sequences": (layers.LSTM(2), (2, 3, 4, 2)),
    "Bidirectional": (layers.Bidirectional(layers.GRU(2, return_sequences=True)), (2, 2, 3, 2)),
    "Flatten": (layers.Flatten(), (2, 3, 2, 2)),
    "RepeatVector": (layers.RepeatVector(2), (2, 3, 2)),
    "LayerNormalization": (layers.LayerNormalization(epsilon=0.1), (3, 4, 2)),
    "BatchNormalization": (layers.BatchNormalization(epsilon=0.1), (3, 4, 2)),
    "Dropout": (layers.Dropout(0.4), (3, 4, 2)),
    "TimeDistributed": (layers.TimeDistributed(layers.Dense(2)), (2, 3, 2, 2)),
}
WRAPPED = pytest.mark.parametrize(("layer", "shape"), DISTRIBUTED.values(), ids=DISTRIBUTED)


@WRAPPED
@pytest.mark.parametrize("training", [False, True])
def test_a_layer_at_every_step_passes_the_gradient_check(layer, shape, training):
    mask = rng_of(3).random(shape[:2]) < 0.7
    report = gradcheck(layers.TimeDistributed(layer), shape=shape, mask=mask, dropout=training)
    assert report, report


@WRAPPED
def test_every_step_is_what_the_layer_alone_makes_of_it(layer, shape):
    x, wrapped = rng_of().standard_normal(shape), layers.TimeDistributed(layer)
    params = started(wrapped, shape)
    alone = {name.removeprefix("layer."): w for name, w in params.items()}
    y, pullback = wrapped(params, x)
    assert y.shape == wrapped.plan(shape)[1]
    assert wrapped.plan((None, None, *shape[2:]))[1] == (None, None, *y.shape[2:])
    dy = rng_of(4).standard_normal(y.shape)
    dparams, dx = pullback(dy)
    total = {name: np.zeros_like(w) for name, w in params.items()}
    for t in range(shape[1]):
        step, back = layer(alone, x[:, t])
        np.testing.assert_allclose(y[:, t], step, rtol=1e-13)
        part, dx_step = back(dy[:, t])
        np.testing.assert_allclose(dx[:, t], dx_step, rtol=1e-12, atol=1e-13)
        total = {name: g + part[name.removeprefix("layer.")] for name, g in total.items()}
    same(dparams, total)


def test_dropout_inside_is_drawn_anew_for_every_step():
    x = np.ones((20, 6, 30))
    y, _ = layers.TimeDistributed(layers.Dropout(0.5))({}, x, Context(rng=rng_of()))
    assert len({step.tobytes() for step in y.reshape(120, 30)}) == 120


@pytest.mark.parametrize("masked", [False, True])
def test_batch_statistics_inside_are_those_of_one_step_and_move_once_for_each(masked):
    x = rng_of().standard_normal((5, 4, 2))
    mask = rng_of(3).random((5, 4)) < 0.6 if masked else None
    layer, recorded = layers.TimeDistributed(layers.BatchNormalization(momentum=0.7)), {}
    params = started(layer, x.shape)
    ctx = Context(mask=mask, rng=rng_of(), record=recorded.__setitem__)
    y, _ = layer(params, x, ctx)
    mean, variance = params["layer.moving_mean"], params["layer.moving_variance"]
    for t in range(4):
        real = x[:, t] if mask is None else x[mask[:, t], t]
        count = len(real) + (1e-7 if masked else 0)
        m = real.sum(axis=0) / count
        v = ((real - m) ** 2).sum(axis=0) / count
        z = (x[:, t] - m) / np.sqrt(v + 1e-3)
        np.testing.assert_allclose(y[:, t], z * params["layer.gamma"] + params["layer.beta"], rtol=1e-10, atol=1e-12)
        mean, variance = 0.7 * mean + 0.3 * m, 0.7 * variance + 0.3 * v
    same(recorded, {"layer.moving_mean": mean, "layer.moving_variance": variance})


def test_inside_sequences_of_its_own_a_masked_row_counts_in_no_statistic():
    x = rng_of().standard_normal((4, 3, 2, 2))
    mask = np.array([[True] * 3] * 3 + [[False] * 3])
    layer, recorded, short = layers.TimeDistributed(layers.BatchNormalization()), {}, {}
    params = started(layer, x.shape)
    layer(params, x, Context(mask=mask, rng=rng_of(), record=recorded.__setitem__))
    layer(params, x[:3], Context(rng=rng_of(), record=short.__setitem__))
    same(recorded, short, 1e-6)  # the mask adds 1e-7 to a count of six


def test_the_mask_passes_by_the_layer_inside():
    layer, x = layers.TimeDistributed(layers.LSTM(2)), rng_of().standard_normal((3, 4, 5, 2))
    params = started(layer, x.shape)
    np.testing.assert_array_equal(layer(params, x, Context(mask=MASK))[0], layer(params, x)[0])
    np.testing.assert_array_equal(layer.next_mask(MASK, x), MASK)
    with pytest.raises(ValueError, match=r"the mask of TimeDistributed is \(batch, time\) = \(3, 4\); got \(3, 3\)"):
        layer(params, x, Context(mask=MASK[:, :3]))


@WRAPPED
def test_what_is_distributed_over_time_is_streamed_step_by_step(layer, shape):
    x, wrapped = rng_of().standard_normal(shape), layers.TimeDistributed(layer)
    params = started(wrapped, shape)
    y, stream = wrapped(params, x)[0], wrapped.stream(params, shape[0])
    for t in range(shape[1]):
        np.testing.assert_allclose(stream.step(x[:, t], None)[0], y[:, t], rtol=1e-13)


def test_words_of_sentences_are_embedded_inside():
    layer = layers.TimeDistributed(layers.Embedding(6, 2))
    x = rng_of().integers(0, 6, (2, 3, 4))
    params = started(layer, x.shape)
    y, pullback = layer(params, x)
    np.testing.assert_array_equal(y, params["layer.embeddings"][x])
    assert pullback(y)[1].shape == x.shape
    assert gradcheck(layer, x)


def test_what_cannot_be_distributed_is_refused():
    for wrong in (3, None, layers.Dense):
        with pytest.raises(TypeError, match=r"TimeDistributed takes a layer, such as Dense\(8\); got"):
            layers.TimeDistributed(wrong)
    layer = layers.TimeDistributed(layers.Dense(2))
    for refused in (lambda: layer.plan((None, 3)), lambda: layer({}, np.zeros((2, 3)))):
        with pytest.raises(ValueError, match=r"TimeDistributed takes \(batch, time, \.\.\.\), three axes or more"):
            refused()
