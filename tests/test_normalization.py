"""LayerNormalization and BatchNormalization: their formula, the statistics of a batch and those that run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import Context, Sequential, gradcheck, layers

FEW = settings(max_examples=12, deadline=None, derandomize=True)
MASK = np.array([[True, True, False, True], [False, False, True, True], [False, False, False, False]])
BOTH = pytest.mark.parametrize("kind", [layers.LayerNormalization, layers.BatchNormalization])


def rng_of(seed=0):
    return np.random.default_rng(seed)


def started(layer, shape, dtype="float64"):
    """Parameters away from zeros and ones; a variance stays positive."""
    params, rng = layer.init(rng_of(), shape, dtype)[0], rng_of(1)
    return {k: w + (0.3 * rng.random(w.shape)).astype(dtype) for k, w in params.items()}


# A variance near epsilon divides what is rounded by sqrt(epsilon), 32 times, and a gradient has three such factors.
CONDITION = 1e-11


@pytest.mark.parametrize(
    "options",
    [{}, {"center": False}, {"scale": False}, {"center": False, "scale": False}, {"epsilon": 0.1}],
    ids=lambda options: " ".join(options) or "as it is",
)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
@BOTH
def test_both_pass_the_gradient_check_with_every_option(kind, options, training, mask):
    report = gradcheck(kind(**options), mask=mask, dropout=training, tolerance=CONDITION)
    assert report, report


@pytest.mark.parametrize("axis", [1, 2, -2, (1, 2), [2, 1], (-1, 1)], ids=str)
def test_layer_normalization_passes_it_over_other_axes(axis):
    report = gradcheck(layers.LayerNormalization(axis), tolerance=CONDITION)
    assert report, report


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
@pytest.mark.parametrize("axis", [1, 2, -2])
def test_batch_normalization_passes_it_with_its_features_elsewhere(axis, mask):
    for training in (False, True):
        report = gradcheck(layers.BatchNormalization(axis), mask=mask, dropout=training, tolerance=CONDITION)
        assert report, report


@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 2, 3)])
@BOTH
def test_both_take_any_number_of_axes(kind, shape):
    for training in (False, True):
        report = gradcheck(kind(), shape=shape, dropout=training, tolerance=CONDITION)
        assert report, report


@FEW
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_layer_normalization_makes_mean_0_and_variance_1_of_each_step(B, T, F, seed):
    x, layer = rng_of(seed).standard_normal((B, T, F)) + 3, layers.LayerNormalization(epsilon=1e-2)
    params = started(layer, x.shape)
    y, _ = layer(params, x)
    for b, t in np.ndindex(B, T):
        row = x[b, t]
        mean = sum(row) / F
        variance = sum((v - mean) ** 2 for v in row) / F
        expected = (row - mean) / np.sqrt(variance + 1e-2) * params["gamma"] + params["beta"]
        np.testing.assert_allclose(y[b, t], expected, rtol=1e-12, atol=1e-12)


def test_several_axes_are_normalised_together_with_a_gain_for_each_place():
    x, layer = rng_of().standard_normal((2, 3, 4)), layers.LayerNormalization((1, 2))
    params = started(layer, x.shape)
    assert params["gamma"].shape == (3, 4)
    mean, variance = (f(x, axis=(1, 2), keepdims=True) for f in (np.mean, np.var))
    expected = (x - mean) / np.sqrt(variance + 1e-3) * params["gamma"] + params["beta"]
    np.testing.assert_allclose(layer(params, x)[0], expected, rtol=1e-13)
    np.testing.assert_array_equal(layers.LayerNormalization([2, 1])(params, x)[0], layer(params, x)[0])


@FEW
@given(st.integers(2, 4), st.integers(1, 5), st.integers(0, 2**32 - 1), st.booleans())
def test_batch_statistics_are_those_of_the_real_steps_and_move_the_running_ones(B, T, seed, masked):
    rng = rng_of(seed)
    x, layer = rng.standard_normal((B, T, 2)) * 2 + 1, layers.BatchNormalization(momentum=0.8)
    params, recorded = started(layer, x.shape), {}
    mask = rng.random((B, T)) < 0.6 if masked else None
    y, _ = layer(params, x, Context(mask=mask, rng=rng_of(), record=recorded.__setitem__))
    assert recorded.keys() == {"moving_mean", "moving_variance"}
    for feature in range(2):
        values = [x[b, t, feature] for b, t in np.ndindex(B, T) if mask is None or mask[b, t]]
        count = len(values) + (1e-7 if masked else 0)
        mean = sum(values) / count
        variance = sum((v - mean) ** 2 for v in values) / count
        expected = (x[..., feature] - mean) / np.sqrt(variance + 1e-3)
        expected = expected * params["gamma"][feature] + params["beta"][feature]
        np.testing.assert_allclose(y[..., feature], expected, rtol=1e-11, atol=1e-11)
        for name, batch in (("moving_mean", mean), ("moving_variance", variance)):
            after = 0.8 * params[name][feature] + 0.2 * batch
            assert recorded[name][feature] == pytest.approx(after, rel=1e-12)


def test_without_a_generator_the_running_statistics_are_used_and_stay():
    x, layer = rng_of().standard_normal((2, 3, 2)), layers.BatchNormalization()
    params = started(layer, x.shape)
    y, _ = layer(params, x, Context(record=lambda *_: pytest.fail("nothing moves")))
    expected = (x - params["moving_mean"]) / np.sqrt(params["moving_variance"] + 1e-3)
    np.testing.assert_allclose(y, expected * params["gamma"] + params["beta"], rtol=1e-13)


def test_frozen_the_layer_uses_and_keeps_its_running_statistics_in_training():
    x = rng_of().standard_normal((2, 3, 2))
    frozen, free = layers.BatchNormalization(trainable=False), layers.BatchNormalization()
    params = started(free, x.shape)
    y, _ = frozen(params, x, Context(rng=rng_of(), record=lambda *_: pytest.fail("nothing moves")))
    np.testing.assert_array_equal(y, free(params, x)[0])
    assert frozen.learned(params) == ()
    assert free.learned(params) == ("gamma", "beta")


def test_training_moves_the_statistics_once_a_step_and_the_optimizer_never():
    layer = layers.BatchNormalization(momentum=0.5)
    model = Sequential([layer, layers.Flatten(), layers.Dense(1)], dtype="float64", seed=0)
    model.compile("sgd", "mse")
    x, y = rng_of().standard_normal((4, 3, 2)), rng_of(1).standard_normal((4, 1))
    model.build((None, 3, 2))
    mean, variance = np.zeros(2), np.ones(2)
    for _ in range(3):
        model.train_on_batch(x, y)
        mean, variance = (mean + x.mean(axis=(0, 1))) / 2, (variance + x.var(axis=(0, 1))) / 2
    _, _, moving_mean, moving_variance = model.get_weights()[:4]
    np.testing.assert_allclose(moving_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(moving_variance, variance, rtol=1e-12)
    before = model.get_weights()
    model.evaluate(x, y)
    model.predict(x)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_statistics_of_a_frozen_model_do_not_move_by_a_bit():
    layer = layers.BatchNormalization(trainable=False)
    model = Sequential([layer, layers.Flatten(), layers.Dense(1)], seed=0)
    model.compile("adam", "mse")
    x = rng_of().standard_normal((4, 3, 2))
    model.build(x.shape)
    before = model.get_weights()
    model.fit(x, np.ones((4, 1)), epochs=2, verbose=0)
    for k, (a, b) in enumerate(zip(before, model.get_weights(), strict=True)):
        assert np.array_equal(a, b) == (k < 4)


def test_a_batch_without_a_real_step_divides_by_nothing():
    x, layer = rng_of().standard_normal((2, 3, 2)), layers.BatchNormalization()
    params, recorded = started(layer, x.shape), {}
    y, pullback = layer(params, x, Context(mask=np.zeros((2, 3), bool), rng=rng_of(), record=recorded.__setitem__))
    np.testing.assert_allclose(y, x / np.sqrt(1e-3) * params["gamma"] + params["beta"], rtol=1e-12)
    np.testing.assert_allclose(recorded["moving_mean"], 0.99 * params["moving_mean"], rtol=1e-15)
    assert np.isfinite(pullback(y)[1]).all()


def test_what_stands_behind_a_mask_moves_no_statistic_and_no_other_step():
    rng = rng_of()
    x, layer = rng.standard_normal((3, 4, 2)), layers.BatchNormalization()
    params, other = started(layer, x.shape), {}
    changed, first = np.where(MASK[..., None], x, 1e3), {}
    y, _ = layer(params, x, Context(mask=MASK, rng=rng_of(), record=first.__setitem__))
    z, _ = layer(params, changed, Context(mask=MASK, rng=rng_of(), record=other.__setitem__))
    np.testing.assert_array_equal(y[MASK], z[MASK])
    for name in first:
        np.testing.assert_array_equal(first[name], other[name])


@BOTH
def test_weights_come_in_the_order_of_keras_and_start_at_one_and_zero(kind):
    params, shape = kind().init(rng_of(), (None, 4, 3))
    assert shape == (None, 4, 3)
    names = ["gamma", "beta", "moving_mean", "moving_variance"][: 4 if kind is layers.BatchNormalization else 2]
    assert list(params) == names
    for name, start in zip(names, (1, 0, 0, 1), strict=False):
        np.testing.assert_array_equal(params[name], np.full(3, start))
    assert list(kind(center=False).init(rng_of(), (None, 3))[0])[:1] == ["gamma"]
    assert "gamma" not in kind(scale=False).init(rng_of(), (None, 3))[0]
    other = kind(gamma_initializer="zeros", beta_initializer="ones").init(rng_of(), (None, 3))[0]
    assert other["beta"].all()
    assert not other["gamma"].any()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@BOTH
def test_a_dtype_goes_through_unchanged_masked_too(kind, dtype, training):
    layer, recorded = kind(), {}
    x = rng_of().standard_normal((3, 4, 2)).astype(dtype)
    params = started(layer, x.shape, dtype)
    rng = rng_of() if training else None
    for mask in (None, MASK):
        y, pullback = layer(params, x, Context(mask=mask, rng=rng, record=recorded.__setitem__))
        dparams, dx = pullback(np.ones_like(y))
        assert {a.dtype for a in (y, dx, *dparams.values(), *recorded.values())} == {np.dtype(dtype)}
        assert {k: g.shape for k, g in dparams.items()} == {k: w.shape for k, w in params.items()}


@BOTH
def test_steps_of_other_times_are_needed_only_where_the_axis_is_time(kind):
    assert kind().stepwise
    assert kind(axis=2).reach == (1, 1)
    for over_time in (1, -2):
        assert not kind(axis=over_time).stepwise
        with pytest.raises(ValueError, match=f"{kind.__name__} cannot be streamed"):
            kind(axis=over_time).stream({}, 1)
    x, layer = rng_of().standard_normal((2, 3, 4)), kind()
    params = started(layer, x.shape)
    stream = layer.stream(params, 2)
    for t in range(3):
        np.testing.assert_array_equal(stream.step(x[:, t], None)[0], layer(params, x)[0][:, t])


@BOTH
@pytest.mark.parametrize("axis", [0, (0, 1), True, 1.5, "a", None, ()], ids=str)
def test_an_axis_is_one_of_x_and_not_that_of_samples(kind, axis):
    with pytest.raises(ValueError, match="axis"):
        kind(axis)


def test_options_that_make_no_sense_are_refused():
    for epsilon in (0, -1e-3, float("nan"), "a", None):
        with pytest.raises(ValueError, match="a positive epsilon"):
            layers.LayerNormalization(epsilon=epsilon)
    for momentum in (-0.1, 1.1, None):
        with pytest.raises(ValueError, match=r"momentum is a share in \[0, 1\]"):
            layers.BatchNormalization(momentum=momentum)
    with pytest.raises(ValueError, match="axis is the one axis of the features"):
        layers.BatchNormalization((1, 2))


def test_shapes_that_do_not_fit_are_refused():
    for axis in (3, -3, (2, -1)):
        with pytest.raises(ValueError, match=r"does not exist, or not once, in shape \(None, 4, 2\)"):
            layers.LayerNormalization(axis).plan((None, 4, 2))
    with pytest.raises(ValueError, match="needs to know the size of axis -1; got shape"):
        layers.BatchNormalization().plan((None, 4, None))
    x, layer = np.zeros((2, 3, 4)), layers.BatchNormalization()
    params = started(layer, x.shape)
    with pytest.raises(ValueError, match=r"the mask of BatchNormalization is \(batch, time\)"):
        layer(params, x, Context(mask=np.ones((2, 4), bool), rng=rng_of()))
    with pytest.raises(ValueError, match=r"the mask of BatchNormalization is \(batch, time\)"):
        layer(params, x[:, 0], Context(mask=np.ones((2, 4), bool), rng=rng_of()))


@pytest.mark.parametrize(("dtype", "size"), [("float32", 2.0**50), ("float64", 2.0**430)])
@BOTH
def test_large_numbers_have_the_gradient_of_small_ones_over_their_size(kind, dtype, size):
    """No more than an exponent changes, where epsilon is nothing beside a variance: equal to the bit."""
    layer, x = kind(epsilon=1e-30), rng_of(2).standard_normal((3, 4, 5)).astype(dtype)
    dy, s = rng_of(3).standard_normal(x.shape).astype(dtype), x.dtype.type(size)
    params, ctx = started(layer, x.shape, dtype), Context(rng=rng_of())
    (small, back), (large, back_large) = layer(params, x, ctx), layer(params, x * s, ctx)
    (dsmall, dx), (dlarge, dx_large) = back(dy), back_large(dy)
    assert np.abs(dx).max() > 0.1
    np.testing.assert_array_equal(large, small)
    np.testing.assert_array_equal(dx_large * s, dx)
    for name, slope in dsmall.items():
        np.testing.assert_array_equal(dlarge[name], slope)


@pytest.mark.parametrize("training", [False, True])
def test_options_that_are_numpy_s_numbers_leave_float32_as_it_is(training):
    x = np.random.default_rng(0).standard_normal((3, 4, 2)).astype("float32")
    options = {"epsilon": np.float64(1e-3)}
    for layer in (
        layers.LayerNormalization(**options),
        layers.BatchNormalization(momentum=np.float64(0.9), **options),
        layers.BatchNormalization(momentum=np.float32(0.5), epsilon=np.float32(1e-3)),
    ):
        recorded = {}
        params, _ = layer.init(np.random.default_rng(0), x.shape)
        rng = np.random.default_rng(0) if training else None
        y, pullback = layer(params, x, Context(rng=rng, record=recorded.__setitem__))
        dparams, dx = pullback(np.ones_like(y))
        assert {a.dtype for a in (y, dx, *dparams.values(), *recorded.values())} == {np.dtype("float32")}
    assert layers.LayerNormalization(**options) == layers.LayerNormalization()


@BOTH
def test_true_and_false_are_no_numbers(kind):
    with pytest.raises(ValueError, match="needs an axis and a positive epsilon; got -1, True"):
        kind(epsilon=True)
    with pytest.raises(ValueError, match="momentum is a share"):
        layers.BatchNormalization(momentum=True)
