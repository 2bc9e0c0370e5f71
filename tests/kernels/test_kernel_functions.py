"""The functions of a step on arrays: exact, quiet at their ends, and analytic for the complex step."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import EPS, TINY, steady

from rnnkit_kernels.textbook import functions
from rnnkit_kernels.textbook.functions import Arrays

F = Arrays()
LINE = np.concatenate([np.linspace(-30, 30, 4001), np.linspace(-1e-3, 1e-3, 101), [0.0, -0.0]])


def test_erf_is_the_error_function_within_3e_16() -> None:
    expected = np.array([math.erf(v) for v in LINE])
    assert np.abs(F.erf(LINE) - expected).max() <= 3e-16
    np.testing.assert_array_equal(F.erf(np.array([np.inf, -np.inf, 30.0, -30.0])), [1, -1, 1, -1])


@steady(max_examples=300)
@given(a=st.floats(-12, 12))
def test_erf_is_the_error_function_anywhere(a: float) -> None:
    assert abs(F.erf(np.array([a]))[0] - math.erf(a)) <= 3e-16


def test_erf_keeps_its_digits_near_0() -> None:
    a = np.array([1e-300, 1e-17, 1e-9, 4e-5, 1e-2, 0.3, 0.74, 0.76])
    np.testing.assert_allclose(F.erf(a), [math.erf(v) for v in a], rtol=4 * EPS, atol=0)


def test_erf_is_odd_to_the_last_bit() -> None:
    a = LINE[np.abs(LINE) > 0]
    np.testing.assert_array_equal(F.erf(-a), -F.erf(a))


def test_sigmoid_is_quiet_and_right_over_all_that_a_double_can_tell_apart() -> None:
    a = np.linspace(-800, 800, 3201)
    with warnings.catch_warnings(), np.errstate(over="ignore"):  # as the layers call it
        warnings.simplefilter("error")
        y = F.sigmoid(a)
    # exp(-a) is correct to an EPS or two; adding 1 and the reciprocal round once each.
    small = a > -709
    expected = np.array([1 / (1 + math.exp(-v)) for v in a[small]])
    np.testing.assert_allclose(y[small], expected, rtol=4 * EPS, atol=0)
    np.testing.assert_array_equal(y[a <= -710], 0)
    assert (np.diff(y) >= 0).all()


@pytest.mark.parametrize("a", [-5.0, -30.0, -100.0, -700.0])
def test_sigmoid_keeps_its_digits_in_the_left_tail(a: float) -> None:
    expected = math.exp(a) / (1 + math.exp(a))
    assert abs(F.sigmoid(np.array([a]))[0] / expected - 1) <= 4 * EPS


def test_sigmoid_does_not_write_into_its_argument() -> None:
    a = np.linspace(-3, 3, 7)
    before = a.copy()
    F.sigmoid(a)
    np.testing.assert_array_equal(a, before)


def test_softplus_neither_overflows_nor_loses_its_tail() -> None:
    a = np.array([-800.0, -700.0, -100.0, -30.0, -1.0, 0.0, 1.0, 30.0, 100.0, 800.0, 1e300])
    with np.errstate(all="raise", under="ignore"):
        y = F.softplus(a)
    expected = [math.log1p(math.exp(v)) if v < 0 else v + math.log1p(math.exp(-v)) for v in a]
    np.testing.assert_allclose(y, expected, rtol=4 * EPS, atol=0)


def test_softmax_is_a_distribution_at_any_size() -> None:
    rows = np.array([[1.0, 2.0, 3.0], [1000.0, 1001.0, 1002.0], [-1e300, 0.0, 1e300], [-800.0, -800.0, -800.0]])
    with np.errstate(all="raise", under="ignore"):
        y = F.softmax(rows)
    e = [math.exp(k - 3) for k in (1, 2, 3)]
    usual = [v / sum(e) for v in e]
    np.testing.assert_allclose(y, [usual, usual, [0, 0, 1], [1 / 3] * 3], rtol=4 * EPS, atol=0)


def test_softmax_runs_over_the_units_alone() -> None:
    a = np.random.default_rng(0).standard_normal((4, 3, 5))
    for t in range(4):
        for b in range(3):
            np.testing.assert_array_equal(F.softmax(a)[t, b], F.softmax(a[t, b]))


@pytest.mark.parametrize(
    "name", ["sigmoid", "tanh", "relu", "erf", "softplus", "softmax", "exp", "log", "sqrt", "rsqrt", "abs"]
)
def test_nan_passes_and_is_never_hidden(name: str) -> None:
    assert np.isnan(getattr(F, name)(np.array([[np.nan]]))).all()


def test_nan_passes_the_functions_of_two_values() -> None:
    nan, one = np.array([np.nan]), np.array([1.0])
    for f in (F.maximum, F.minimum):
        assert np.isnan(f(nan, one)).all()
        assert np.isnan(f(one, nan)).all()
    assert not F.less(nan, one).any()
    assert np.isnan(F.mean(nan[None], one[None])).all()
    assert np.isnan(F.standardize(nan[None], epsilon=1e-5)[0][0]).all()


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("sigmoid", 0, 1),
        ("tanh", -1, 1),
        ("relu", 0, np.inf),
        ("erf", -1, 1),
        ("softplus", 0, np.inf),
        ("exp", 0, np.inf),
        ("abs", np.inf, np.inf),
    ],
)
def test_infinity_goes_where_the_function_goes(name: str, low: float, high: float) -> None:
    with np.errstate(all="raise", over="ignore"):
        np.testing.assert_array_equal(getattr(F, name)(np.array([-np.inf, np.inf])), [low, high])


def test_relu_has_slope_0_at_0_and_takes_no_sign_from_there() -> None:
    a = np.array([-2.0, -0.0, 0.0, 3.0])
    np.testing.assert_array_equal(F.relu(a), [0, 0, 0, 3])
    assert not np.signbit(F.relu(a)).any()
    np.testing.assert_array_equal(F.back("relu", F.relu(a), a, np.ones(4)), [0, 0, 0, 1])


def test_mean_is_over_the_units_of_all_its_arguments() -> None:
    a, b = np.random.default_rng(1).standard_normal((2, 3, 4))
    np.testing.assert_allclose(F.mean(a, b), np.concatenate([a, b], axis=1).mean(axis=1, keepdims=True), rtol=1e-14)
    assert F.mean(a).shape == (3, 1)
    np.testing.assert_allclose(F.sum(a), a.sum(axis=1)[:, None], rtol=1e-14)


def test_standardize_gives_mean_0_and_variance_1_over_all_its_arguments_together() -> None:
    a, b = 3 + 2 * np.random.default_rng(1).standard_normal((2, 3, 4))
    (y, w), rstd = F.standardize(a, b, epsilon=1e-3)
    both = np.concatenate([a, b], axis=1)
    expected = 1 / np.sqrt(both.var(axis=1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(rstd, expected, rtol=1e-14)
    np.testing.assert_allclose(
        np.concatenate([y, w], axis=1), (both - both.mean(axis=1, keepdims=True)) * expected, rtol=1e-13
    )


def test_a_row_without_variance_is_standardized_to_0() -> None:
    (y,), rstd = F.standardize(np.full((2, 3), 7.0), epsilon=1e-4)
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_allclose(rstd, 100, rtol=1e-14)


@pytest.mark.parametrize("name", ["matmul", "matmul_t"])
def test_an_inner_product_belongs_to_a_recurrence(name: str) -> None:
    with pytest.raises(NotImplementedError, match="an inner product needs a recurrence"):
        getattr(F, name)(np.ones((1, 2)), "n")


# Derivatives by their formulas, independent of the rules that the adjoints are made from. Points keep off the kinks.
POINTS = np.array([-7.5, -2.2, -0.7, -0.1, 0.05, 0.4, 1.3, 3.6, 8.1])
AHEAD = np.array([0.05, 0.4, 1.3, 3.6, 8.1])
DERIVATIVES: dict[str, tuple[Any, np.ndarray]] = {
    "sigmoid": (lambda a: math.exp(-a) / (1 + math.exp(-a)) ** 2, POINTS),
    "tanh": (lambda a: 1 / math.cosh(a) ** 2, POINTS),
    "relu": (lambda a: float(a > 0), POINTS),
    "erf": (lambda a: 2 / math.sqrt(math.pi) * math.exp(-a * a), POINTS),
    "softplus": (lambda a: 1 / (1 + math.exp(-a)), POINTS),
    "abs": (lambda a: math.copysign(1, a), POINTS),
    "exp": (math.exp, POINTS),
    "log": (lambda a: 1 / a, AHEAD),
    "sqrt": (lambda a: 0.5 / math.sqrt(a), AHEAD),
    "rsqrt": (lambda a: -0.5 * a**-1.5, AHEAD),
}


def complex_slope(function: Any, a: Any, direction: Any) -> Any:
    return function(a + 1j * TINY * direction).imag / TINY


@pytest.mark.parametrize("name", DERIVATIVES)
def test_a_complex_step_through_a_function_is_its_derivative(name: str) -> None:
    derivative, points = DERIVATIVES[name]
    expected = np.array([derivative(float(v)) for v in points])
    slope = complex_slope(getattr(F, name), points, 1.0)
    # erf's value is a sum of 28 Chebyshev terms: its slope carries their rounding, of the size of 1.
    np.testing.assert_allclose(slope, expected, rtol=1e-14, atol=1e-14 if name == "erf" else 0)
    np.testing.assert_allclose(getattr(F, name)(points + 0j).real, getattr(F, name)(points), rtol=4 * EPS, atol=EPS)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_a_complex_step_takes_the_side_that_the_real_part_takes(name: str) -> None:
    a, b = np.array([1.0, 2.0, -3.0]), np.array([2.0, 1.0, -4.0])
    first = (a > b) if name == "maximum" else (a < b)
    f = getattr(F, name)
    np.testing.assert_array_equal(complex_slope(lambda v: f(v, b), a, 1.0), first)
    np.testing.assert_array_equal(complex_slope(lambda v: f(a, v), b, 1.0), ~first)
    np.testing.assert_array_equal(F.less(a + 5j, b - 5j), a < b)
    np.testing.assert_array_equal(
        complex_slope(lambda v: F.where(F.less(v, b), v, 2 * v), a, 1.0), np.where(a < b, 1, 2)
    )


def test_a_complex_step_through_what_sees_a_row_is_its_derivative() -> None:
    rng = np.random.default_rng(2)
    a, v, w = rng.standard_normal((3, 2, 4))
    y = F.softmax(a)
    along = (y * v).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(complex_slope(F.softmax, a, v), y * (v - along), rtol=0, atol=1e-15)
    np.testing.assert_allclose(complex_slope(F.mean, a, v), v.mean(axis=1, keepdims=True), rtol=0, atol=1e-15)
    np.testing.assert_allclose(complex_slope(F.sum, a, v), v.sum(axis=1, keepdims=True), rtol=0, atol=1e-15)

    def weighed(values: Any) -> Any:
        (y,), rstd = F.standardize(values, epsilon=1e-2)
        return (y * w).sum() + rstd.sum()

    (y,), rstd = F.standardize(a, epsilon=1e-2)
    through_y = rstd * (v - v.mean(axis=1, keepdims=True) - y * (y * v).mean(axis=1, keepdims=True))
    through_rstd = -(rstd**2) * (y * v).mean(axis=1, keepdims=True)
    expected = (through_y * w).sum() + through_rstd.sum()
    assert complex_slope(weighed, a, v) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", DERIVATIVES)
def test_a_function_gives_back_the_dtype_and_shape_that_it_gets(name: str, dtype: Any) -> None:
    a = np.abs(np.random.default_rng(3).standard_normal((3, 2, 5))).astype(dtype) + dtype(0.1)
    y = getattr(F, name)(a)
    assert (y.dtype, y.shape) == (dtype, a.shape)
    # In single precision the same value to single rounding; erf's Chebyshev sum rounds its 28 terms.
    exact = getattr(F, name)(a.astype(np.float64))
    np.testing.assert_allclose(y, exact, rtol=32 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_of_a_row_and_of_two_values_keep_the_dtype(dtype: Any) -> None:
    a, b = np.random.default_rng(3).standard_normal((2, 3, 5)).astype(dtype)
    (y, w), rstd = F.standardize(a, b, epsilon=1e-5)
    values = [y, w, rstd, F.softmax(a), F.mean(a, b), F.sum(a), F.maximum(a, b), F.minimum(a, 1), F.where(a < b, a, 0)]
    assert {v.dtype for v in values} == {np.dtype(dtype)}


def test_every_function_of_a_step_is_tested_here() -> None:
    tested = {*DERIVATIVES, "maximum", "minimum", "less", "where", "mean", "sum", "standardize", "softmax"}
    tested |= {"matmul", "matmul_t", "apply", "back"}
    assert {name for name in dir(Arrays) if not name.startswith("_")} == tested
    assert functions.__all__ == ["Arrays"]


def test_a_hard_sigmoid_is_flat_at_both_of_its_ends():
    a = np.array([-3.0, np.nextafter(-3, 0), 0.0, np.nextafter(3, 0), 3.0])
    F = Arrays()
    y = F.apply("hard_sigmoid", a)
    np.testing.assert_allclose(y, [0, 0, 0.5, 1, 1], atol=1e-15)
    np.testing.assert_allclose(F.back("hard_sigmoid", y, a, np.ones(5)), [0, 1 / 6, 1 / 6, 1 / 6, 0], rtol=1e-12)
