"""A forecaster does what a loop by hand does, in original units, beside the baselines."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnkit
from rnnkit import Sequential
from rnnkit.callbacks import EarlyStopping
from rnnkit.data import (
    MinMaxScaler,
    StandardScaler,
    hourly_temperature,
)
from rnnkit.forecast import Forecaster
from rnnkit.forecast.cuts import WindowBatches, inside
from rnnkit.forecast.methods import Direct, SequenceToSequence
from rnnkit.forecast.seen import Seen
from rnnkit.layers import Dense, Flatten, Reshape, SimpleRNN, TimeDistributed

STATION = Path(__file__).resolve().parents[2] / "shared" / "data" / "station.csv"
QUIET = {"verbose": 0}
few = settings(max_examples=20, derandomize=True, deadline=None)


def flat(answer, seed=0, **other):
    return Sequential([Flatten(), Dense(answer)], dtype="float64", seed=seed, **other)


def whole_numbers(model, window, columns, seed=0):
    """The model with weights that make its arithmetic exact on small whole numbers."""
    rng = np.random.default_rng(seed)
    model.build((None, window, columns))
    model.set_weights([rng.integers(-3, 4, w.shape).astype(float) for w in model.get_weights()])
    return model


class Spy(Sequential):
    """A model that keeps the batches it was given to learn from."""

    def fit(self, x, **other):
        self.learnt = list(x)
        self.watched = [] if other["validation_data"] is None else list(other["validation_data"])
        return super().fit(x, **other)


@given(
    window=st.integers(1, 6), horizon=st.integers(1, 4), lead=st.integers(0, 3),
    targets=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True), seed=st.integers(0, 99),
)  # fmt: skip
@few
def test_direct_forecasts_are_those_of_a_loop_by_hand(window, horizon, lead, targets, seed):
    values = np.random.default_rng(seed).integers(-9, 10, (60, 3)).astype(float)
    model = whole_numbers(flat(horizon * len(targets)), window, 3, seed)
    W, b = model.get_weights()
    forecaster = Forecaster(model, window=window, horizon=horizon, lead=lead, targets=targets, scaler=None)
    forecaster.fit(values, train=30, validation=15, epochs=0, **QUIET)
    made = forecaster.backtest(values, start=20, stride=3)
    for k, origin in enumerate(range(20, 60 - lead - horizon + 1, 3)):
        by_hand = (values[origin - window : origin].ravel() @ W + b).reshape(horizon, len(targets))
        assert made.origins[k] == origin
        assert np.array_equal(made.forecast[k], by_hand)
        first = origin + lead
        assert np.array_equal(made.truth[k], values[first : first + horizon][:, targets])
    assert len(made) == k + 1


def test_a_forecast_of_some_columns_comes_back_in_the_units_of_those_columns():
    values = np.random.default_rng(0).standard_normal((60, 3)) * [1, 10, 100] + [5, 50, 500]
    model = flat(4)
    forecaster = Forecaster(model, window=5, horizon=2, targets=(2, 0))
    forecaster.fit(values, train=40, validation=0, epochs=0, **QUIET)
    W, b = model.get_weights()
    mean, std = values[:40].mean(axis=0), values[:40].std(axis=0)
    answer = (((values[-5:] - mean) / std).ravel() @ W + b).reshape(2, 2)
    wanted = answer * std[[2, 0]] + mean[[2, 0]]
    assert forecaster.predict(values) == pytest.approx(wanted, rel=1e-12)


@given(window=st.integers(1, 5), horizon=st.integers(1, 4), lead=st.integers(0, 3), turned=st.booleans())
@few
def test_iterated_forecasts_read_their_own_forecasts(window, horizon, lead, turned):
    values = np.random.default_rng(1).integers(-3, 4, (50, 2)).astype(float)
    targets = [1, 0] if turned else [0, 1]
    model = whole_numbers(flat(2), window, 2)
    W, b = model.get_weights()
    forecaster = Forecaster(
        model, window=window, horizon=horizon, lead=lead, scaler=None, method="iterated", targets=targets
    )
    forecaster.fit(values, epochs=0, train=30, validation=0, **QUIET)
    past, answers = list(values), []
    for _ in range(lead + horizon):
        answer = np.array(past[-window:]).ravel() @ W + b
        past.append(answer[np.argsort(targets)])
        answers.append(answer)
    assert np.array_equal(forecaster.predict(values), np.array(answers[lead:]))


def test_a_sequence_to_sequence_forecast_is_the_answer_after_the_last_step_of_a_recurrence_by_hand():
    values = np.sin(np.arange(60.0))
    model = Sequential([SimpleRNN(1, return_sequences=True), TimeDistributed(Dense(3))], dtype="float64", seed=3)
    forecaster = Forecaster(model, window=8, horizon=3, lead=1, method="seq2seq")
    forecaster.fit(values, train=42, validation=0, epochs=2, **QUIET)
    W, U, b, V, c = model.get_weights()
    mean, std = values[:42].mean(), values[:42].std()
    h = np.zeros(1)
    for x in (values[-8:] - mean) / std:
        h = np.tanh(x * W[0] + h @ U + b)
    # A dozen sums of a few numbers of size one, in float64.
    assert forecaster.predict(values)[:, 0] == pytest.approx((h @ V + c) * std + mean, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("method", ["direct", "iterated", "seq2seq"])
def test_every_window_and_what_it_learns_lies_in_one_part(method):
    rows = np.arange(100.0)  # each value is its row
    layers = {
        "direct": [Flatten(), Dense(3)],
        "iterated": [Flatten(), Dense(1)],
        "seq2seq": [SimpleRNN(2, return_sequences=True), Dense(3)],
    }[method]
    model = Spy(layers, dtype="float64", seed=0)
    forecaster = Forecaster(model, window=6, horizon=3, lead=2, scaler=None, method=method)
    report = forecaster.fit(rows, train=60, validation=20, epochs=1, **QUIET)
    span = {"direct": 11, "iterated": 7, "seq2seq": 11}[method]
    for batches, begin, end in ((model.learnt, 0, 60), (model.watched, 60, 80)):
        x, y = (np.concatenate(part) for part in zip(*batches, strict=True))
        assert len(x) == end - begin - span + 1
        assert sorted(x[:, 0, 0]) == list(range(begin, end - span + 1))
        for past, future in zip(x[..., 0], y, strict=True):
            together = np.concatenate([past, future.ravel()])
            assert begin <= together.min() <= together.max() < end
            first = past[0] + 6
            wanted = {
                "direct": first + 2 + np.arange(3),
                "iterated": first + np.arange(1),
                "seq2seq": past[:, None] + 3 + np.arange(3),
            }[method]
            assert np.array_equal(future, wanted)
    assert report.test.origins[0] - 6 == 80
    assert report.validation.truth.max() == 79
    assert [(part.begin, part.end) for part in report.parts] == [(0, 60), (60, 80), (80, 100)]


def test_the_scale_is_that_of_the_training_part_alone():
    values = np.concatenate([np.arange(70.0), np.full(30, 1e6)])
    for scaler, origin, unit in (
        ("standard", np.arange(70).mean(), np.arange(70).std()),
        (MinMaxScaler, 0, 69),
        (StandardScaler(np.float64(5), np.float64(2)), 5, 2),
        (None, 0, 1),
    ):
        forecaster = Forecaster(flat(1), window=5, horizon=1, scaler=scaler)
        report = forecaster.fit(values, epochs=0, **QUIET)
        assert (forecaster.scale.origin, forecaster.scale.unit) == (origin, unit)
        assert ("The scale was given" in repr(report)) == isinstance(scaler, StandardScaler)


def test_a_model_may_answer_with_an_axis_for_the_steps():
    values = np.random.default_rng(0).standard_normal((80, 2))
    flat_answer, stepwise = flat(6), Sequential([Flatten(), Dense(6), Reshape((3, 2))], dtype="float64", seed=0)
    made = []
    for model in (flat_answer, stepwise):
        forecaster = Forecaster(model, window=4, horizon=3)
        forecaster.fit(values, epochs=2, **QUIET)
        made.append(forecaster.predict(values))
    assert made[0].shape == (3, 2)
    assert np.array_equal(*made)


def test_prediction_is_the_backtest_at_the_end_and_needs_one_window_of_history():
    series = hourly_temperature(days=10)
    forecaster = Forecaster(flat(4), window=12, horizon=4)
    forecaster.fit(series, epochs=2, **QUIET)
    made = forecaster.backtest(series, start=200, stride=7)
    for origin, forecast in zip(made.origins, made.forecast, strict=True):
        # One row at a time and many give sums in another order: a few times 2e-16 of values of ten.
        assert forecaster.predict(series.values[:origin]) == pytest.approx(forecast, rel=1e-12)
        assert np.array_equal(forecaster.predict(series.values[origin - 12 : origin]),
                              forecaster.predict(series.values[:origin]))  # fmt: skip


def test_training_anew_at_an_origin_is_a_fit_on_what_was_known_there():
    values = hourly_temperature(days=8).values
    arguments = {"epochs": 3, "seed": 5, "batch_size": 8, **QUIET}
    forecaster = Forecaster(flat(2), window=6, horizon=2, period=24)
    forecaster.fit(values, train=100, validation=20, callbacks=[EarlyStopping(patience=1)], **arguments)
    weights, scale = forecaster.model.get_weights(), forecaster.scale
    made = forecaster.backtest(values, start=150, stride=10, refit=2)
    assert all(map(np.array_equal, weights, forecaster.model.get_weights()))
    assert forecaster.scale is scale
    for k in range(0, len(made), 2):
        origin = int(made.origins[k])
        train = origin * 100 // 120
        fresh = Forecaster(flat(2), window=6, horizon=2, period=24)
        fresh.fit(values[:origin], train=train, validation=origin - train, callbacks=[EarlyStopping(patience=1)],
                  **arguments)  # fmt: skip
        again = fresh.backtest(values, start=origin, stride=10)
        for name, forecast in made.forecasts.items():
            assert forecast[k : k + 2] == pytest.approx(
                again.forecasts[name][:2][: len(forecast[k : k + 2])], rel=1e-12
            )
    assert "trained anew at every 2th origin" not in repr(made)
    assert "at every second origin" in repr(made)


def test_the_same_seeds_give_the_same_forecasts_and_another_seed_another_order():
    values = hourly_temperature(days=8).values
    made = []
    for seed in (1, 1, 2):
        forecaster = Forecaster(flat(2), window=6, horizon=2)
        forecaster.fit(values, epochs=2, seed=seed, **QUIET)
        made.append(forecaster.predict(values))
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


def test_windows_are_cut_batch_by_batch_and_never_stand_in_memory_together():
    values = np.random.default_rng(0).standard_normal((20_000, 1))
    method = Direct(120, 24, 0, (0,), 1)
    batches = WindowBatches(Seen(values), values, inside(0, len(values), 120, 24), method, (24,), 32, 0)
    tracemalloc.start()
    count = sum(len(x) for x, _ in batches)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000 - 143
    assert peak < 2e6  # all windows take 19 MB, the series 0.16 MB


def test_every_pass_has_a_new_order_and_all_windows():
    values = np.arange(40.0)[:, None]
    method = SequenceToSequence(5, 2, 0, (0,), 1)
    batches = WindowBatches(Seen(values), values, inside(0, 40, 5, 2), method, (5, 2), 8, 7)
    first, second = ([int(k) for x, _ in batches for k in x[:, 0, 0]] for _ in range(2))
    assert len(batches) == 5
    assert first != second
    assert sorted(first) == sorted(second) == list(range(34))


def test_a_package_brings_the_forecaster_when_it_is_asked_for():
    assert rnnkit.forecast.Forecaster is Forecaster
