"""The recipes on weather run as a reader would run them, and learn what a broken gradient would not let them learn."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from recipe_runs import DATA, EXAMPLES, needs, quick

from rnnkit import Sequential
from rnnkit.data import fill_missing, read_cet, read_table
from rnnkit.layers import LSTM, Dense

JENA, ENGLAND = DATA / "jena_hourly_2009_2016.csv.gz", DATA / "tdaily_cet.txt.gz"


@pytest.fixture
def jena(monkeypatch):
    """The recipe as a module: its windows, its derived columns."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import jena

    return jena


@pytest.mark.slow
@needs(JENA.name)
def test_eight_networks_learn_the_temperature_of_jena_a_day_ahead(tmp_path):
    _, rows = quick("jena", tmp_path, "--data", DATA)
    assert rows.pop("common sense, as now") == pytest.approx([2.632, 2.688], abs=5e-4)
    assert rows.pop("linear") == pytest.approx([2.670, 2.832], abs=5e-4)
    most = {"Conv1D(8) x 3 and pooling": 4.8, "LSTM(16)": 4.8, "LSTM(16), 12 variables": 4.8}
    assert len(rows) == 8
    assert {name: values for name, values in rows.items() if values[0] > most.get(name, 3.7)} == {}


@needs(JENA.name)
def test_windows_of_jena_forecast_the_hour_a_day_after_their_last_as_recorded(jena):
    table = read_table(JENA, ["T", "wv"])
    degrees = table.values[:, 0]
    train, *held = jena.parts(table.values, degrees, 256)
    assert train.samples == 34_900
    errors = [np.concatenate([np.abs(x[:, -1, :1] - y) for x, y in part]).mean() for part in held]
    assert errors == pytest.approx([2.44, 2.62], abs=5e-3)
    x, y = next(iter(held[1]))
    first = 35_019 + 17_509
    np.testing.assert_array_equal(x[0, :, 0], degrees[first : first + 120].astype(np.float32))
    np.testing.assert_array_equal(y[0, 0], degrees[first + 119 + 24].astype(np.float32))


def test_training_on_windows_takes_memory_for_batches_and_not_for_all_windows(jena):
    rng = np.random.default_rng(0)
    series = rng.standard_normal((20_000, 6))
    parts = jena.parts(series, series[:, 0], 64)
    windows = parts[0].samples * 120 * 6 * 4
    model = Sequential([LSTM(4), Dense(1)], seed=0)
    model.compile("rmsprop", "mse")
    model.fit(jena.parts(series[:2000], series[:2000, 0], 64)[0], verbose=0)  # compiles
    tracemalloc.start()
    try:
        for _ in parts[0]:
            pass
        cutting = tracemalloc.get_traced_memory()[1]
        model.fit(parts[0], verbose=0)
        training = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert cutting < series.nbytes < windows / 20
    assert training < 2 * series.nbytes


def test_the_derived_columns_of_jena_are_those_of_the_ten_minute_file(jena):
    class Row(dict):
        def __getitem__(self, name):
            return type("Column", (), {"values": np.array([super().__getitem__(name)])})

    # The first row of the ten-minute file: 2009-01-01 00:10, with the columns that the hourly file leaves out.
    e, deficit, humidity, concentration, potential, density = jena.derived(Row(T=-8.02, p=996.52, rh=93.3, VPmax=3.33))[
        0
    ]
    assert (e, deficit) == pytest.approx((3.11, 0.22), abs=0.006)
    assert (humidity, concentration) == pytest.approx((1.94, 3.12), abs=0.01)
    assert potential == pytest.approx(265.40, abs=0.02)
    assert density == pytest.approx(1307.75, abs=0.1)


@pytest.mark.slow
@needs(ENGLAND.name)
def test_a_gap_of_two_months_is_filled_better_by_networks_that_see_both_of_its_sides(tmp_path):
    _, rows = quick("imputation", tmp_path, "--data", DATA)
    assert rows["a straight line"][0] == pytest.approx(straight_line_over_gaps(), rel=1e-9)
    usual, fading = rows["the mean of the day"][0], rows["the mean, departures fading"][0]
    assert fading < usual < rows["a straight line"][0] < rows["the last known value"][0]
    for name in ("GRU(32), forward", "GRU(32), backward"):
        assert rows[name][0] < usual - 0.03
    for name in ("forward and backward, joined", "bidirectional GRU(32)"):
        assert rows[name][0] < fading
        assert rows[name][1] < usual - 0.3


def straight_line_over_gaps():
    """The mean error of `fill_missing` over gaps of 60 days, ten days apart, that have 60 known days on both sides."""
    values = read_cet(ENGLAND).values
    errors = []
    for first in range(80_000, len(values) - 180 + 1, 10):
        part = values[first : first + 180].copy()
        part[60:120] = np.nan
        errors.append(np.abs(fill_missing(part) - values[first : first + 180])[60:120])
    return np.mean(errors)
