"""Series, gaps, splits, scales and the generated temperature."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.data import (
    MinMaxScaler,
    Series,
    StandardScaler,
    chronological_split,
    fill_missing,
    hourly_temperature,
    windows,
)

SCALERS = pytest.mark.parametrize("scaler", [StandardScaler, MinMaxScaler])
NAN = np.nan


def test_a_series_says_in_one_line_what_it_is():
    dates = np.datetime64("1950-01") + np.arange(3)
    assert (
        repr(Series([1.0, NAN, 2.0], dates, "T", "degC", 12))
        == "Series(T, 3 values, 1 missing, degC, 1950-01 to 1950-03, period 12)"
    )
    assert repr(Series([1.0])) == "Series(unnamed, 1 values)"


def test_a_series_cannot_be_changed_and_does_not_change_with_its_source():
    source = np.array([1.0, 2.0])
    series = Series(source)
    source[0] = 9.0
    assert series.values[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        series.values[0] = 3.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        series.name = "other"


def test_array_functions_take_a_series_for_its_values():
    past, future = windows(Series([1.0, 2.0, 3.0]), 2)
    assert past.ravel().tolist() == [1.0, 2.0]
    assert future.ravel().tolist() == [3.0]


@pytest.mark.parametrize(
    ("values", "dates", "sentence"),
    [
        (np.ones((2, 2)), None, r"values is one series \(N,\); got shape \(2, 2\)"),
        ([], None, "values is empty"),
        ([1.0, 2.0], np.array(["2000-01"], "datetime64[M]"), r"dates are datetime64 of shape \(2,\)"),
        ([1.0], [2000], "dates are datetime64"),
    ],
)
def test_a_series_that_does_not_fit_together_is_refused(values, dates, sentence):
    with pytest.raises(ValueError, match=sentence):
        Series(values, dates)


def test_gaps_are_filled_along_straight_lines_column_by_column():
    values = np.array([[0.0, 5.0], [NAN, 6.0], [NAN, NAN], [3.0, 8.0]])
    assert fill_missing(values).tolist() == [[0, 5], [1, 6], [2, 7], [3, 8]]
    assert np.isnan(values).sum() == 3
    assert fill_missing([1, 2]).dtype == np.float64


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([NAN, NAN], "all 2 values are missing"),
        ([[1.0, NAN], [2.0, NAN]], "all 2 values of column 1 are missing"),
        ([NAN, 1.0, 2.0], "known from row 1 to row 2 only, of 0 to 2; cut the series to those rows"),
        ([1.0, 2.0, NAN], "known from row 0 to row 1 only, of 0 to 2"),
        ([[1.0, NAN], [2.0, 1.0]], "the values of column 1 are known from row 1 to row 1 only"),
        ([1.0, NAN, np.inf], "values has infinity at row 2; only NaN is filled"),
        ([], "values is empty"),
    ],
)
def test_gaps_that_no_line_can_fill_are_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        fill_missing(values)


@given(n=st.integers(2, 200), train=st.floats(0.5, 1.0), validation=st.floats(0.0, 0.5))
def test_a_split_keeps_every_row_once_and_in_order(n, train, validation):
    values = np.arange(n)
    if train + validation > 1:
        validation = 0
    parts = chronological_split(values, train, validation)
    assert np.array_equal(np.concatenate(parts), values)
    assert all(np.shares_memory(part, values) for part in parts if len(part))


def test_a_split_takes_shares_and_counts():
    def sizes(n, *parts):
        return [len(part) for part in chronological_split(np.zeros(n), *parts)]

    assert sizes(420_451, 0.5, 0.25) == [210_225, 105_112, 105_114]
    assert sizes(100, 0.29, 0.0) == [29, 0, 71]
    assert sizes(840, 792, 48) == [792, 48, 0]
    assert sizes(20) == [14, 3, 3]


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ((1.5,), r"train is a share in \[0, 1\] or a whole number of rows; got 1.5"),
        ((0.5, -0.1), r"validation is a share in \[0, 1\]"),
        ((0.8, 0.3), "train = 0.8 and validation = 0.3 take 11 rows of 10"),
        ((11, 0), "take 11 rows of 10"),
        ((0.01,), "train = 0.01 of 10 rows leaves nothing to train on"),
        ((5, -1), "validation is at least 0; got -1"),
        ((float("nan"),), "train is a share"),
    ],
)
def test_a_split_that_does_not_add_up_is_refused(parts, sentence):
    with pytest.raises(ValueError, match=sentence):
        chronological_split(np.zeros(10), *parts)


@SCALERS
@given(seed=st.integers(0, 99), columns=st.sampled_from([None, 3]))
def test_a_scale_is_undone_by_its_inverse(scaler, seed, columns):
    rng = np.random.default_rng(seed)
    values = rng.normal(5, 20, 30 if columns is None else (30, columns))
    fitted = scaler.fit(values[:20])
    assert fitted.inverse(fitted.transform(values)) == pytest.approx(values, rel=1e-12, abs=1e-12)
    error = np.abs(fitted.transform(values) - fitted.transform(values[:1])).mean(axis=0)
    assert fitted.inverse_error(error) == pytest.approx(np.abs(values - values[:1]).mean(axis=0))


def test_scales_come_from_the_training_part():
    train = np.array([[0.0, 10.0], [2.0, 30.0]])
    standard, span = StandardScaler.fit(train), MinMaxScaler.fit(train)
    assert standard.transform(train).tolist() == [[-1, -1], [1, 1]]
    assert span.transform(train).tolist() == [[0, 0], [1, 1]]
    assert span.transform([[4.0, 50.0]]).tolist() == [[2, 2]]


@SCALERS
def test_one_column_of_a_scale_serves_a_forecast_of_that_column(scaler):
    table = np.random.default_rng(0).normal(size=(20, 3))
    fitted = scaler.fit(table)
    one = fitted.column(1)
    assert np.array_equal(one.transform(table[:, 1]), fitted.transform(table)[:, 1])
    assert one.inverse(np.zeros((4, 1))).shape == (4, 1)
    windowed = fitted.transform(np.zeros((2, 5, 3)))
    assert windowed.shape == (2, 5, 3)


@SCALERS
@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        ([0.1] * 7, r"the training part is constant \(0.1\) and has no scale"),
        ([[1.0, 3.0], [2.0, 3.0]], r"column 1 of the training part is constant \(3\)"),
        ([1.0, NAN], "the training part has NaN at row 1"),
        ([], "the training part is empty"),
        (np.ones((2, 2, 2)), "the training part is one series"),
    ],
)
def test_a_training_part_without_a_scale_is_refused(scaler, train, sentence):
    with pytest.raises(ValueError, match=sentence):
        scaler.fit(train)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: StandardScaler(0.0, 0.0), "std is positive; got 0.0"),
        (lambda: StandardScaler([0.0], [1.0, 2.0]), "mean and std are finite and of one shape"),
        (lambda: MinMaxScaler(1.0, 1.0), "high is larger than low"),
        (lambda: MinMaxScaler(0.0, np.inf), "low and high are finite"),
        (lambda: StandardScaler([0.0, 0.0], [1.0, 1.0]).transform(np.ones((4, 1))), r"got values of shape \(4, 1\)"),
        (lambda: StandardScaler([0.0, 0.0], [1.0, 1.0]).column(2), "2 columns, from 0; got column 2"),
    ],
)  # fmt: skip
def test_a_scale_that_does_not_fit_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_the_generated_temperature_is_that_of_the_course():
    series = hourly_temperature()
    np.random.seed(7)  # noqa: NPY002 - the listing seeds the global generator
    n = 24 * 200
    listing = np.linspace(0, 0.005 * n, n) + 5 * np.sin(np.linspace(0, 200 * 2 * np.pi, n))
    listing = listing + np.random.normal(0, 0.5, n)  # noqa: NPY002
    assert np.array_equal(series.values, listing)
    assert (len(series), series.unit, series.period) == (4800, "degC", 24)


def test_the_generated_temperature_refuses_what_gives_no_series():
    with pytest.raises(ValueError, match="days is at least 1; got 0"):
        hourly_temperature(0)
    with pytest.raises(ValueError, match=r"seed is below 2\*\*32"):
        hourly_temperature(seed=2**32)
