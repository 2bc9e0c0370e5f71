"""Nothing that comes after an origin changes a forecast made there, whatever the method, the scale and the gaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import Sequential
from rnnkit.data import fill_missing
from rnnkit.forecast import Forecaster
from rnnkit.forecast.rows import read_rows
from rnnkit.forecast.seen import seen
from rnnkit.layers import GRU, BatchNormalization, Dense

WINDOW, HORIZON, LEAD, D, N = 7, 3, 2, 2, 110
SIZES = {"window": WINDOW, "horizon": HORIZON, "lead": LEAD, "period": 6}
FIT = {"train": 60, "validation": 20, "epochs": 1, "verbose": 0}
METHODS = ("direct", "iterated", "seq2seq")
SCALERS = ("standard", "minmax", None)
few = settings(max_examples=12, derandomize=True, deadline=None)


def model(method, seed=0):
    answers = D if method == "iterated" else D * HORIZON
    layers = [GRU(3, return_sequences=method == "seq2seq"), BatchNormalization(), Dense(answers)]
    return Sequential(layers, dtype="float64", seed=seed)


def table(seed, gaps=False):
    rng = np.random.default_rng(seed)
    values = 10 * rng.standard_normal((N, D)).cumsum(axis=0)
    if gaps:
        values[rng.random((N, D)) < 0.15] = np.nan
        values[0] = 1.0
        values[58:63, 0] = np.nan  # across the end of the training part
    return values


def permuted(values, row, rng):
    values[row:] = values[row:][rng.permutation(len(values) - row)]


def shifted(values, row, rng):
    values[row:] += 1e6


def emptied(values, row, rng):
    values[row:] = np.nan


def filled(values, row, rng):
    values[row:] = rng.standard_normal(values[row:].shape)


def fitted(method, scaler, values, missing):
    forecaster = Forecaster(model(method), method=method, scaler=scaler, missing=missing, **SIZES)
    forecaster.fit(values, **FIT)
    return forecaster


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "with gaps"])
def test_permuting_the_future_never_changes_a_forecast(method, scaler, gaps):
    values = table(3, gaps)
    forecaster = fitted(method, scaler, values, "linear" if gaps else "refuse")
    before = forecaster.backtest(values, start=WINDOW + 6)
    rng = np.random.default_rng(0)
    for change in (permuted, shifted, filled, *([emptied] if gaps else [])):
        for origin in (40, 59, 60, 61, 62, 63, 77, 100):
            other = values.copy()
            change(other, origin, rng)
            after = forecaster.backtest(other, start=WINDOW + 6)
            known = before.origins <= origin
            assert before.origins[known][-1] == origin
            for name, forecast in before.forecasts.items():
                assert np.array_equal(forecast[known], after.forecasts[name][known]), (change.__name__, origin, name)


@pytest.mark.parametrize("method", METHODS)
def test_a_forecast_is_the_same_where_the_future_has_not_happened_yet(method):
    values = table(4, gaps=True)
    forecaster = fitted(method, "standard", values, "linear")
    made = forecaster.backtest(values, start=WINDOW + 6)
    for k in range(0, len(made), 5):
        alone = forecaster.predict(values[: made.origins[k]])
        # One window at a time and many give sums in another order.
        assert made.forecast[k] == pytest.approx(alone, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "with gaps"])
def test_nothing_is_learnt_from_rows_after_the_training_part(method, scaler, gaps):
    values = table(5, gaps)
    missing = "linear" if gaps else "refuse"
    one = fitted(method, scaler, values, missing)
    rng = np.random.default_rng(1)
    for change in (permuted, shifted, filled):
        other = values.copy()
        change(other, 60, rng)
        two = fitted(method, scaler, other, missing)
        assert all(map(np.array_equal, one.model.get_weights(), two.model.get_weights()))
        assert np.array_equal(one.scale.origin, two.scale.origin)
        assert np.array_equal(one.scale.unit, two.scale.unit)
        history = values[:60]
        assert np.array_equal(one.predict(history), two.predict(history))
        made = [f.backtest(values, start=50).forecasts["linear"] for f in (one, two)]
        assert np.array_equal(*made)


@pytest.mark.parametrize("method", METHODS)
def test_the_test_part_changes_neither_training_nor_what_watches_over_it(method):
    values = table(6, gaps=True)
    other = values.copy()
    other[80:] = 1e5
    one, two = (fitted(method, "standard", part, "linear") for part in (values, other))
    assert one.report.history.history == two.report.history.history
    for name, forecast in one.report.validation.forecasts.items():
        assert np.array_equal(forecast, two.report.validation.forecasts[name])
    # What was the truth of the test part is compared with, and nothing else.
    assert one.report.test.score(target=0) != two.report.test.score(target=0)


@pytest.mark.parametrize("change", [permuted, shifted, emptied])
def test_training_anew_reads_nothing_after_its_origin(change):
    values = table(7, gaps=True)
    forecaster = fitted("direct", "standard", values, "linear")
    other = values.copy()
    change(other, 95, np.random.default_rng(0))
    before, after = (forecaster.backtest(part, start=85, stride=5, refit=True) for part in (values, other))
    known = before.origins <= 95
    assert known.sum() == 3
    for name, forecast in before.forecasts.items():
        assert np.array_equal(forecast[known], after.forecasts[name][known])
    assert not np.array_equal(before.forecast[~known], after.forecast[~known])


@given(seed=st.integers(0, 999), share=st.sampled_from([0.1, 0.5, 0.8]))
@few
def test_a_gap_is_a_line_once_it_has_ended_and_until_then_holds_the_last_value(seed, share):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((25, 2))
    values[rng.random(values.shape) < share] = np.nan
    values[0] = 0.0
    filled_at = seen(read_rows(values))
    for origin in range(1, 26):
        part = values[:origin].copy()
        for column in part.T:
            last = np.flatnonzero(~np.isnan(column))[-1]
            column[last:] = column[last]
        made = filled_at.past(np.array([origin]), origin)[0]
        assert made == pytest.approx(fill_missing(part), rel=1e-12, abs=1e-12)
        measured = ~np.isnan(values[:origin])
        assert np.array_equal(made[measured], values[:origin][measured])


def test_a_gap_teaches_nothing_by_itself_and_is_not_scored():
    values = np.arange(100.0)
    values[[30, 31, 32, 95]] = np.nan
    network = Sequential([GRU(2), Dense(2)], dtype="float64", seed=0)
    forecaster = Forecaster(network, window=5, horizon=2, missing="linear", period=3)
    report = forecaster.fit(values, **FIT)
    # Windows of 5 and 2 in 60 rows are 54; at the origins 30 and 31 both rows to learn are missing.
    assert report.parts[0].windows == 54 - 2
    assert "2 windows did not train: all that they would learn is missing." in repr(report)
    assert np.isnan(report.test.truth).sum() == 2
    assert list(report.test.scores["naive"].count[:, 0]) == [13, 13]
    assert "2 of 28 values are missing and not scored." in repr(report.test)
    # The last value is one behind at the first step and two at the second, and one more after the gap in row 95.
    errors = [1] * 12 + [2] + [2] * 12 + [3]
    assert report.test.score("naive")["mae"] == pytest.approx(np.mean(errors))


def test_what_is_learnt_in_a_gap_lies_on_its_line_and_ends_with_the_training_part():
    values = np.arange(100.0)
    values[[20, 21, 58, 59, 60]] = np.nan

    class Spy(Sequential):
        def fit(self, x, **other):
            self.learnt = {int(past[0, 0]): y.tolist() for xs, ys in x for past, y in zip(xs, ys, strict=True)}
            return super().fit(x, **other)

    spy = Spy([GRU(2), Dense(1)], dtype="float64", seed=0)
    forecaster = Forecaster(spy, window=4, horizon=1, lead=0, missing="linear", scaler=None)
    forecaster.fit(values, **FIT)
    assert spy.learnt[13] == [17]
    assert 16 not in spy.learnt  # it would learn row 20
    two = Spy([GRU(2), Dense(2)], dtype="float64", seed=0)
    forecaster = Forecaster(two, window=4, horizon=2, missing="linear", scaler=None)
    forecaster.fit(values, **FIT)
    assert two.learnt[15] == [19, 20]  # row 20 lies on the line
    assert 16 not in two.learnt
    assert two.learnt[17] == [21, 22]
    assert two.learnt[53] == [57, 57]  # row 58 holds the last value: what ends its gap is no part of training
    assert 54 not in two.learnt


def test_a_row_of_which_one_target_is_measured_still_teaches():
    values = np.stack([np.arange(100.0), -np.arange(100.0)], axis=1)
    values[30, 0] = values[40, 1] = np.nan
    values[50] = np.nan
    network = Sequential([GRU(2), Dense(2)], dtype="float64", seed=0)
    forecaster = Forecaster(network, window=5, horizon=1, missing="linear")
    report = forecaster.fit(values, **FIT)
    assert report.parts[0].windows == 55 - 1
