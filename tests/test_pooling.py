"""Pooling in windows and over all steps: values, ties, masks, streams, reach, refusals."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sliding_cases import assert_streams, seen, spelt, streamed, windows

from rnnkit import Context, gradcheck
from rnnkit.layers import AveragePooling1D, GlobalAveragePooling1D, GlobalMaxPooling1D, MaxPooling1D

WINDOWED = pytest.mark.parametrize("kind", [MaxPooling1D, AveragePooling1D])
GLOBAL = pytest.mark.parametrize("kind", [GlobalMaxPooling1D, GlobalAveragePooling1D])
GEOMETRIES = [(k, s, padding) for k, s, padding in product((1, 2, 3, 4), (None, 1, 2, 3), ("valid", "same"))]
FEW = settings(max_examples=30, deadline=None, derandomize=True)
MASK = np.array([[1, 1, 0, 0, 0, 1, 0, 0, 1], [0, 0, 1, 1, 0, 1, 1, 1, 0]], bool)
NUMBER = {MaxPooling1D: np.max, AveragePooling1D: np.mean, GlobalMaxPooling1D: np.max, GlobalAveragePooling1D: np.mean}


@st.composite
def sequences(draw, least=1):
    """x (B, T, F) and a mask or None."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((draw(st.integers(1, 3)), draw(st.integers(least, least + 8)), draw(st.integers(1, 3))))
    return x, rng.random(x.shape[:2]) < 0.5 if draw(st.booleans()) else None


def naive(layer, x, mask):
    """Row by row, window by window, of what is there."""
    looks = windows(x.shape[1], layer.pool_size, layer.strides or layer.pool_size, 1, layer.padding)
    y = np.zeros((len(x), len(looks), x.shape[2]))
    for b, n in np.ndindex(y.shape[:2]):
        there = [t for t in looks[n] if 0 <= t < x.shape[1] and (mask is None or mask[b, t])]
        if there:
            y[b, n] = NUMBER[type(layer)](x[b, there], axis=0)
    return y


@WINDOWED
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=spelt)
def test_every_geometry_passes_the_gradient_check(kind, geometry):
    for mask in (None, MASK):
        report = gradcheck(kind(*geometry), shape=(2, 9, 2), mask=mask)
        assert report, report


@GLOBAL
@pytest.mark.parametrize("keepdims", [False, True])
def test_pooling_over_all_steps_passes_it(kind, keepdims):
    for mask in (None, MASK, MASK & [[True], [False]]):
        report = gradcheck(kind(keepdims=keepdims), shape=(2, 9, 2), mask=mask)
        assert report, report


@WINDOWED
@FEW
@given(sequences(least=4), st.sampled_from(GEOMETRIES))
def test_a_window_gives_the_number_of_what_is_there(kind, case, geometry):
    (x, mask), layer = case, kind(*geometry)
    hidden = x if mask is None else np.where(mask[:, :, None], x, np.nan)
    y, pullback = layer({}, hidden, Context(mask=mask))
    np.testing.assert_allclose(y, naive(layer, x, mask), rtol=1e-13, atol=1e-15)
    assert layer.plan(x.shape)[1] == y.shape
    assert layer.plan((None, None, x.shape[2]))[1] == (None, None, x.shape[2])
    _, dx = pullback(np.ones_like(y))
    if mask is not None:
        assert not dx[~mask].any()
        looks = windows(x.shape[1], layer.pool_size, layer.strides or layer.pool_size, 1, layer.padding)
        stands_for = [(w[0] + w[-1]) // 2 if layer.padding == "same" else w[-1] for w in looks]
        np.testing.assert_array_equal(layer.next_mask(mask, x), mask[:, stands_for])


@GLOBAL
@FEW
@given(sequences())
def test_all_steps_give_the_number_of_the_real_ones_and_none_give_0(kind, case):
    x, mask = case
    hidden = x if mask is None else np.where(mask[:, :, None], x, np.nan)
    y, pullback = kind()({}, hidden, Context(mask=mask))
    for b, row in enumerate(x):
        real = row if mask is None else row[mask[b]]
        expected = NUMBER[kind](real, axis=0) if len(real) else np.zeros(x.shape[2])
        np.testing.assert_allclose(y[b], expected, rtol=1e-13, atol=1e-15)
    _, dx = pullback(np.ones_like(y))
    assert np.isfinite(dx).all()
    assert mask is None or not dx[~mask].any()
    kept, _ = kind(keepdims=True)({}, hidden, Context(mask=mask))
    np.testing.assert_array_equal(kept[:, 0], y)
    assert kind().next_mask(mask, x) is None
    assert kind().plan(x.shape)[1] == y.shape
    assert kind(keepdims=True).plan(x.shape[1:])[1] == kept.shape[1:]


def test_of_equal_steps_in_a_window_the_first_takes_the_gradient():
    x = np.array([[[2.0], [5.0], [5.0], [5.0], [1.0], [1.0]]])
    y, pullback = MaxPooling1D(3)({}, x)
    assert y[0, :, 0].tolist() == [5, 5]
    assert pullback(np.array([[[1.0], [10.0]]]))[1][0, :, 0].tolist() == [0, 1, 0, 10, 0, 0]
    y, pullback = MaxPooling1D(3)({}, x, Context(mask=np.array([[True, False, True, True, True, True]])))
    assert pullback(np.array([[[1.0], [10.0]]]))[1][0, :, 0].tolist() == [0, 0, 1, 10, 0, 0]


def test_of_equal_steps_in_a_whole_sequence_each_takes_the_same_share():
    x = np.array([[[2.0], [5.0], [5.0], [5.0]]])
    _, pullback = GlobalMaxPooling1D()({}, x)
    np.testing.assert_allclose(pullback(np.array([[6.0]]))[1][0, :, 0], [0, 2, 2, 2])
    _, pullback = GlobalMaxPooling1D()({}, x, Context(mask=np.array([[True, False, True, True]])))
    np.testing.assert_allclose(pullback(np.array([[6.0]]))[1][0, :, 0], [0, 0, 3, 3])


def test_what_is_not_a_number_is_not_passed_over():
    x = np.array([[[1.0], [np.nan], [3.0], [2.0]]])
    assert np.isnan(MaxPooling1D(4)({}, x)[0]).all()
    assert np.isnan(GlobalMaxPooling1D()({}, x)[0]).all()


@WINDOWED
def test_a_pass_hands_out_arrays_of_its_own(kind):
    x = np.zeros((1, 3, 1))
    y, _ = kind(1)({}, x)
    y += 1
    assert not x.any()


@WINDOWED
@pytest.mark.parametrize("geometry", [g for g in GEOMETRIES if g[2] == "valid"], ids=spelt)
def test_a_stream_gives_what_the_full_pass_gives(kind, geometry):
    x = np.random.default_rng(0).standard_normal((2, 9, 3))
    for mask in (None, MASK):
        assert_streams(kind(*geometry), {}, x, mask)


@GLOBAL
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["all real", "masked"])
def test_a_stream_over_all_steps_gives_what_the_full_pass_gives_for_the_steps_so_far(kind, keepdims, mask):
    x = np.random.default_rng(0).standard_normal((2, 9, 3))
    layer = kind(keepdims=keepdims)
    stream, other = layer.stream({}, 2), layer.stream({}, 2)
    for t in range(9):
        flags = None if mask is None else mask[:, t]
        before = stream.state
        y, real = stream.step(x[:, t], flags)
        assert real is None
        expected, _ = layer({}, x[:, : t + 1], Context(mask=None if mask is None else mask[:, : t + 1]))
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-14)
        other.state = before
        np.testing.assert_array_equal(other.step(x[:, t], flags)[0], y)
    first = streamed(layer.stream({}, 2), x)[0]
    stream.reset()
    np.testing.assert_array_equal(streamed(stream, x)[0], first)
    for array in stream.state.values():
        array[...] = 0  # a copy: the stream does not notice
    np.testing.assert_array_equal(stream.step(x[:, 0], None)[0].shape, first[:, 0].shape)


def test_a_mean_over_a_long_stream_keeps_its_digits_in_single_precision():
    stream = GlobalAveragePooling1D().stream({}, 1)
    x = np.full((1, 1), 0.1, np.float32)
    for _ in range(20000):
        y, _ = stream.step(x, None)
    assert y.dtype == np.float32
    assert y == x


@WINDOWED
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=spelt)
def test_reach_is_what_probing_finds(kind, geometry):
    layer, x = kind(*geometry), np.random.default_rng(0).standard_normal((1, 17, 1))
    span, stride = layer.reach
    looks = windows(17, geometry[0], geometry[1] or geometry[0], 1, geometry[2])
    found = [seen(layer, {}, x, n) for n in range(len(looks))]
    assert found == [[t for t in steps if 0 <= t < 17] for steps in looks]
    assert len(found[1]) == span
    assert found[2][0] - found[1][0] == stride


@GLOBAL
def test_over_all_steps_every_step_is_seen(kind):
    x = np.random.default_rng(0).standard_normal((1, 6, 1))
    assert kind().reach == (np.inf, 1)
    assert seen(kind(keepdims=True), {}, x, 0) == list(range(6))


@pytest.mark.parametrize("kind", [MaxPooling1D, AveragePooling1D, GlobalMaxPooling1D, GlobalAveragePooling1D])
def test_single_precision_stays_so(kind):
    x = np.random.default_rng(0).standard_normal((2, 9, 3)).astype(np.float32)
    for mask in (None, MASK):
        y, pullback = kind()({}, x, Context(mask=mask))
        assert y.dtype == pullback(np.ones_like(y))[1].dtype == np.float32
        got, _ = streamed(kind().stream({}, 2), x, mask)
        assert got.dtype == np.float32


def test_tuples_of_one_and_strides_left_out_are_taken_as_keras_takes_them():
    assert MaxPooling1D((3,), [2], "SAME") == MaxPooling1D(3, 2, "same")
    assert MaxPooling1D(3).reach == (3, 3)
    assert MaxPooling1D().config() == {"pool_size": 2, "strides": None, "padding": "valid"} | {
        "input_shape": None, "name": None, "trainable": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: MaxPooling1D(0), "MaxPooling1D: pool_size is a whole number from 1 up, got 0"),
        (lambda: AveragePooling1D(2, 0), "AveragePooling1D: strides is a whole number from 1 up, got 0"),
        (lambda: MaxPooling1D(2, 2, "causal"), "MaxPooling1D: padding is 'valid' or 'same', got 'causal'"),
        (lambda: MaxPooling1D(5).plan((None, 4, 2)), "MaxPooling1D looks at 5 steps at a time and the sequence has 4"),
        (lambda: MaxPooling1D(5)({}, np.zeros((1, 4, 2))), "MaxPooling1D looks at 5 steps at a time and"),
        (lambda: MaxPooling1D()({}, np.zeros((4, 2))), r"MaxPooling1D takes \(batch, time, features\); got shape"),
        (lambda: MaxPooling1D(2, 1, "same").stream({}, 1), "MaxPooling1D with padding='same' cannot be streamed"),
        (
            lambda: MaxPooling1D().stream({}, 1).step(np.zeros((2, 3)), None),
            r"a step of MaxPooling1D is \(1, features\); got \(2, 3\)",
        ),
        (
            lambda: GlobalMaxPooling1D().stream({}, 1).step(np.zeros((2, 3)), None),
            r"a step of pooling over all steps is \(1, features\); got \(2, 3\)",
        ),
        (lambda: GlobalMaxPooling1D()({}, np.zeros((4, 2))), r"GlobalMaxPooling1D takes \(batch, time, features\)"),
        (lambda: GlobalMaxPooling1D()({}, np.zeros((4, 0, 2))), "GlobalMaxPooling1D needs at least one step"),
        (
            lambda: GlobalAveragePooling1D()({}, np.zeros((1, 4, 2)), Context(mask=np.ones((1, 3), bool))),
            r"the mask of GlobalAveragePooling1D is \(batch, time\) = \(1, 4\); got \(1, 3\)",
        ),
    ],
)
def test_what_means_nothing_is_refused_in_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize("kind", [GlobalMaxPooling1D, GlobalAveragePooling1D])
def test_keepdims_is_said_by_name_and_is_true_or_false(kind):
    with pytest.raises(TypeError, match="takes nothing by position"):
        kind("channels_last")
    with pytest.raises(TypeError, match="keepdims is True or False; got 1"):
        kind(keepdims=1)


def test_the_first_of_many_taps_takes_the_gradient_where_a_byte_does_not_count_them():
    x = np.zeros((1, 300, 1))
    x[0, [280, 290]] = 1
    _, pullback = MaxPooling1D(300)({}, x)
    np.testing.assert_array_equal(np.flatnonzero(pullback(np.ones((1, 1, 1)))[1]), [280])


@pytest.mark.parametrize("kind", [MaxPooling1D, GlobalAveragePooling1D])
@pytest.mark.parametrize("begun", [False, True])
def test_a_stream_refuses_a_state_of_other_shapes(kind, begun):
    stream = kind().stream({}, 2)
    if begun:
        stream.step(np.zeros((2, 3)), None)
    good = stream.state
    wrong = [{}, {k: np.zeros((7, *np.shape(v))) for k, v in good.items()}, good | {"more": np.zeros(2)}]
    for state in wrong:
        with pytest.raises(ValueError, match=r"the state of this stream of .* is \{.*shapes by name; got \{"):
            stream.state = state
    stream.state = good
