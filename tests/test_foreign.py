"""Arguments that Keras has and rnnkit has not, as a listing from a course writes them.

What changes no number is taken, and the object is the one that would be made without it; what would change one is
refused, with the thing to write instead; and an argument that nobody has is told by its nearest name.
"""

from __future__ import annotations

import dataclasses
import inspect

import numpy as np
import pytest

from rnnkit import Sequential, constraints, initializers, layers, losses, metrics, optimizers, regularizers, schedules
from rnnkit.layers import LSTM, BatchNormalization, Bidirectional, Conv1D, Dense, Dropout, Input

TAKEN = [
    (Dense(1, input_dim=2), Dense(1, input_shape=(2,))),
    (Dense(1, activity_regularizer=None, dtype=None, lora_rank=None), Dense(1)),
    (LSTM(3, unroll=True, use_cudnn=False, implementation=2, time_major=False, seed=None), LSTM(3)),
    (LSTM(3, batch_input_shape=(4, 24, 1), stateful=True), LSTM(3, input_shape=(24, 1), stateful=True)),
    (Bidirectional(LSTM(3), batch_shape=(4, None, 1)), Bidirectional(LSTM(3), input_shape=(None, 1))),
    (Conv1D(2, 3, data_format="channels_last"), Conv1D(2, 3)),
    (Dropout(0.2, noise_shape=None), Dropout(0.2)),
    (BatchNormalization(-1, 0.9, 1e-5, renorm=False), BatchNormalization(momentum=0.9, epsilon=1e-5)),
    (layers.LayerNormalization(-1, 1e-6), layers.LayerNormalization(epsilon=1e-6)),
    (Input((24,), batch_size=4, dtype="int32", sparse=False), Input((24,))),
    (Input(batch_shape=(4, 24, 1)), Input((24, 1))),
    (losses.Huber(2.0, name="mine", reduction="sum_over_batch_size", dtype=None), losses.Huber(2.0)),
    (losses.CategoricalCrossentropy(True, axis=-1, reduction="mean"), losses.CategoricalCrossentropy(True)),
    (metrics.BinaryAccuracy("b", dtype="float32"), metrics.BinaryAccuracy("b")),
    (metrics.R2Score(dtype=None, num_regressors=0), metrics.R2Score()),
    (optimizers.Adam(0.1, name="adam", use_ema=False, ema_momentum=0.99, jit_compile=True), optimizers.Adam(0.1)),
    (schedules.ExponentialDecay(0.1, 10, 0.9, name="e"), schedules.ExponentialDecay(0.1, 10, 0.9)),
    (initializers.VarianceScaling(2.0, "fan_in", "normal"), initializers.VarianceScaling(2.0)),
    (initializers.he_normal(), initializers.HeNormal()),
    (regularizers.l1_l2(0.1, 0.2), regularizers.L1L2(0.1, 0.2)),
    (constraints.max_norm(3), constraints.MaxNorm(3)),
]

REFUSED = [
    (lambda: Dense(1, activity_regularizer="l2"), "Dense: activity_regularizer='l2' .* weights alone"),
    (lambda: Dense(1, dtype="float16"), r"Sequential\(layers, dtype="),
    (lambda: LSTM(1, seed=3), r"the model's seed .* Sequential\(layers, seed=3\)"),
    (lambda: LSTM(1, time_major=True), "the batch comes first"),
    (lambda: LSTM(1, time_major=0), "time_major=0"),
    (lambda: Conv1D(1, 2, data_format="channels_first"), "features come last"),
    (lambda: Dropout(0.5, noise_shape=(None, 1, 2)), "SpatialDropout1D"),
    (lambda: BatchNormalization(renorm=True), "renorm=True is not part of rnnkit$"),
    (lambda: losses.Huber(reduction="sum"), "a loss is the mean"),
    (lambda: metrics.CategoricalCrossentropy(axis=1), "last axis of y"),
    (lambda: optimizers.SGD(lr=0.1), "write learning_rate="),
    (lambda: optimizers.SGD(0.1, decay=1e-6), "InverseTimeDecay"),
    (lambda: optimizers.Adam(use_ema=True), "use_ema=True is not part of rnnkit$"),
]


@pytest.mark.parametrize(("given", "meant"), TAKEN, ids=str)
def test_what_changes_no_number_is_taken(given, meant):
    assert given == meant


@pytest.mark.parametrize(("make", "words"), REFUSED)
def test_what_would_change_one_is_refused_with_what_to_do(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_an_unknown_argument_is_told_by_its_nearest_name():
    with pytest.raises(TypeError, match=r"Dense has no argument 'activaton'; did you mean 'activation'\?"):
        Dense(1, activaton="relu")
    with pytest.raises(TypeError, match=r"Adam has no argument 'batch_input_shape'$"):
        optimizers.Adam(batch_input_shape=(1, 2, 3))
    with pytest.raises(TypeError, match="fit has no argument 'epoch'; did you mean 'epochs'"):
        Sequential([Dense(1)]).fit(None, epoch=3)


def test_too_many_arguments_are_told_which_go_by_position():
    with pytest.raises(TypeError, match="Dense takes units, activation, use_bias by position; got 4"):
        Dense(1, "relu", True, "zeros")
    with pytest.raises(TypeError, match="MSE takes nothing by position; got 1"):
        losses.MSE("sum")


def test_a_class_shows_the_arguments_of_its_constructor():
    assert list(inspect.signature(Dense).parameters)[:3] == ["units", "activation", "use_bias"]
    assert dataclasses.replace(Dense(1), units=2) == Dense(2)


def test_a_layer_with_a_constructor_of_its_own_takes_what_that_takes():
    class Wide(layers.Layer):
        def __init__(self, *sizes, **options):
            super().__init__(name=str((sizes, options)))

    assert Wide(1, 2, unroll=3).name == "((1, 2), {'unroll': 3})"


def test_a_seeded_initializer_draws_the_same_numbers_for_every_layer():
    model = Sequential(
        [Dense(4, kernel_initializer=initializers.GlorotUniform(seed=3), input_shape=(4,)) for _ in range(2)], seed=0
    )
    first, second = (params["W"] for params in model.params)
    np.testing.assert_array_equal(first, second)
    other = initializers.GlorotUniform(seed=4)(np.random.default_rng(0), (4, 4), "float32")
    assert not (first == other).any()


X, Y = np.arange(12.0).reshape(6, 2), np.arange(6.0)[:, None]


def a_model():
    model = Sequential([Dense(1, input_dim=2)], seed=1, name="course")
    model.compile("sgd", "mse", ["mae"], run_eagerly=True, jit_compile=False, loss_weights=None)
    return model


def test_a_model_takes_the_harmless_arguments_of_keras():
    model, same = a_model(), a_model()
    model.fit(X, Y, 4, 2, verbose=0, workers=2, use_multiprocessing=True, validation_freq=1, steps_per_epoch=None)
    same.fit(X, Y, batch_size=4, epochs=2, verbose=0)
    for ours, theirs in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert model.evaluate(X, Y, 4, 0, return_dict=True, callbacks=None) == same.evaluate(X, Y, batch_size=4)
    np.testing.assert_array_equal(model.predict(X, None, 0, steps=None), same.predict(X))
    assert model.train_on_batch(X, Y, return_dict=True) == same.train_on_batch(X, Y)


def test_no_batch_size_is_that_of_keras():
    x, y, model, same = np.ones((40, 2)), np.ones((40, 1)), a_model(), a_model()
    histories = [m.fit(x, y, size, verbose=0).history for m, size in ((model, None), (same, 32))]
    assert histories[0] == histories[1]


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda m: m.compile("sgd", "mse", loss_weights=[0.5]), "sample_weight"),
        (lambda m: m.fit(X, Y, steps_per_epoch=2), "an epoch is one pass over x"),
        (lambda m: m.fit(X, Y, validation_freq=2), "after every epoch"),
        (lambda m: m.fit(X, Y, validation_batch_size=2), "in batches of batch_size"),
        (lambda m: m.fit(X, Y, nb_epoch=2), "write epochs="),
        (lambda m: m.evaluate(X, Y, return_dict=False), "by name, in a dict"),
        (lambda m: m.evaluate(X, Y, steps=1), "all of x"),
        (lambda m: m.predict(X, callbacks=[1]), "in fit alone"),
        (lambda m: m.train_on_batch(X, Y, return_dict=False), "by name, in a dict"),
    ],
)
def test_a_model_says_what_to_do_instead_of_keras_other_arguments(use, words):
    with pytest.raises(ValueError, match=words):
        use(a_model())


def test_freezing_a_model_from_outside_says_where_it_is_done():
    frozen = Sequential([Dense(2, trainable=False), Dense(1, trainable=False)])
    assert a_model().trainable
    assert not frozen.trainable
    with pytest.raises(AttributeError, match="a layer is frozen when it is made"):
        frozen.trainable = True
