"""Forecasts to beat: recorded figures, and that none of them looks into the future."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.data import (
    linear,
    moving_average,
    naive,
    read_cet,
    read_giss,
    score_baselines,
    scores,
    seasonal_naive,
    windows,
)

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded series are in shared/data beside the checkout")

FORECASTS = {
    "naive": naive,
    "seasonal": lambda series, at, lead: seasonal_naive(series, at, period=7, lead=lead),
    "average": lambda series, at, lead: moving_average(series, at, length=5, lead=lead),
    "linear": lambda series, at, lead: linear(series, at, length=4, train=40, lead=lead),
}


def standardised(values):
    return (values - values.mean()) / values.std()


@needs_data
def test_the_recorded_figures_of_the_station_come_out():
    series = standardised(read_giss(DATA / "station.csv").values[:840])
    made = score_baselines(series, np.arange(792, 840), length=24, train=792, period=12)
    assert made["naive"]["mae"] == pytest.approx(0.5609, abs=5e-5)
    assert made["seasonal naive"]["mae"] == pytest.approx(0.2540, abs=5e-5)


@needs_data
def test_the_recorded_figure_of_central_england_comes_out():
    series = standardised(read_cet(DATA / "tdaily_cet.txt.gz").values)
    at = np.arange(80_000, len(series))
    assert scores(series[at], naive(series, at))["mae"] == pytest.approx(0.25136, abs=5e-6)


def test_the_recorded_figures_of_the_synthetic_series_come_out():
    t = np.arange(4 * 365 + 1)
    u = (t % 365) / 365
    pattern = np.where(u < 0.4, np.cos(2 * np.pi * u), np.exp(-3 * u))
    series = 10 + 0.09 * t + 15 * pattern + 6 * np.random.RandomState(42).randn(len(t))
    at = np.arange(1000, 1461)
    last, average = naive(series, at), moving_average(series, at, length=30)
    assert scores(series[at], last)["mae"] == pytest.approx(6.8993, abs=5e-5)
    assert scores(series[at], average)["mae"] == pytest.approx(5.53284, abs=5e-5)
    assert scores(series[at], average)["rmse"] ** 2 == pytest.approx(49.0444, abs=5e-4)


@pytest.mark.parametrize("forecast", FORECASTS.values(), ids=FORECASTS)
@given(lead=st.integers(0, 12), row=st.integers(45, 60), columns=st.sampled_from([None, 2]), seed=st.integers(0, 99))
def test_no_baseline_sees_a_row_that_was_not_known(forecast, lead, row, columns, seed):
    rng = np.random.default_rng(seed)
    series = rng.normal(size=60 if columns is None else (60, columns))
    changed = series.copy()
    changed[max(row - lead, 40) :] += 1e3  # rows 0 .. 39 are the training part of the linear forecast
    assert np.array_equal(forecast(series, [row], lead=lead), forecast(changed, [row], lead=lead))


@pytest.mark.parametrize("forecast", FORECASTS.values(), ids=FORECASTS)
@pytest.mark.parametrize("lead", [0, 1, 6, 7, 8, 20])
def test_the_rows_after_the_end_can_be_forecast_and_no_further(forecast, lead):
    series = np.random.default_rng(1).normal(size=60)
    longer = np.append(series, np.zeros(lead + 1))
    assert np.array_equal(forecast(series, [60 + lead], lead=lead), forecast(longer, [60 + lead], lead=lead))
    with pytest.raises(ValueError, match=f"to {60 + lead} can be forecast from 60 rows; got {61 + lead}"):
        forecast(series, [61 + lead], lead=lead)


@given(lead=st.integers(0, 30), period=st.integers(1, 13))
def test_a_seasonal_forecast_is_the_latest_known_value_of_the_season(lead, period):
    at = np.arange(60, 80)
    rows = seasonal_naive(np.arange(80.0), at, period=period, lead=lead)
    known = at - lead - 1
    assert ((at - rows) % period == 0).all()
    assert (rows <= known).all()
    assert (rows > known - period).all()


def test_a_linear_forecast_finds_a_linear_law_with_its_bias():
    series = [1.0, 2.0]
    for _ in range(200):
        series.append(1.5 * series[-1] - 0.9 * series[-2] + 4.0)
    at = np.arange(150, 202)
    for lead in (0, 3):
        assert linear(series, at, length=2, train=150, lead=lead) == pytest.approx(np.array(series)[at], abs=1e-8)


@pytest.mark.parametrize("n", [60, 9000])
def test_a_linear_forecast_is_the_least_squares_fit_of_all_training_windows(n):
    series = np.random.default_rng(2).normal(size=(n, 2)).cumsum(axis=0)
    train, length, lead = n - 10, 5, 2
    past, future = windows(series[:train], length, lead=lead)
    ones = np.ones((len(past), 1))
    weights = np.linalg.lstsq(np.hstack([past.reshape(len(past), -1), ones]), future[:, 0], rcond=None)[0]
    at = np.arange(train, n)
    inputs = np.array([np.append(series[t - lead - length : t - lead], 1.0) for t in at])
    # The condition number is a few hundred on 9,000 rows of a random walk: far inside 1e-8 of float64's 2e-16.
    assert linear(series, at, length=length, train=train, lead=lead) == pytest.approx(inputs @ weights, rel=1e-8)


def test_a_horizon_is_scored_with_what_the_window_knew():
    series = np.arange(100.0)
    made = score_baselines(series, [50, 60], length=10, period=12, lead=2, horizon=3)
    assert made["naive"]["mae"] == pytest.approx((3 + 4 + 5) / 3)
    assert made["seasonal naive"]["mae"] == 12
    assert made["moving average"]["mae"] == pytest.approx((3 + 4 + 5) / 3 + 4.5)
    assert "linear" not in made


def test_scores_are_those_of_the_definition():
    assert scores([0.0, 0.0], [3.0, -4.0]) == {"mae": 3.5, "rmse": pytest.approx(np.sqrt(12.5))}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: naive(np.ones(9), [0]), "lead 0 and 1 rows of past, rows 1 to 9 can be forecast from 9 rows; got 0"),
        (lambda: moving_average(np.ones(9), [4], length=4, lead=1), "rows 5 to 10 can be forecast from 9 rows; got 4"),
        (lambda: seasonal_naive(np.ones(40), [12], period=12, lead=12), "rows 24 to 52 can be forecast .* got 12"),
        (lambda: seasonal_naive(np.ones(40), [12], period=0), "period is at least 1; got 0"),
        (lambda: linear(np.ones(40), [39], length=5, train=5), "6 to 40 rows for a window of 5 with lead 0; got 5"),
        (lambda: linear(np.ones(40), [39], length=5, train=41), "train is 6 to 40 rows .* got 41"),
        (lambda: naive(np.ones(9), []), r"at is a list of rows \(K,\), whole numbers; got float64 \(0,\)"),
        (lambda: naive(np.ones(9), [1.5]), r"at is a list of rows"),
        (lambda: naive([1.0, np.nan], [2]), "series has NaN at row 1"),
        (lambda: score_baselines(np.ones(40), [38], length=5, horizon=3), "reach row 40; the series ends at row 39"),
        (lambda: scores(np.ones(3), np.ones((3, 1))), r"one shape; got \(3,\) and \(3, 1\)"),
        (lambda: scores([], []), "truth is empty"),
        (lambda: scores([1.0], [np.nan]), "forecast has NaN at row 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_forecast_or_scored_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
