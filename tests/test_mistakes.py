"""Mistakes that newcomers make end in a sentence; the spellings that they bring along do what they mean."""

from __future__ import annotations

import os
import re
import sys

import numpy as np
import pytest

from rnnkit import Sequential, gradcheck, load
from rnnkit.callbacks import Callback, EarlyStopping
from rnnkit.data import windowed_dataset
from rnnkit.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Layer,
    Reshape,
    SimpleRNN,
    TimeDistributed,
)
from rnnkit.optimizers import SGD, Adam

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((8, 6, 3)), RNG.standard_normal((8, 1))
YES = (Y > 0).astype(int)
TOKENS = [[1, 2], [3, 4, 5], [6], [7, 8, 1, 2]]
QUIET = {"verbose": 0, "batch_size": 4}


def a_model(*stack, loss="mse", **options):
    model = Sequential(stack or (LSTM(3), Dense(1)), seed=0)
    model.compile("adam", loss, **options)
    return model


def a_reader():
    return a_model(Embedding(9, 4), LSTM(3), Dense(1, "sigmoid"), loss="binary_crossentropy")


def test_an_array_of_lists_is_read_as_the_list_that_it_stands_for():
    x, y = np.array(TOKENS, dtype=object), np.array([0, 1, 0, 1])
    ones, others = a_reader(), a_reader()
    assert ones.fit(x, y, **QUIET).history == others.fit(TOKENS, y, **QUIET).history
    np.testing.assert_array_equal(ones.predict(x), others.predict(TOKENS))
    assert ones.evaluate(x, y) == others.evaluate(TOKENS, y)
    steps = [[token % 2 for token in sample] for sample in TOKENS]
    stack = Embedding(9, 4), LSTM(3, return_sequences=True), Dense(1, "sigmoid")
    ones, others = a_model(*stack), a_model(*stack)
    assert ones.fit(x, np.array(steps, dtype=object), **QUIET).history == others.fit(TOKENS, steps, **QUIET).history


def test_weights_and_restarts_of_each_step_come_in_lists_too():
    x, y = [X[0, :2], X[1, :5]], [X[0, :2, :1], X[1, :5, :1]]
    weight, reset = [[1.0, 2.0], [1.0, 0.0, 3.0, 1.0, 2.0]], [[False, True], [False, False, True, False, False]]
    stack = LSTM(3, return_sequences=True), Dense(1)
    padded = np.zeros((2, 5, 3)), np.zeros((2, 5, 1))
    weights, resets = np.zeros((2, 5)), np.zeros((2, 5), bool)
    for k, n in enumerate((2, 5)):
        padded[0][k, :n], padded[1][k, :n], weights[k, :n], resets[k, :n] = x[k], y[k], weight[k], reset[k]
    lists, arrays = a_model(*stack), a_model(*stack)
    lists.train_on_batch(x, y, sample_weight=weight, reset=reset)
    arrays.train_on_batch(*padded, sample_weight=weights, reset=resets, lengths=[2, 5])
    for one, other in zip(lists.get_weights(), arrays.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("weight", [(), ([1.0, 2.0, 0.5],)])
def test_validation_data_may_be_samples_of_different_length(weight):
    x, y = [X[0, :2], X[1, :5], X[2]], Y[:3]
    model = a_model()
    history = model.fit(X, Y, validation_data=(x, y, *weight), **QUIET).history
    assert history["val_loss"] == [model.evaluate(x, y, sample_weight=weight[0] if weight else None)["loss"]]


def test_input_length_is_the_shape_of_a_sample(tmp_path):
    model = Sequential([Embedding(9, 4, input_length=6), Flatten(), Dense(1)], seed=0)
    assert model.shapes[1:] == [(None, 6, 4), (None, 24), (None, 1)]
    model.save(tmp_path / "m")
    assert load(tmp_path / "m").shapes == model.shapes
    assert Embedding(9, 4, input_length=6, input_shape=(6,)) == Embedding(9, 4, input_shape=(6,))


def test_the_older_names_of_the_hooks_of_batches_are_called():
    seen = []

    class Old(Callback):
        def on_batch_begin(self, batch, logs=None):
            seen.append(("begin", batch))

        def on_batch_end(self, batch, logs=None):
            seen.append(("end", batch, *logs))

    a_model().fit(X, Y, callbacks=[Old()], **QUIET)
    assert seen == [("begin", 0), ("end", 0, "loss"), ("begin", 1), ("end", 1, "loss")]


def test_running_statistics_that_overflow_are_named_and_nothing_moves():
    model = a_model(BatchNormalization(), GRU(2), Dense(1))
    model.build(X.shape)
    before = model.get_weights()
    with pytest.raises(FloatingPointError, match=r"moving_variance of layer 0 BatchNormalization .* epoch 1, batch 1"):
        model.fit(X * 1e25, Y, **QUIET)
    for was, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(now, was)


@pytest.mark.parametrize(
    ("columns", "shown", "hidden"),
    [(60, ["loss", "val_loss"], ["rmse", "val_mae", "val_rmse"]), (150, ["loss", "mae", "rmse", "val_rmse"], [])],
)
def test_a_bar_shows_whole_numbers_and_the_losses_first(columns, shown, hidden, monkeypatch):
    termios, fcntl = pytest.importorskip("termios"), pytest.importorskip("fcntl")
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, np.array([24, columns, 0, 0], np.uint16).tobytes())
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        model = a_model(metrics=["mae", "rmse"])
        history = model.fit(X, Y, epochs=3, validation_split=0.25, verbose=1).history
        terminal.flush()
        last = os.read(ours, 1 << 16).decode().replace("\n", "\r").rstrip("\r").split("\r")[-1]
    os.close(ours)
    numbers = last.partition(", ")[2].split()
    read = dict(zip(numbers[::2], numbers[1::2], strict=True))
    assert set(shown) <= read.keys()
    assert not set(hidden) & read.keys()
    for name, number in read.items():
        assert number == f"{history[name][-1]:.3g}"


def keras_style(y_true, y_pred):
    return np.mean((y_true - y_pred) ** 2)


MISTAKES = {
    "texts": (
        lambda: a_reader().fit(["a b", "c"], [0, 1], **QUIET),
        TypeError,
        r"x is made of <U3, expected real numbers: rnnkit\.text",
    ),
    "array of texts": (lambda: a_reader().predict(np.array(["a b", "c"])), TypeError, "rnnkit.text makes numbers"),
    "words for classes": (
        lambda: a_model().fit(X, ["yes"] * 8, **QUIET),
        TypeError,
        "y is made of <U3.*number the classes",
    ),
    "an index that is NaN": (
        lambda: a_reader().fit([[1, np.nan], [2, 3]], [0, 1], **QUIET),
        ValueError,
        r"x chooses by index: expected whole numbers, got nan \(float64\)",
    ),
    "an index that is infinite": (
        lambda: a_reader().predict([[1, np.inf]]),
        ValueError,
        "expected whole numbers, got inf",
    ),
    "an index and a half": (lambda: a_reader().predict([[1, 1.5]]), ValueError, r"expected whole numbers, got 1\.5"),
    "batches and y": (
        lambda: a_model().fit(windowed_dataset(np.arange(30.0), 5, 8, 10), Y, **QUIET),
        TypeError,
        "an iterable of batches is passed alone, without y",
    ),
    "batches and y, a generator": (lambda: a_model().fit(iter([(X, Y)]), Y), TypeError, "passed alone, without y"),
    "a share in words": (
        lambda: a_model().fit(X, Y, validation_split="0.2"),
        ValueError,
        "validation_split is a share",
    ),
    "weights in words": (
        lambda: a_model().fit(X, YES, class_weight={0: "a", 1: 2.0}),
        TypeError,
        r"class_weight is a dict of class -> weight, both numbers, .*got \{0: 'a'",
    ),
    "a loss of Keras' kind": (
        lambda: a_model(loss=keras_style),
        TypeError,
        r"keras_style is no loss: .*\(y, target, \*, sample_weight=None, mask=None\).*gradient",
    ),
    "two units, one target": (
        lambda: a_model(LSTM(3), Dense(2)).fit(X, Y[:, 0], **QUIET),
        ValueError,
        "the last layer has 2 units, and there is one number for each sample",
    ),
    "a target for the last step only": (
        lambda: a_model(LSTM(3, return_sequences=True), Dense(1)).fit(X, Y, **QUIET),
        ValueError,
        "does the last recurrent layer return sequences where it should not",
    ),
    "a label for the last step only": (
        lambda: a_model(
            LSTM(3, return_sequences=True), Dense(2, "softmax"), loss="sparse_categorical_crossentropy"
        ).fit(X, YES[:, 0], **QUIET),
        ValueError,
        "does the last recurrent layer return sequences where it should not",
    ),
    "TimeDistributed around a recurrent layer": (
        lambda: a_model(TimeDistributed(LSTM(3)), Dense(1)).fit(X, Y, **QUIET),
        ValueError,
        r"layer 0 TimeDistributed: .* gives LSTM one step at a time, .* of 2 axes here, and LSTM takes 3",
    ),
    "TimeDistributed where time has ended": (
        lambda: a_model(LSTM(3), TimeDistributed(Dense(1))).fit(X, Y, **QUIET),
        ValueError,
        "a recurrent layer before it should return sequences",
    ),
    "a quantity misspelt": (
        lambda: a_model().fit(X, Y, callbacks=EarlyStopping("val_los"), **QUIET),
        ValueError,
        "watches 'val_los'.*did you mean 'val_loss'",
    ),
    "two lengths": (lambda: Embedding(9, 4, input_length=6, input_shape=(5,)), ValueError, "give one"),
    "a length in words": (lambda: Embedding(9, 4, input_length="6"), ValueError, "input_length is a whole number"),
    "weights of other lengths than the samples": (
        lambda: a_reader().fit(TOKENS, [0, 1, 0, 1], sample_weight=[[1.0], [1.0, 2.0], [3.0], [4.0]]),
        ValueError,
        "sample 0 has 2 steps in x and 1 in sample_weight; expected one for each step",
    ),
    "a mask whose rows differ": (
        lambda: a_model().fit(X[:2], Y[:2], mask=[[True], [True, False]]),
        TypeError,
        r"mask is not an array: its rows differ in length; expected \(2, 6\)",
    ),
    "a list of floats as parameters": (
        lambda: SGD().step({"a": [1.0]}, {"a": [1.0]}, SGD().init({"a": [1.0]})),
        TypeError,
        r"a parameter is 1\.0, expected an array",
    ),
    "a list of floats as gradients": (
        lambda: Adam().step([np.ones(1)], [1.0], Adam().init([np.ones(1)])),
        TypeError,
        r"a gradient is 1\.0, expected an array",
    ),
    "a model checked without data": (lambda: gradcheck(a_model()), TypeError, "give x and y"),
    "a model checked without targets": (lambda: gradcheck(a_model(), X), TypeError, "give x and y"),
    "a class checked": (lambda: gradcheck(LSTM), TypeError, "write LSTM with its brackets, and units in them"),
}


@pytest.mark.parametrize(("mistake", "kind", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_ends_in_a_sentence(mistake, kind, sentence):
    with pytest.raises(kind, match=sentence):
        mistake()


@pytest.mark.parametrize("layer", [Dense(4), TimeDistributed(Dense(2)), Flatten(), Reshape((9, 2))], ids=repr)
def test_a_gradient_in_another_order_does_not_pass_for_one_of_as_many_numbers(layer):
    params, _ = layer.init(RNG, X.shape, "float64")
    y, pullback = layer(params, X)
    kind, shape = type(layer).__name__, y.swapaxes(0, 1).shape
    with pytest.raises(ValueError, match=re.escape(f"{kind}: dy is {y.shape}, as y; got {shape}")):
        pullback(np.ones(shape))


# What is wrong in a model of one's own, and in its numbers


def test_weights_that_are_not_finite_do_not_enter_and_do_not_spread():
    model = a_model(SimpleRNN(2, "relu"), Dense(1))
    model.build((None, 4, 3))
    weights = model.get_weights()
    weights[1][0, 1] = np.nan
    with pytest.raises(ValueError, match="layer 0 SimpleRNN: weight 1 has nan"):
        model.set_weights(weights)
    model.params[0]["W"][:] = 3e38
    x = np.full((2, 4, 3), 2.0)
    for call in (model.predict, lambda x: model.evaluate(x, np.ones((2, 1)))):
        with pytest.raises(FloatingPointError, match=r"in batch 1.*layer 0 SimpleRNN, .* step 0"):
            call(x)


def test_one_sample_without_its_batch_is_told_so():
    model = Sequential([Embedding(9, 2), LSTM(2)], seed=0)
    model.build((None, 3))
    with pytest.raises(ValueError, match=r"add the batch axis with x\[None\]"):
        model.predict([1, 2, 3])
    model = Sequential([Input((8, 3)), LSTM(2)], seed=0)
    with pytest.raises(ValueError, match=r"add the batch axis with x\[None\]"):
        model.predict(np.zeros((8, 3)))


def test_an_error_in_the_middle_of_training_says_where():
    model = Sequential([Embedding(9, 2), LSTM(2), Dense(1)], seed=0)
    model.compile("sgd", "mse")
    x = np.ones((6, 3), int)
    x[4, 1] = 9
    with pytest.raises(ValueError, match="9") as caught:
        model.fit(x, np.ones((6, 1)), batch_size=2, shuffle=False, verbose=0)
    assert caught.value.__notes__ == ["in epoch 1, batch 3"]


def test_validation_has_a_mask_of_its_own():
    rng = np.random.default_rng(0)
    x, y, mask = rng.standard_normal((4, 5, 2)), rng.standard_normal((4, 1)), rng.random((4, 5)) < 0.6
    model = Sequential([LSTM(2), Dense(1)], seed=0)
    model.compile("sgd", "mse")
    history = model.fit(x, y, mask=mask, validation_data=(x, y, None, mask), verbose=0).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(x, y, mask=mask)["loss"], rel=1e-6)


def test_results_are_numbers_by_name_and_by_place():
    model = Sequential([LSTM(2), Dense(1)], seed=0)
    model.compile("sgd", "mse", ["mae"])
    results = model.evaluate(np.zeros((2, 3, 1)), np.ones((2, 1)))
    assert results[0] == results["loss"]
    assert results[1] == results[-1] == results["mae"]
    with pytest.raises(KeyError, match="there is no 'rmse' among loss, mae"):
        results["rmse"]


class Forgetful(Layer):
    """A layer of one's own, wrong in a way to choose."""

    def __init__(self, how):
        super().__init__()
        object.__setattr__(self, "how", how)

    def plan(self, shape):
        return {"s": (1,)}, shape

    def first(self, name, shape, rng, dtype):
        return np.ones(shape, dtype)

    def __call__(self, params, x, ctx=None):
        y = x * params["s"]
        return y if self.how == "no pullback" else (y, lambda dy: ({}, dy))


def test_a_layer_of_ones_own_that_is_wrong_is_named():
    for how, error, sentence in [
        ("no pullback", TypeError, "Forgetful should return y and a pullback"),
        (
            "no gradient",
            ValueError,
            "the pullback of layer 0 Forgetful returns gradients of nothing; its weights are s",
        ),
    ]:
        model = Sequential([Forgetful(how), Dense(1)], seed=0)
        model.compile("sgd", "mse")
        with pytest.raises(error, match=sentence):
            model.fit(np.ones((2, 3)), np.ones((2, 1)), verbose=0)


def test_cotangents_and_states_of_another_kind_are_refused():
    layer = LSTM(3)
    params, _ = layer.init(np.random.default_rng(0), (None, None, 2))
    x = np.zeros((4, 5, 2), np.float32)
    with pytest.raises(ValueError, match=r"dy of LSTM has the shape of y, \(4, 3\); got \(3,\)"):
        layer(params, x)[1](np.zeros(3, np.float32))
    with pytest.raises(TypeError, match=r"a state is a dict of arrays .* by name, .*; got a tuple"):
        layer.scan(params, x, (np.zeros((4, 3)), np.zeros((4, 3))))
    with pytest.raises(TypeError, match="LSTM: ctx is a Context"):
        layer(params, x, np.ones((4, 5), bool))
    model = Sequential([LSTM(3), Dense(1)], seed=0)
    with pytest.raises(ValueError, match=r"dy is dL/dy, of the shape of y, \(4, 1\); got \(4,\)"):
        model.forward(x)[1](np.zeros(4, np.float32))


def test_what_is_no_list_of_layers_and_no_shape_is_refused():
    with pytest.raises(TypeError, match=r"Sequential takes a list of layers; got the layer .*: write it in brackets"):
        Sequential(LSTM(3))
    with pytest.raises(TypeError, match="build takes the shape of x"):
        Sequential([LSTM(3)]).build(3)
    with pytest.raises(TypeError, match="Dropout: trainable is True or False; got 'False'"):
        Sequential([Dropout(0.1, trainable="False")])


def test_a_gradient_that_is_limited_on_purpose_is_told_from_a_wrong_one():
    report = gradcheck(LSTM(3, gradient_clip=1e-3), shape=(2, 5, 2))
    assert not report
    assert "gradient_clip=0.001 of LSTM: it limits the gradient on purpose" in str(report)
    assert "gradient_clip" not in str(gradcheck(LSTM(3, gradient_clip=1e9), shape=(2, 3, 2))).partition("\n")[2]


def test_a_layer_that_is_asked_for_weights_says_who_has_them():
    layer = a_reader().layers[0]
    for name in ("get_weights", "set_weights"):
        with pytest.raises(AttributeError, match=rf"a layer holds no weights, its model does: model.{name}\(\)"):
            getattr(layer, name)
    with pytest.raises(AttributeError, match="'Embedding' object has no attribute 'wieghts'"):
        _ = layer.wieghts
