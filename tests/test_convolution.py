"""Conv1D: every padding with every stride, dilation and number of groups; masks, streams, reach, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sliding_cases import GEOMETRIES, PADDINGS, assert_streams, seen, spelt, streamed, weights, windows

from rnnkit import Context, Sequential, gradcheck
from rnnkit.layers import Conv1D, Dense, Input

EACH = pytest.mark.parametrize("options", GEOMETRIES, ids=spelt)
FEW = settings(max_examples=25, deadline=None, derandomize=True)
MASK = np.array([[1, 1, 0, 1, 1, 1, 0, 0, 1], [0, 0, 1, 1, 0, 1, 1, 1, 0]], bool)


@st.composite
def cases(draw, paddings=PADDINGS, groups=True):
    """A layer, its parameters, x, and a mask or None."""
    g = draw(st.integers(1, 2)) if groups else 1
    layer = Conv1D(
        g * draw(st.integers(1, 2)),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 4)),
        draw(st.sampled_from(paddings)),
        draw(st.integers(1, 3)),
        g,
        draw(st.sampled_from([None, "tanh"])),
        draw(st.booleans()),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features, least = g * draw(st.integers(1, 2)), layer.sliding.span if layer.padding == "valid" else 1
    x = rng.standard_normal((draw(st.integers(1, 3)), least + draw(st.integers(0, 8)), features))
    mask = rng.random(x.shape[:2]) < 0.7 if draw(st.booleans()) else None
    return layer, weights(layer, features, rng), x, mask


def naive(layer, params, x, mask):
    """Window by window, tap by tap, group by group."""
    W, (B, T, C) = params["W"], x.shape
    looks = windows(T, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding)
    a = np.zeros((B, len(looks), layer.filters)) + params.get("b", 0)
    inside, outside = C // layer.groups, layer.filters // layer.groups
    for n, steps in enumerate(looks):
        for j, t in enumerate(steps):
            if 0 <= t < T:
                real = np.ones(B) if mask is None else mask[:, t]
                for g in range(layer.groups):
                    part = x[:, t, g * inside : (g + 1) * inside] * real[:, None]
                    a[:, n, g * outside : (g + 1) * outside] += part @ W[j, :, g * outside : (g + 1) * outside]
    return np.tanh(a) if layer.activation == "tanh" else a


@EACH
def test_every_geometry_passes_the_gradient_check(options):
    layer = Conv1D(4, 3, activation="tanh", **options)
    for mask in (None, MASK):
        report = gradcheck(layer, shape=(2, 9, 4), mask=mask)
        assert report, report


@FEW
@given(cases())
def test_a_layer_is_what_the_loops_say(case):
    layer, params, x, mask = case
    y, _ = layer(params, x, Context(mask=mask))
    np.testing.assert_allclose(y, naive(layer, params, x, mask), rtol=1e-12, atol=1e-12)
    assert layer.plan(x.shape)[1] == y.shape
    assert layer.plan(x.shape[1:])[1] == y.shape[1:]
    assert layer.plan((None, None, x.shape[2]))[1] == (None, None, layer.filters)


@FEW
@given(cases())
def test_what_a_mask_hides_never_enters_and_an_output_is_real_where_its_step_is(case):
    layer, params, x, _ = case
    mask = np.random.default_rng(x.size).random(x.shape[:2]) < 0.6
    hidden = np.where(mask[:, :, None], x, np.nan)
    y, pullback = layer(params, hidden, Context(mask=mask))
    np.testing.assert_array_equal(y, layer(params, x * mask[:, :, None])[0])
    dparams, dx = pullback(np.ones_like(y))
    assert np.isfinite(dx).all()
    assert not dx[~mask].any()
    assert all(np.isfinite(d).all() for d in dparams.values())
    looks = windows(x.shape[1], layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding)
    stands_for = [(w[0] + w[-1]) // 2 if layer.padding == "same" else w[-1] for w in looks]
    np.testing.assert_array_equal(layer.next_mask(mask, x), mask[:, stands_for])
    assert layer.next_mask(None, x) is None


@pytest.mark.parametrize("padding", ["same", "causal"])
def test_with_stride_one_the_mask_goes_on_as_it_is(padding):
    for k in (1, 2, 3, 4):
        layer = Conv1D(2, k, padding=padding, dilation_rate=2)
        np.testing.assert_array_equal(layer.next_mask(MASK, np.zeros((2, 9, 2))), MASK)


@pytest.mark.parametrize("padding", PADDINGS)
def test_a_padded_sequence_has_the_outputs_that_it_has_alone(padding):
    rng = np.random.default_rng(0)
    first, second = (Conv1D(2, 3, padding=padding, activation="tanh") for _ in range(2))
    model = Sequential([Input((None, 2)), first, second], dtype="float64")
    model.params = [weights(layer, 2, rng) for layer in (first, second)]
    x = rng.standard_normal((1, 7, 2))
    alone, back_alone = model.forward(x)
    behind = np.concatenate([x, rng.standard_normal((1, 4, 2))], axis=1)
    n, dy = alone.shape[1], rng.standard_normal(alone.shape)
    y, back = model.forward(behind, lengths=[7])
    np.testing.assert_allclose(y[:, :n], alone, rtol=1e-13)
    dx = back(np.concatenate([dy, np.zeros((1, 4, 2))], axis=1))[1]
    np.testing.assert_allclose(dx[:, :7], back_alone(dy)[1], rtol=1e-12)
    if padding == "causal":
        before = np.concatenate([rng.standard_normal((1, 4, 2)), x], axis=1)
        y, _ = model.forward(before, mask=np.arange(11)[None] >= 4)
        np.testing.assert_allclose(y[:, 4:], alone, rtol=1e-13)


@EACH
def test_reach_is_what_probing_finds(options):
    layer, rng = Conv1D(2, 3, **options), np.random.default_rng(0)
    params, x = weights(layer, 2, rng), rng.standard_normal((1, 25, 2))
    span, stride = layer.reach
    looks = windows(25, 3, options["strides"], options["dilation_rate"], options["padding"])
    for n, steps in enumerate(looks):
        assert seen(layer, params, x, n) == [t for t in steps if 0 <= t < 25]
    middle = seen(layer, params, x, 4)
    assert middle[-1] - middle[0] + 1 == span
    assert seen(layer, params, x, 5)[0] - middle[0] == stride


@pytest.mark.parametrize("options", [o for o in GEOMETRIES if o["padding"] == "causal"], ids=spelt)
def test_causal_outputs_do_not_see_later_steps(options):
    layer, rng = Conv1D(4, 3, **options), np.random.default_rng(0)
    params, x = weights(layer, 4, rng), rng.standard_normal((2, 13, 4))
    y, _ = layer(params, x)
    for n in range(y.shape[1]):
        later = x.copy()
        later[:, n * layer.strides + 1 :] = rng.standard_normal(later[:, n * layer.strides + 1 :].shape)
        np.testing.assert_array_equal(layer(params, later)[0][:, : n + 1], y[:, : n + 1])


@FEW
@given(cases(paddings=("valid", "causal")))
def test_a_stream_gives_what_the_full_pass_gives(case):
    assert_streams(*case)


def test_a_kernel_of_one_streams_with_any_padding():
    rng = np.random.default_rng(0)
    layer = Conv1D(3, 1, 2, "same")
    assert_streams(layer, weights(layer, 2, rng), rng.standard_normal((2, 7, 2)), MASK[:, :7])


def test_single_precision_stays_so_in_a_pass_and_in_a_stream():
    rng = np.random.default_rng(0)
    layer = Conv1D(3, 3, padding="causal", activation="tanh")
    params, x = weights(layer, 2, rng, "float32"), rng.standard_normal((2, 9, 2)).astype(np.float32)
    for mask in (None, MASK):
        y, pullback = layer(params, x, Context(mask=mask))
        dparams, dx = pullback(np.ones_like(y))
        got, _ = streamed(layer.stream(params, 2), x, mask)
        assert {a.dtype for a in (y, dx, got, *dparams.values())} == {np.dtype(np.float32)}
        np.testing.assert_allclose(got, y, rtol=0, atol=1e-6)


def test_a_kernel_of_one_is_a_dense_layer():
    rng = np.random.default_rng(0)
    layer, x = Conv1D(3, 1, activation="sigmoid"), rng.standard_normal((2, 5, 4))
    params = weights(layer, 4, rng)
    y, back = layer(params, x)
    expected, back_dense = Dense(3, "sigmoid")({"W": params["W"][0], "b": params["b"]}, x)
    np.testing.assert_allclose(y, expected, rtol=1e-13)
    dy = rng.standard_normal(y.shape)
    (dparams, dx), (dense, dx_dense) = back(dy), back_dense(dy)
    np.testing.assert_allclose(dx, dx_dense, rtol=1e-12)
    np.testing.assert_allclose(dparams["W"][0], dense["W"], rtol=1e-12)


def test_tuples_of_one_and_capital_letters_are_taken_as_keras_takes_them():
    layer = Conv1D(4, (3,), (2,), "SAME", [1])
    assert layer == Conv1D(4, 3, 2, "same", 1)
    assert repr(layer) == "Conv1D(filters=4, kernel_size=3, strides=2, padding='same')"
    assert Conv1D(**layer.config()) == layer


def test_weights_start_as_keras_starts_them_and_come_in_its_order():
    layer = Conv1D(600, 5, groups=2)
    params, _ = layer.init(np.random.default_rng(0), (None, None, 8), "float64")
    assert [w.shape for w in layer.to_list(params)] == [(5, 4, 600), (600,)]
    limit = np.sqrt(6 / (5 * 4 + 5 * 600))
    assert 0.99 * limit < np.abs(params["W"]).max() <= limit
    assert not params["b"].any()
    assert list(Conv1D(2, 3, use_bias=False).plan((None, 4, 2))[0]) == ["W"]
    ones = Conv1D(2, 3, kernel_initializer="ones").init(np.random.default_rng(0), (None, 4, 2))[0]
    assert (ones["W"] == 1).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((0, 3), "Conv1D: filters is a whole number from 1 up, got 0"),
        ((4, 0), "Conv1D: kernel_size is a whole number from 1 up, got 0"),
        ((4, (3, 3)), r"Conv1D: kernel_size is a whole number from 1 up, got \(3, 3\)"),
        ((4, 3, 0), "Conv1D: strides is a whole number from 1 up, got 0"),
        ((4, 3, 1, "full"), "Conv1D: padding is 'valid', 'same' or 'causal', got 'full'"),
        ((4, 3, 1, "valid", 1.5), "Conv1D: dilation_rate is a whole number from 1 up, got 1.5"),
        ((4, 3, 1, "valid", 1, 3), "Conv1D: 4 filters do not fall into 3 groups of one size"),
        ((4, 3, 1, "valid", 1, 1, "tahn"), "unknown activation 'tahn'; did you mean 'tanh'"),
    ],
)
def test_options_that_mean_nothing_are_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Conv1D(*arguments)


def test_inputs_that_do_not_fit_are_refused_in_a_sentence():
    layer = Conv1D(2, 3, dilation_rate=2)
    params = weights(layer, 2, np.random.default_rng(0))
    too_short = r"Conv1D looks at 5 steps at a time and the sequence has 4: give longer ones, or choose another padding"
    with pytest.raises(ValueError, match=too_short):
        layer.plan((None, 4, 2))
    for x, sentence in [
        (np.zeros((1, 4, 2)), too_short),
        (np.zeros((1, 6, 3)), r"Conv1D was built for 2 features; got x of shape \(1, 6, 3\)"),
        (np.zeros((6, 2)), r"Conv1D takes \(batch, time, features\); got shape \(6, 2\); add the feature axis"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            layer(params, x)
    with pytest.raises(ValueError, match=r"the mask of Conv1D is \(batch, time\) = \(1, 6\); got \(1, 5\)"):
        layer(params, np.zeros((1, 6, 2)), Context(mask=np.ones((1, 5), bool)))
    with pytest.raises(ValueError, match="Conv1D needs at least one step"):
        Conv1D(2, 3, padding="same")(params, np.zeros((1, 0, 2)))
    with pytest.raises(ValueError, match=r"the 3 features of \(None, 4, 3\) do not fall into 2 groups"):
        Conv1D(2, 3, groups=2).plan((None, 4, 3))
    with pytest.raises(ValueError, match="needs to know the size of the last axis"):
        layer.plan((None, 4, None))


def test_a_stream_refuses_what_it_cannot_do():
    layer = Conv1D(2, 3, padding="same")
    params = weights(layer, 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"Conv1D with padding='same' cannot be streamed.*choose 'valid' or 'causal'"):
        layer.stream(params, 1)
    with pytest.raises(ValueError, match=r"a step of Conv1D is \(2, 2\); got \(2, 1, 2\)"):
        Conv1D(2, 3).stream(params, 2).step(np.zeros((2, 1, 2)), None)
    with pytest.raises(ValueError, match=r"a step of Conv1D is \(2, 2\); got \(2, 3\)"):
        Conv1D(2, 3).stream(params, 2).step(np.zeros((2, 3)), None)


def test_a_stream_refuses_a_state_of_other_shapes():
    layer = Conv1D(3, 2, dilation_rate=2)
    params, _ = layer.init(np.random.default_rng(0), (None, None, 2), "float64")
    stream, other = layer.stream(params, 2), layer.stream(params, 5)
    for state in ({}, other.state, {k: v for k, v in stream.state.items() if k != "ring"}):
        with pytest.raises(ValueError, match=r"of Conv1D is \{'seen': \(\), 'real': \(2, 3\), 'ring': \(2, 3, 2\)\}"):
            stream.state = state
