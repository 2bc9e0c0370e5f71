"""Flatten, Reshape, RepeatVector, Masking and SpatialDropout1D: numbers in other places, or none at all."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import Context, Sequential, gradcheck, layers

FEW = settings(max_examples=15, deadline=None, derandomize=True)
MASK = np.array([[True, False, True], [False, False, True]])


def numbers(*shape):
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Flatten(), (2, 3, 4)),
        (layers.Flatten(), (3,)),
        (layers.Reshape((6, -1)), (2, 3, 4)),
        (layers.Reshape((3, 2, 2)), (2, 3, 4)),
        (layers.RepeatVector(3), (2, 4)),
        (layers.Masking(), (2, 3, 4)),
        (layers.SpatialDropout1D(0.4), (3, 4, 5)),
    ],
    ids=lambda value: str(value).replace(" ", ""),
)
def test_every_one_of_them_passes_the_gradient_check(layer, shape):
    report = gradcheck(layer, numbers(*shape), dropout=True)
    assert report, report


@FEW
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_flatten_puts_a_sample_in_one_row(shape):
    x = numbers(*shape)
    y, _ = layers.Flatten()({}, x)
    assert y.shape == layers.Flatten().plan(x.shape)[1] == (len(x), prod(shape[1:]))
    np.testing.assert_array_equal(y, [row.ravel() for row in x.reshape(len(x), -1)])
    assert layers.Flatten().plan((None, *shape[1:]))[1] == (None, prod(shape[1:]))


def test_of_a_free_number_of_steps_flatten_makes_a_free_number_of_features():
    assert layers.Flatten().plan((None, None, 4))[1] == (None, None)
    with pytest.raises(ValueError, match="needs to know the size of the last axis"):
        Sequential([layers.Flatten(), layers.Dense(1)]).build((None, None, 4))


@FEW
@given(st.permutations([2, 3, 4]), st.integers(0, 3))
def test_reshape_keeps_the_order_of_numbers_and_fills_in_what_is_left(sizes, left):
    x = numbers(5, 4, 6)
    target = tuple(-1 if k == left else n for k, n in enumerate(sizes))
    layer = layers.Reshape(target)
    y, pullback = layer({}, x)
    np.testing.assert_array_equal(y, x.reshape(5, *sizes))
    assert layer.plan(x.shape)[1] == y.shape
    assert layer.plan((None, 4, 6))[1] == (None, *sizes)
    np.testing.assert_array_equal(pullback(y)[1], x)


def test_reshape_of_a_free_size_is_known_when_x_is():
    layer = layers.Reshape([-1, 2])
    assert layer.plan((None, None, 4))[1] == (None, None, 2)
    assert layers.Reshape((8, 2)).plan((None, None, 4))[1] == (None, 8, 2)
    assert layer({}, numbers(2, 3, 4))[0].shape == (2, 6, 2)
    assert layer == layers.Reshape((-1, 2))


@pytest.mark.parametrize("target", [(), 3, (0, 2), (-1, -1), (2, -2), (2.0,), (True,), ("a",), None])
def test_what_is_no_shape_of_a_sample_is_refused(target):
    with pytest.raises(ValueError, match="Reshape takes the shape of one sample, sizes from 1 up"):
        layers.Reshape(target)


def test_a_sample_that_does_not_fit_the_target_is_refused():
    with pytest.raises(ValueError, match=r"Reshape\(\(5, 2\)\) takes 10 values a sample; got 12, shape \(None, 3, 4\)"):
        layers.Reshape((5, 2)).plan((None, 3, 4))
    with pytest.raises(ValueError, match=r"Reshape\(\(5, -1\)\) takes a multiple of 5 values a sample; got 12"):
        layers.Reshape((5, -1))({}, numbers(2, 3, 4))
    with pytest.raises(ValueError, match="takes 10 values a sample; got 20"):
        layers.Reshape((5, 2))({}, numbers(2, 5, 4))


def test_repeat_vector_says_the_same_at_every_step():
    x = numbers(2, 4)
    y, pullback = layers.RepeatVector(3)({}, x)
    assert layers.RepeatVector(3).plan((None, 4))[1] == (None, 3, 4)
    for t in range(3):
        np.testing.assert_array_equal(y[:, t], x)
    dy = numbers(2, 3, 4)
    np.testing.assert_array_equal(pullback(dy)[1], dy.sum(axis=1))
    for n in (0, 1.5, True, None):
        with pytest.raises(ValueError, match="RepeatVector: n is a whole number from 1 up"):
            layers.RepeatVector(n)
    for refused in (lambda: layers.RepeatVector(2).plan((None, 3, 4)), lambda: layers.RepeatVector(2)({}, dy)):
        with pytest.raises(ValueError, match=r"RepeatVector takes \(batch, features\); got shape"):
            refused()


def test_a_mask_goes_on_where_steps_are_kept_and_ends_where_time_does():
    x = numbers(2, 3, 4)
    assert layers.Flatten().next_mask(MASK, x) is None
    assert layers.RepeatVector(3).next_mask(MASK, numbers(2, 4)) is None
    for keeps in ((3, 2, 2), (3, -1, 2), (-1, 4), (3, 4)):
        np.testing.assert_array_equal(layers.Reshape(keeps).next_mask(MASK, x), MASK)
    for ends in ((12,), (4, 3), (6, 2), (-1,)):
        assert layers.Reshape(ends).next_mask(MASK, x) is None
    # Where time is all that there is, a step becomes a feature.
    assert layers.Reshape((3, 1)).next_mask(MASK, x[:, :, 0]) is None
    assert layers.Reshape((3,)).next_mask(MASK, x[:, :, :1]) is None


@pytest.mark.parametrize("layer", [layers.Flatten(), layers.Reshape((3, 2)), layers.RepeatVector(2)])
def test_what_needs_the_whole_sequence_cannot_be_streamed(layer):
    assert not layer.stepwise
    with pytest.raises(ValueError, match=f"{type(layer).__name__} cannot be streamed: it takes all steps"):
        layer.stream({}, 1)


# Masking


@FEW
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, -1.0, 0.1]), st.sampled_from(["float32", "float64"]))
def test_masking_masks_the_steps_all_of_whose_features_have_the_value(seed, value, dtype):
    rng = np.random.default_rng(seed)
    x = np.where(rng.random((3, 4, 2)) < 0.6, value, rng.standard_normal((3, 4, 2))).astype(dtype)
    layer = layers.Masking(value)
    y, pullback = layer({}, x)
    mask = layer.next_mask(None, x)
    for row, step in np.ndindex(3, 4):
        real = any(feature != x.dtype.type(value) for feature in x[row, step])
        assert mask[row, step] == real
        np.testing.assert_array_equal(y[row, step], x[row, step] if real else 0)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(pullback(np.ones_like(x))[1], np.repeat(mask[..., None], 2, axis=2))
    came = rng.random((3, 4)) < 0.5
    np.testing.assert_array_equal(layer.next_mask(came, x), mask & came)


def test_masking_hands_its_mask_to_what_follows():
    x = numbers(2, 4, 2)
    x[0, 1:3] = x[1, 0] = -9
    model = Sequential([layers.Masking(-9), layers.LSTM(3)], dtype="float64", seed=0)
    y, pullback = model.forward(x)
    np.testing.assert_allclose(y[:1], model.forward(x[:1, [0, 3]])[0], rtol=1e-13)
    np.testing.assert_allclose(y[1:], model.forward(x[1:, 1:])[0], rtol=1e-13)
    assert not pullback(np.ones_like(y))[1][x == -9].any()


def test_masking_is_streamed_step_by_step():
    x = numbers(2, 3, 2)
    x[0, 1] = 0
    stream = layers.Masking().stream({}, 2)
    for t in range(3):
        y, mask = stream.step(x[:, t], None)
        np.testing.assert_array_equal(y, x[:, t])
        np.testing.assert_array_equal(mask, [t != 1, True])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0", None, True])
def test_a_mask_value_is_a_finite_number(value):
    with pytest.raises(ValueError, match="mask_value is a finite number, got"):
        layers.Masking(value)


@pytest.mark.parametrize("layer", [layers.Masking(), layers.SpatialDropout1D(0.5)])
def test_both_take_sequences_and_say_so(layer):
    for refused in (lambda: layer.plan((None, 3)), lambda: layer({}, numbers(2, 3))):
        with pytest.raises(ValueError, match=rf"{type(layer).__name__} takes \(batch, time, features\); got shape"):
            refused()


# SpatialDropout1D


def test_a_channel_is_dropped_at_all_steps_or_at_none():
    x = np.ones((60, 7, 50))
    y, pullback = layers.SpatialDropout1D(0.3)({}, x, Context(rng=np.random.default_rng(0)))
    assert (y == y[:, :1]).all()
    assert set(np.unique(y)) == {0.0, 1 / 0.7}
    channels = y[:, 0]
    share = np.sqrt(0.3 * 0.7 / channels.size)  # one standard deviation of the share dropped
    assert np.mean(channels == 0) == pytest.approx(0.3, abs=4 * share)
    assert len({row.tobytes() for row in channels}) == 60  # drawn anew for every sample
    np.testing.assert_array_equal(pullback(x)[1], y)


def test_without_a_generator_or_a_rate_nothing_is_dropped():
    x = numbers(2, 3, 4)
    assert layers.SpatialDropout1D(0.5)({}, x)[0] is x
    assert layers.SpatialDropout1D(0.0)({}, x, Context(rng=np.random.default_rng(0)))[0] is x
    for rate in (1.0, -0.1, None):
        with pytest.raises(ValueError, match=r"rate is the share dropped, in \[0, 1\)"):
            layers.SpatialDropout1D(rate)
