"""What layers refuse, in a sentence: numbers, names and shapes that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import an_input, example, started

from rnnkit import Context, layers
from rnnkit_kernels import cells


@pytest.mark.parametrize("units", [0, -1, True, 1.5, "3", None])
def test_units_are_whole_numbers_from_one_up(units):
    for make in (layers.Dense, layers.SimpleRNN, layers.LSTM, layers.GRU, lambda n: layers.RNN(cells.MGU(), n)):
        with pytest.raises(ValueError, match=r"units is a whole number from 1 up, got"):
            make(units)


@pytest.mark.parametrize("rate", [1.0, -0.1, True, "a", None, float("nan")])
def test_a_rate_is_a_share_below_one(rate):
    with pytest.raises(ValueError, match=r"^rate is the share dropped, in \[0, 1\); got"):
        layers.Dropout(rate)
    for option in ("dropout", "recurrent_dropout"):
        with pytest.raises(ValueError, match=rf"^{option} is the share dropped, in \[0, 1\); got"):
            layers.LSTM(3, **{option: rate})


def test_an_unknown_activation_is_refused_with_the_nearest_name():
    for make in (lambda a: layers.LSTM(3, a), lambda a: layers.Dense(3, a), layers.Activation):
        with pytest.raises(ValueError, match="unknown activation 'tahn'; did you mean 'tanh'"):
            make("tahn")
    with pytest.raises(ValueError, match="unknown activation 'sigmod'; did you mean 'sigmoid'"):
        layers.GRU(3, recurrent_activation="sigmod")
    with pytest.raises(TypeError, match="3 is no activation: give a name"):
        layers.Dense(3, 3)


def test_what_is_no_cell_is_refused():
    for wrong in (3, "LSTM", layers.LSTM(3)):
        with pytest.raises(TypeError, match=r"RNN takes a cell, an instance or a subclass of rnnkit\.Cell; got"):
            layers.RNN(wrong, 3)


def test_shapes_that_do_not_fit_a_recurrence_are_refused_in_a_sentence():
    layer = layers.LSTM(3)
    params, _ = layer.init(np.random.default_rng(0), (None, 4, 2))
    x = np.zeros((5, 4, 2), np.float32)
    for wrong, sentence in [
        (x[:, :, 0], r"LSTM takes x as \(batch, time, features\); got shape \(5, 4\); add the feature axis"),
        (x[:, :, :1], r"LSTM was built for 2 features; got x of shape \(5, 4, 1\)"),
        (x[:, :0], r"LSTM needs at least one step; got x of shape \(5, 0, 2\)"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            layer(params, wrong)
    with pytest.raises(ValueError, match=r"the mask of LSTM is \(batch, time\) = \(5, 4\); got \(5, 3\)"):
        layer(params, x, Context(mask=np.ones((5, 3), bool)))
    with pytest.raises(ValueError, match="state0 needs h and c; 'c' is missing"):
        layer.scan(params, x, {"h": np.zeros((5, 3), np.float32)})
    with pytest.raises(ValueError, match=r"state 'c' is \(B, H\) = \(5, 3\); got \(4, 3\)"):
        layer.scan(params, x, {"h": np.zeros((5, 3), np.float32), "c": np.zeros((4, 3), np.float32)})
    with pytest.raises(ValueError, match=r"dh is \(T, B, H\)"):
        layer.scan(params, x)[2](np.zeros((5, 3, 3), np.float32))
    with pytest.raises(ValueError, match="Dense was built for 2 features"):
        layers.Dense(3)(layers.Dense(3).init(np.random.default_rng(0), (None, 2))[0], x[:, :, :1])
    with pytest.raises(ValueError, match="needs to know the size of the last axis"):
        layers.Dense(3).init(np.random.default_rng(0), (None, None))
    with pytest.raises(ValueError, match=r"LSTM takes \(batch, time, features\)"):
        layers.LSTM(3).plan((None, 5, 4, 2))


def test_a_context_takes_masks_of_bool_and_generators():
    with pytest.raises(
        ValueError, match=r"a mask is \(B, T\) of bool, True where a step is real; got \(2, 3\) float64"
    ):
        Context(mask=np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"a mask is \(B, T\) of bool.*got \(3,\) bool"):
        Context(mask=np.ones(3, bool))
    with pytest.raises(TypeError, match=r"rng is a generator such as numpy\.random\.default_rng"):
        Context(rng=3)
    with pytest.raises(ValueError, match="unknown backend 'nunpy'; did you mean 'numpy'"):
        Context("nunpy")
    assert Context(mask=[[True, False]]).mask.dtype == bool


@pytest.mark.parametrize("shape", [(), 5, (5, -2), (0,), (True,), ("a",)])
def test_an_input_is_the_shape_of_one_sample(shape):
    with pytest.raises(ValueError, match="Input takes the shape of one sample, such as"):
        layers.Input(shape)


# What treats every number by itself hands back a dx of dy's shape, whatever that is.
BY_ITSELF = ("Input", "Activation", "Dropout", "SpatialDropout1D", "Masking")


OTHERS = [example(name) for name in layers.ALL if name not in BY_ITSELF]
OTHERS += [layers.Conv1D(4, 2, activation="relu"), layers.TimeDistributed(layers.BatchNormalization())]


@pytest.mark.parametrize("layer", OTHERS, ids=str)
def test_a_cotangent_of_another_shape_than_y_is_refused(layer):
    rng = np.random.default_rng(5)
    x = an_input(layer, rng)
    params = started(layer, rng, x)
    for ctx in (Context(), Context(mask=np.ones(x.shape[:2], bool) if x.ndim == 3 else None, rng=rng)):
        y, pullback = layer(params, x, ctx)
        for dy in (y[:1], y[..., :1], y[0], np.repeat(y, 2, axis=1)):
            if dy.shape != y.shape:
                with pytest.raises(ValueError, match=r"dy .*; got \("):
                    pullback(dy)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: layers.Dense(2, use_bias="no"), "use_bias is 'no', expected True or False"),
        (lambda: layers.LSTM(2, return_sequences=1), "return_sequences is 1, expected True or False"),
        (lambda: layers.BatchNormalization(center=layers.Dense), r"center is .*, expected True or False"),
        (lambda: layers.Conv1D(2, 3, kernel_initializer=None), "None is no initializer"),
    ],
)
def test_flags_and_initializers_are_what_they_should_be(make, sentence):
    with pytest.raises(TypeError, match=sentence):
        make()
