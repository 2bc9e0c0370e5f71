"""Losses against Keras 3.15.1 (torch backend, all in float64), against their own differences, and at the border."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import losses
from rnnkit.losses import (
    MAE,
    MAPE,
    MSE,
    MSLE,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Huber,
    LogCosh,
    PerRow,
    PerValue,
    Quantile,
    SparseCategoricalCrossentropy,
)

Y = np.array([((5 * k) % 13 - 6) / 4 for k in range(12)]).reshape(2, 3, 2)
TARGET = np.array([((3 * k) % 7 - 3) / 4 for k in range(12)]).reshape(2, 3, 2)
STEPS = np.array([[0.5, 2.0, 0.0], [1.0, 4.0, 0.25]])
SAMPLES = np.array([0.5, 3.0])
MASK = np.array([[True, True, False], [False, True, False]])

VARIANTS = (
    *(Huber(0.95), Quantile(0.9), Quantile((0.1, 0.5, 0.8))),
    *(BinaryCrossentropy(True), BinaryCrossentropy(True, 0.2), BinaryCrossentropy(label_smoothing=0.3)),
    *(CategoricalCrossentropy(True), CategoricalCrossentropy(label_smoothing=0.1)),
    *(
        SparseCategoricalCrossentropy(True),
        SparseCategoricalCrossentropy(True, 1),
        SparseCategoricalCrossentropy(False, 0),
    ),
)
ALL = pytest.mark.parametrize("loss", [*losses.ALL, *VARIANTS], ids=str)
OF_VALUES = pytest.mark.parametrize("loss", [loss for loss in losses.ALL if isinstance(loss, PerValue)], ids=str)

# Value and 24 times the gradient.
PEER: list[tuple[Any, dict[str, Any], float, list[float]]] = [
    (MSE(), {}, 1.171875, [-3, -1, 1, -3, -1, 8, -3, 6, -5, -3, 6, -5]),
    (MSE(), {"w": STEPS}, 1.15234375, [-1.5, -0.5, 2, -6, 0, 0, -3, 6, -20, -12, 1.5, -1.25]),
    (MSE(), {"w": SAMPLES}, 2.4088541666666665, [-1.5, -0.5, 0.5, -1.5, -0.5, 4, -9, 18, -15, -9, 18, -15]),
    (MSE(), {"m": MASK}, 0.5625, [-6, -2, 2, -6, 0, 0, 0, 0, -10, -6, 0, 0]),
    (MSE(), {"m": MASK, "w": STEPS}, 1.6770833333333333, [-3, -1, 4, -12, 0, 0, 0, 0, -40, -24, 0, 0]),
    (MAE(), {}, 0.9375, [-2, -2, 2, -2, -2, 2, -2, 2, -2, -2, 2, -2]),
    (MAE(), {"w": STEPS}, 1.1197916666666667, [-1, -1, 4, -4, 0, 0, -2, 2, -8, -8, 0.5, -0.5]),
    (MAE(), {"w": SAMPLES}, 1.9270833333333333, [-1, -1, 1, -1, -1, 1, -6, 6, -6, -6, 6, -6]),
    (MAE(), {"m": MASK}, 0.6666666666666666, [-4, -4, 4, -4, 0, 0, 0, 0, -4, -4, 0, 0]),
    (MAE(), {"m": MASK, "w": STEPS}, 1.75, [-2, -2, 8, -8, 0, 0, 0, 0, -16, -16, 0, 0]),
    (Huber(), {}, 0.5182291666666666, [-1.5, -0.5, 0.5, -1.5, -0.5, 2, -1.5, 2, -2, -1.5, 2, -2]),
    (Huber(), {"w": STEPS}, 0.5520833333333334, [-0.75, -0.25, 1, -3, 0, 0, -1.5, 2, -8, -6, 0.5, -0.5]),
    (Huber(), {"w": SAMPLES}, 1.10546875, [-0.75, -0.25, 0.25, -0.75, -0.25, 1, -4.5, 6, -6, -4.5, 6, -6]),
    (Huber(), {"m": MASK}, 0.2760416666666667, [-3, -1, 1, -3, 0, 0, 0, 0, -4, -3, 0, 0]),
    (Huber(), {"m": MASK, "w": STEPS}, 0.8177083333333334, [-1.5, -0.5, 2, -6, 0, 0, 0, 0, -16, -12, 0, 0]),
    (Huber(0.4), {}, 0.2978125, [-0.8, -0.5, 0.5, -0.8, -0.5, 0.8, -0.8, 0.8, -0.8, -0.8, 0.8, -0.8]),
    (Huber(0.4), {"w": STEPS}, 0.34692708333333333, [-0.4, -0.25, 1, -1.6, 0, 0, -0.8, 0.8, -3.2, -3.2, 0.2, -0.2]),
    (Huber(0.4), {"m": MASK}, 0.19041666666666668, [-1.6, -1, 1, -1.6, 0, 0, 0, 0, -1.6, -1.6, 0, 0]),
    (Huber(0.4), {"m": MASK, "w": STEPS}, 0.5313541666666667, [-0.8, -0.5, 2, -3.2, 0, 0, 0, 0, -6.4, -6.4, 0, 0]),
]


@pytest.mark.parametrize(("loss", "case", "value", "slopes"), PEER)
def test_value_and_gradient_are_those_of_keras(loss, case, value, slopes):
    got, gradient = loss(Y, TARGET, sample_weight=case.get("w"), mask=case.get("m"))
    assert type(got) is float
    assert got == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(gradient.ravel(), np.array(slopes) / 24, rtol=1e-14, atol=0)


def test_a_last_axis_of_one_more_or_less_is_dropped_as_keras_does():
    y, target = Y[:, :2, 0].ravel(), TARGET[:, :2, 0].ravel()
    for a, b in [(y[:, None], target), (y, target[:, None]), (y[:, None], target[:, None]), (y, target)]:
        value, gradient = MSE()(a, b)
        assert value == 0.6875
        assert gradient.shape == a.shape
        np.testing.assert_array_equal(gradient.ravel(), [-0.375, 0.125, -0.375, -0.625])
        value, gradient = MSE()(a, b, sample_weight=[1, 2, 3, 4])
        assert value == 2.15625
        np.testing.assert_array_equal(gradient.ravel(), [-0.375, 0.25, -1.125, -2.5])
    for a, b in [(Y[..., :1], TARGET[..., 0]), (Y[..., 0], TARGET[..., :1])]:
        assert MSE()(a, b)[0] == 0.84375
        value, gradient = MSE()(a, b, sample_weight=SAMPLES)
        assert value == pytest.approx(2.2447916666666665, rel=1e-15)
        assert gradient.shape == a.shape
        np.testing.assert_allclose(24 * gradient.ravel(), [-3, 1, -1, -18, -30, 36], rtol=1e-14)


def test_weights_belong_to_samples_even_where_there_are_as_many_steps():
    y, target = Y[:, :2], TARGET[:, :2]
    by_sample = MSE()(y, target, sample_weight=SAMPLES)
    by_step = MSE()(y, target, sample_weight=np.repeat(SAMPLES[:, None], 2, axis=1))
    assert by_sample[0] == by_step[0]
    np.testing.assert_array_equal(by_sample[1], by_step[1])


@st.composite
def cases(draw, loss):
    """(y, target, weight, mask). Errors are 0.1 away from 0 and from 1, and y from 0, where a loss may have a kink."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y, target = loss.example(rng, shape)
    if type(loss).example is PerValue.example:
        near, far = rng.uniform(0.1, 0.9, shape), rng.uniform(1.1, 3, shape)
        error = np.where(rng.random(shape) < 0.5, near, far) * rng.choice([-1, 1], shape)
        target = np.where(np.abs(target + error) < 0.1, target + 0.2, target)
        y = target + error
    rank = st.none() | st.integers(1, min(target.ndim, y.ndim - isinstance(loss, PerRow)))
    weight = None if (axes := draw(rank)) is None else rng.uniform(0, 2, y.shape[:axes])
    mask = None if (axes := draw(rank)) is None else rng.random(y.shape[:axes]) < draw(st.sampled_from([0, 0.6, 1]))
    return y, target, weight, mask


def difference(f, y, entry, h=1e-4):
    """df/dy[entry] by five points; its error is O(h^4), and 0 for polynomials up to the fourth degree."""

    def at(steps):
        moved = y.copy()
        moved[entry] += steps * h
        return f(moved)

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)


@ALL
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_gradient_is_the_derivative_of_the_value(loss, data):
    y, target, weight, mask = data.draw(cases(loss))
    value, gradient = loss(y, target, sample_weight=weight, mask=mask)
    # What a difference leaves out is below h^4 / 30 24 / 0.05^5 < 3e-10 where the slope is 20, for log(0.05); rounding
    # is 1.5 eps |L| / h = 4e-12 |L|, times a few operations.
    for entry in np.ndindex(y.shape):
        slope = difference(lambda y: loss(y, target, sample_weight=weight, mask=mask)[0], y, entry)
        assert gradient[entry] == pytest.approx(slope, rel=1e-9, abs=2e-11 * max(1, abs(value)))


def over(mask, like):
    """A mask on all of an array's entries."""
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (like.ndim - mask.ndim)), like.shape)


@ALL
@settings(max_examples=15, deadline=None, derandomize=True)
@given(data=st.data())
def test_behind_a_mask_anything_may_stand(loss, data):
    y, target, weight, mask = data.draw(cases(loss))
    if mask is None:
        mask = np.zeros(y.shape[0], bool)
    want = loss(y, target, sample_weight=weight, mask=mask)
    for junk in (np.nan, np.inf, -7.5):
        hidden = np.where(over(mask, y), y, junk), np.where(over(mask, target), target, junk)
        got = loss(*hidden, sample_weight=weight, mask=mask)
        assert got[0] == want[0]
        np.testing.assert_array_equal(got[1], want[1])
    assert not want[1][~over(mask, y)].any()


@ALL
@settings(max_examples=15, deadline=None, derandomize=True)
@given(data=st.data())
def test_what_is_masked_is_as_if_it_were_not_there(loss, data):
    y, target, weight, mask = data.draw(cases(loss))
    rows = np.arange(len(y)) % 3 != 1
    if mask is None or mask.ndim > 1:
        mask = rows
    want = loss(y[mask], target[mask], sample_weight=None if weight is None else weight[mask])
    value, gradient = loss(y, target, sample_weight=weight, mask=mask)
    assert value == pytest.approx(want[0], rel=1e-13)
    np.testing.assert_allclose(gradient[mask], want[1], rtol=1e-13, atol=0)


def suited(loss):
    return loss.example(np.random.default_rng(1), (2, 3, 2))


@ALL
def test_a_mask_hides_a_bad_weight(loss):
    y, target = suited(loss)
    for bad in (np.nan, np.inf):
        weight = np.where(MASK, STEPS, bad)
        assert loss(y, target, sample_weight=weight, mask=MASK)[0] == loss(y, target, sample_weight=STEPS, mask=MASK)[0]


@ALL
@pytest.mark.parametrize("given", [{"mask": np.zeros((2, 3), bool)}, {"mask": np.zeros((2, 3), bool), "w": STEPS}])
def test_no_real_step_costs_nothing(loss, given):
    y, target = suited(loss)
    value, gradient = loss(y, target, mask=given["mask"], sample_weight=given.get("w"))
    assert value == 0
    assert not gradient.any()
    assert loss(y[:0], target[:0])[0] == 0


@ALL
def test_a_full_mask_and_weights_of_one_change_nothing(loss):
    y, target = suited(loss)
    want = loss(y, target)
    for more in ({"mask": np.ones((2, 3), bool)}, {"sample_weight": np.ones((2, 3))}, {"sample_weight": [1, 1]}):
        got = loss(y, target, **more)
        assert got[0] == want[0]
        np.testing.assert_array_equal(got[1], want[1])


@ALL
def test_the_gradient_keeps_the_dtype_of_y_and_the_inputs_their_numbers(loss):
    # A NumPy scalar for an option would promote, were it not read as a float.
    loss = type(loss)(**{k: np.float64(v) if type(v) is float else v for k, v in dataclasses.asdict(loss).items()})
    y, target = suited(loss)
    for dtype in (np.float32, np.float64):
        given = y.astype(dtype), target.copy(), STEPS.copy(), MASK.copy()
        before = [a.copy() for a in given]
        value, gradient = loss(given[0], given[1], sample_weight=given[2], mask=given[3])
        assert gradient.dtype == dtype
        assert type(value) is float
        for left, right in zip(given, before, strict=True):
            np.testing.assert_array_equal(left, right)


@ALL
def test_float32_gives_the_figures_of_float64(loss):
    y, target = (a.astype(np.float32) for a in suited(loss))
    value, gradient = loss(y, target, sample_weight=STEPS, mask=MASK)
    want, slopes = loss(y.astype(float), target.astype(float), sample_weight=STEPS, mask=MASK)
    # A few float32 operations on numbers around 1, the largest of them 100 / |target| times that.
    assert value == pytest.approx(want, rel=2e-6, abs=1e-6)
    np.testing.assert_allclose(gradient, slopes, rtol=2e-5, atol=2e-6)


def test_a_float32_mean_is_summed_in_float64():
    y = np.full((2**12, 2**12), 0.1, np.float32)
    # One square in float32; a float32 running sum of 2^24 of them would lose most digits.
    assert MSE()(y, np.zeros_like(y))[0] == pytest.approx(float(np.square(np.float32(0.1))), rel=1e-12)


def test_a_whole_number_target_is_read_as_floats():
    assert MSE()(np.array([[1.5], [2.0]]), np.array([1, 4]))[0] == (0.25 + 4) / 2
    assert MAE()(np.array([[0.25], [1.0]]), np.array([False, True]))[0] == 0.125


def test_where_a_distance_has_no_derivative_its_slope_is_zero():
    y, target = np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]])
    np.testing.assert_array_equal(MAE()(y, target)[1], [[0, -0.5]])
    np.testing.assert_array_equal(Quantile(0.25)(y, target)[1], [[0, -0.125]])
    np.testing.assert_array_equal(MAPE()(y, target)[1], [[0, -12.5]])


def test_log_cosh_is_half_a_square_near_the_target_and_a_distance_far_from_it():
    e = np.array([[1e-3, -1e-3, 0.5, -1e4, 1e4]])
    values, slopes = LogCosh().terms(e, np.zeros_like(e))
    np.testing.assert_allclose(
        values, [[5e-7, 5e-7, np.log(np.cosh(0.5)), 1e4 - np.log(2), 1e4 - np.log(2)]], rtol=1e-6
    )
    np.testing.assert_allclose(slopes, np.tanh(e), rtol=1e-15)


def test_the_quantile_loss_is_least_at_the_quantile():
    target = np.arange(1.0, 101)
    for q in (0.1, 0.5, 0.93):
        best = min(target, key=lambda c: Quantile(q)(np.full(100, c), target)[0])
        assert best == pytest.approx(100 * q, abs=1)
    assert Quantile()(target, np.zeros(100))[0] == MAE()(target, np.zeros(100))[0] / 2


def test_several_quantiles_each_have_an_output_and_one_target():
    y, target = Y[..., :1] + [0.3, -0.2, 0.9], TARGET[..., 0]
    value, gradient = Quantile((0.1, 0.5, 0.8))(y, target, sample_weight=STEPS, mask=MASK)
    parts = [Quantile(q)(y[..., k], target, sample_weight=STEPS, mask=MASK) for k, q in enumerate((0.1, 0.5, 0.8))]
    assert value == pytest.approx(np.mean([v for v, _ in parts]), rel=1e-14)
    np.testing.assert_allclose(gradient, np.stack([g for _, g in parts], axis=-1) / 3, rtol=1e-14)
    same = Quantile((0.1, 0.5, 0.8))(y, target[..., None], sample_weight=STEPS, mask=MASK)
    assert same[0] == value


@pytest.mark.parametrize("quantile", [0, 1, -0.5, np.nan, (), (0.1, 1.5)])
def test_what_is_no_quantile_is_refused(quantile):
    with pytest.raises(ValueError, match=r"expected a number (in \(0, 1\)|between 0 and 1)"):
        Quantile(quantile)


@pytest.mark.parametrize("shape", [(4, 2), (3,), (4, 3, 1)])
def test_quantiles_without_an_output_each_are_refused(shape):
    with pytest.raises(ValueError, match=r"has no output for each of 3 quantiles: expected \(..., 3\)"):
        Quantile((0.1, 0.5, 0.9))(np.zeros(shape), np.zeros(shape[:-1]))


def test_a_percentage_is_of_the_target_and_stays_finite_at_zero():
    assert MAPE()(np.array([[90.0], [220.0]]), np.array([100, 200]))[0] == pytest.approx(10, rel=1e-14)
    value, gradient = MAPE()(np.array([[1.0]]), np.array([[0.0]]))
    assert value == pytest.approx(1e9, rel=1e-14)
    assert gradient[0, 0] == pytest.approx(1e9, rel=1e-14)
    assert not MAPE()(np.array([[1.0]]), np.array([[1.0]]))[1].any()


def test_a_squared_logarithmic_error_has_no_slope_below_its_floor():
    value, gradient = MSLE()(np.array([[-3.0, 1.0]]), np.array([[1.0, -3.0]]))
    assert value == pytest.approx((np.log(2) - np.log1p(1e-7)) ** 2, rel=1e-12)
    np.testing.assert_allclose(gradient, [[0, (np.log(2) - np.log1p(1e-7)) / 2]], rtol=1e-12)


@OF_VALUES
@pytest.mark.parametrize(
    ("y", "target"),
    [
        ((4, 1), (4, 4)),
        ((4, 4), (4,)),
        ((4, 1), (1, 4)),
        ((4, 3, 1), (4,)),
        ((4, 3), (3,)),
        ((4, 3), (1, 3)),
        ((4,), (5,)),
    ],
)
def test_shapes_that_would_only_broadcast_are_refused_with_both_of_them(loss, y, target):
    with pytest.raises(ValueError, match="expected the same shape") as error:
        loss(np.zeros(y), np.zeros(target))
    assert str(y) in str(error.value)
    assert str(target) in str(error.value)


@OF_VALUES
@pytest.mark.parametrize("shape", [(), (1,), (3,), (3, 2), (2, 2), (1, 3), (2, 3, 3), (2, 3, 2, 2), (3, 1)])
def test_a_mask_or_weight_that_does_not_lie_over_y_is_refused(loss, shape):
    y, target = suited(loss)
    with pytest.raises(ValueError, match=r"expected the leading axes of y, \(2,\) or \(2, 3\) or \(2, 3, 2\)"):
        loss(y, target, sample_weight=np.ones(shape))
    with pytest.raises(ValueError, match=r"mask .* does not lie over y"):
        loss(y, target, mask=np.ones(shape, bool))


def test_wrong_dtypes_are_refused_with_what_to_do():
    with pytest.raises(TypeError, match="pass y as float32 or float64"):
        MSE()(np.array([[1]]), np.array([[1]]))
    with pytest.raises(TypeError, match="expected real numbers"):
        MSE()(Y, TARGET.astype(str))
    with pytest.raises(TypeError, match="pass `mask != 0`"):
        MSE()(Y, TARGET, mask=MASK.astype(int))


@pytest.mark.parametrize("delta", [0, -1.0, np.nan, np.inf])
def test_huber_refuses_a_delta_that_is_no_distance(delta):
    with pytest.raises(ValueError, match=r"delta is .*, expected a number in \(0, inf\)"):
        Huber(delta)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        *[(name, loss) for loss in losses.ALL for name in loss.names],
        *[
            ("MeanSquaredError", MSE()),
            ("MSE", MSE()),
            ("MeanAbsoluteError", MAE()),
            ("MAE", MAE()),
            ("Huber", Huber()),
            ("MeanAbsolutePercentageError", MAPE()),
            ("MAPE", MAPE()),
            ("MeanSquaredLogarithmicError", MSLE()),
            ("LogCosh", LogCosh()),
            ("Pinball", Quantile()),
            ("BCE", BinaryCrossentropy()),
            ("BinaryCrossentropy", BinaryCrossentropy()),
            ("CategoricalCrossentropy", CategoricalCrossentropy()),
            ("SparseCategoricalCrossentropy", SparseCategoricalCrossentropy()),
        ],
        *[(losses.MeanSquaredError, MSE()), (losses.MeanAbsoluteError(), MAE()), (Huber(2.0), Huber(2.0))],
    ],
)
def test_a_loss_is_found_by_the_names_of_keras_by_class_or_as_itself(name, loss):
    assert losses.get(name) == loss
    assert losses.get(loss.__call__) == loss.__call__  # any function that answers as a loss does


def test_what_is_no_loss_is_refused():
    with pytest.raises(ValueError, match="unknown loss 'mean_square_error'; did you mean 'mean_squared_error'"):
        losses.get("mean_square_error")
    with pytest.raises(TypeError, match="is no loss: expected a name such as 'mse'"):
        losses.get(3)
    with pytest.raises(TypeError, match="is no loss"):
        losses.get(int)


def test_a_loss_has_the_class_name_of_keras_too():
    for name in ("SquaredError", "AbsoluteError", "AbsolutePercentageError", "SquaredLogarithmicError"):
        assert getattr(losses, f"Mean{name}")() == losses.get(f"Mean{name}")
    assert losses.Pinball is Quantile


@ALL
def test_a_loss_is_a_frozen_value(loss):
    assert type(loss)(**dataclasses.asdict(loss)) == loss
    with pytest.raises(dataclasses.FrozenInstanceError):
        loss.delta = 2.0


def test_small_errors_are_not_lost_in_float32():
    # log(cosh(e)) = e^2 / 2 - e^4 / 12 + ...; the sum rounds at eps e, a relative error of 2 eps / e.
    e = np.float32(2) ** -np.arange(3, 11, dtype=np.float32)
    value, slope = LogCosh().terms(e, np.zeros_like(e))
    exact = np.log(np.cosh(e.astype(np.float64)))
    assert (np.abs(value / exact - 1) <= 4 * np.finfo(np.float32).eps / e).all()
    assert value.dtype == slope.dtype == np.float32


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        (BinaryCrossentropy, {"from_logits": 0.1}, "from_logits is 0.1, expected True or False"),
        (SparseCategoricalCrossentropy, {"from_logits": -1}, "from_logits is -1, expected True or False"),
        (CategoricalCrossentropy, {"label_smoothing": "0.1"}, "label_smoothing is '0.1', expected a number"),
        (SparseCategoricalCrossentropy, {"ignore_class": 1.5}, "ignore_class is 1.5, expected a whole number"),
        (SparseCategoricalCrossentropy, {"ignore_class": True}, "ignore_class is True, expected a whole number"),
        (Huber, {"delta": "1"}, "delta is '1', expected a number"),
        (Quantile, {"quantile": "median"}, "quantile is 'median', expected a number"),
    ],
)
def test_options_of_another_type_are_refused(kind, options, sentence):
    with pytest.raises(TypeError, match=sentence):
        kind(**options)


def test_an_option_of_numpy_becomes_a_plain_one():
    assert type(BinaryCrossentropy(np.True_).from_logits) is bool
    assert type(SparseCategoricalCrossentropy(ignore_class=np.int8(-1)).ignore_class) is int
    assert Quantile(np.array([0.1, 0.5])).quantile == (0.1, 0.5)
    assert Quantile(np.array(0.3)) == Quantile(np.float64(0.3)) == Quantile(0.3)
