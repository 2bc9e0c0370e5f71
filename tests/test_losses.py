"""Losses against Keras 3.15.1 (torch backend, all in float64), against their own differences, and at the border."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import losses
from rnnkit.losses import MAE, MSE, Huber

Y = np.array([((5 * k) % 13 - 6) / 4 for k in range(12)]).reshape(2, 3, 2)
TARGET = np.array([((3 * k) % 7 - 3) / 4 for k in range(12)]).reshape(2, 3, 2)
STEPS = np.array([[0.5, 2.0, 0.0], [1.0, 4.0, 0.25]])
SAMPLES = np.array([0.5, 3.0])
MASK = np.array([[True, True, False], [False, True, False]])
ALL = pytest.mark.parametrize("loss", losses.ALL, ids=lambda loss: type(loss).__name__)

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
def cases(draw):
    """(y, target, weight, mask): errors at least 0.1 away from 0 and from 1, where a loss may have a kink."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    target = rng.normal(size=shape)
    near, far = rng.uniform(0.1, 0.9, shape), rng.uniform(1.1, 3, shape)
    y = target + np.where(rng.random(shape) < 0.5, near, far) * rng.choice([-1, 1], shape)
    rank = st.none() | st.integers(1, len(shape))
    weight = None if (axes := draw(rank)) is None else rng.uniform(0, 2, shape[:axes])
    mask = None if (axes := draw(rank)) is None else rng.random(shape[:axes]) < draw(st.sampled_from([0, 0.6, 1]))
    return y, target, weight, mask


def difference(f, y, entry, h=1e-3):
    """df/dy[entry] by five points; its error is O(h^4), and 0 for polynomials up to the fourth degree."""

    def at(steps):
        moved = y.copy()
        moved[entry] += steps * h
        return f(moved)

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)


@ALL
@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_the_gradient_is_the_derivative_of_the_value(loss, case):
    y, target, weight, mask = case
    _, gradient = loss(y, target, sample_weight=weight, mask=mask)
    # Rounding of a difference: 1.5 eps |L| / h < 1e-11 for |L| < 20.
    for entry in np.ndindex(y.shape):
        slope = difference(lambda y: loss(y, target, sample_weight=weight, mask=mask)[0], y, entry)
        assert gradient[entry] == pytest.approx(slope, rel=1e-9, abs=1e-11)


@ALL
@settings(max_examples=30, deadline=None)
@given(case=cases())
def test_behind_a_mask_anything_may_stand(loss, case):
    y, target, weight, mask = case
    if mask is None:
        mask = np.zeros(y.shape[0], bool)
    want = loss(y, target, sample_weight=weight, mask=mask)
    hidden = np.broadcast_to(~mask.reshape(mask.shape + (1,) * (y.ndim - mask.ndim)), y.shape)
    for junk in (np.nan, np.inf):
        got = loss(np.where(hidden, junk, y), np.where(hidden, junk, target), sample_weight=weight, mask=mask)
        assert got[0] == want[0]
        np.testing.assert_array_equal(got[1], want[1])
    assert not want[1][hidden].any()


@ALL
def test_a_mask_hides_a_bad_weight(loss):
    weight = np.where(MASK, STEPS, np.nan)
    assert loss(Y, TARGET, sample_weight=weight, mask=MASK)[0] == loss(Y, TARGET, sample_weight=STEPS, mask=MASK)[0]


@ALL
@pytest.mark.parametrize("given", [{"mask": np.zeros((2, 3), bool)}, {"mask": np.zeros((2, 3), bool), "w": STEPS}])
def test_no_real_step_costs_nothing(loss, given):
    value, gradient = loss(Y, TARGET, mask=given["mask"], sample_weight=given.get("w"))
    assert value == 0
    assert not gradient.any()
    assert loss(Y[:0], TARGET[:0])[0] == 0


@ALL
def test_a_full_mask_and_weights_of_one_change_nothing(loss):
    want = loss(Y, TARGET)
    for more in ({"mask": np.ones((2, 3), bool)}, {"sample_weight": np.ones((2, 3))}, {"sample_weight": [1, 1]}):
        got = loss(Y, TARGET, **more)
        assert got[0] == want[0]
        np.testing.assert_array_equal(got[1], want[1])


@ALL
def test_the_gradient_keeps_the_dtype_of_y_and_the_inputs_their_numbers(loss):
    # A NumPy scalar for delta would promote, were it not read as a float.
    loss = Huber(np.float64(0.5)) if isinstance(loss, Huber) else loss
    for dtype in (np.float32, np.float64):
        given = Y.astype(dtype), TARGET.copy(), STEPS.copy(), MASK.copy()
        value, gradient = loss(given[0], given[1], sample_weight=given[2], mask=given[3])
        assert gradient.dtype == dtype
        assert type(value) is float
        for left, right in zip(given, (Y, TARGET, STEPS, MASK), strict=True):
            np.testing.assert_array_equal(left, right)


def test_a_float32_mean_is_summed_in_float64():
    y = np.full((2**12, 2**12), 0.1, np.float32)
    # One square in float32; a float32 running sum of 2^24 of them would lose most digits.
    assert MSE()(y, np.zeros_like(y))[0] == pytest.approx(float(np.square(np.float32(0.1))), rel=1e-12)


def test_a_whole_number_target_is_read_as_floats():
    assert MSE()(np.array([[1.5], [2.0]]), np.array([1, 4]))[0] == (0.25 + 4) / 2
    assert MAE()(np.array([[0.25], [1.0]]), np.array([False, True]))[0] == 0.125


def test_the_slope_of_mae_is_zero_on_the_target():
    np.testing.assert_array_equal(MAE()(np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]]))[1], [[0, -0.5]])


@ALL
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


@ALL
@pytest.mark.parametrize("shape", [(), (1,), (3,), (3, 2), (2, 2), (1, 3), (2, 3, 3), (2, 3, 2, 2), (3, 1)])
def test_a_mask_or_weight_that_does_not_lie_over_y_is_refused(loss, shape):
    with pytest.raises(ValueError, match=r"expected the leading axes of y, \(2,\) or \(2, 3\) or \(2, 3, 2\)"):
        loss(Y, TARGET, sample_weight=np.ones(shape))
    with pytest.raises(ValueError, match=r"mask .* does not lie over y"):
        loss(Y, TARGET, mask=np.ones(shape, bool))


def test_wrong_dtypes_are_refused_with_what_to_do():
    with pytest.raises(TypeError, match="pass y as float32 or float64"):
        MSE()(np.array([[1]]), np.array([[1]]))
    with pytest.raises(TypeError, match="expected real numbers"):
        MSE()(Y, TARGET.astype(str))
    with pytest.raises(TypeError, match="pass `mask != 0`"):
        MSE()(Y, TARGET, mask=MASK.astype(int))


@pytest.mark.parametrize("delta", [0, -1.0, np.nan, np.inf])
def test_huber_refuses_a_delta_that_is_no_distance(delta):
    with pytest.raises(ValueError, match="expected a positive finite distance"):
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


@ALL
def test_a_loss_is_a_frozen_value(loss):
    assert type(loss)(**dataclasses.asdict(loss)) == loss
    with pytest.raises(dataclasses.FrozenInstanceError):
        loss.delta = 2.0
