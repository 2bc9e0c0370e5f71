"""What a forecaster tells: scores beside the baselines, tables, pictures."""

import struct
from pathlib import Path

import numpy as np
import pytest

from rnnkit import Sequential
from rnnkit.data import Series, Table, hourly_temperature, read_giss, score_baselines, windows
from rnnkit.forecast import Forecaster, Scores
from rnnkit.forecast.methods import Direct
from rnnkit.forecast.rivals import Linear
from rnnkit.forecast.seen import Seen
from rnnkit.layers import GRU, Dense, Flatten

STATION = Path(__file__).resolve().parents[2] / "shared" / "data" / "station.csv"
QUIET = {"verbose": 0}


def flat(answer, seed=0):
    return Sequential([Flatten(), Dense(answer)], dtype="float64", seed=seed)


@pytest.mark.parametrize(("horizon", "lead"), [(1, 0), (3, 2), (14, 0)])
def test_the_baselines_are_those_of_the_data_package(horizon, lead):
    series = hourly_temperature(days=20)
    forecaster = Forecaster(flat(horizon), window=10, horizon=horizon, lead=lead, period=12)
    report = forecaster.fit(series, train=300, validation=60, epochs=0, **QUIET)
    sizes = {"length": 10, "lead": lead, "horizon": horizon}
    for part in (report.validation, report.test):
        wanted = score_baselines(series, part.origins + lead, period=12, **sizes)
        if horizon == 1:  # with more steps `score_baselines` has some windows more to fit each of them to
            wanted |= score_baselines(series, part.origins + lead, train=300, **sizes)
        for name, score in wanted.items():
            assert part.score(name) == pytest.approx(score, rel=1e-9)
        assert list(part.scores) == ["model", "naive", "moving average", "seasonal naive", "linear"]


def test_scores_leave_out_what_is_missing_and_keep_units_apart():
    rng = np.random.default_rng(0)
    truth, forecast = rng.standard_normal((2, 30, 4, 2))
    truth[3:9, 1, 0] = np.nan
    truth[:, 2, 1] = np.nan
    made = Scores.of(truth, forecast)
    error = forecast - truth
    there = [0, 1, 3]
    assert made.mae[:, 0] == pytest.approx(np.nanmean(np.abs(error[..., 0]), axis=0))
    assert made.rmse[there, 1] == pytest.approx(np.sqrt(np.square(error[:, there, 1]).mean(axis=0)))
    assert np.isnan(made.mae[2, 1])
    assert made.count[1, 0] == 24
    assert made.over_all(1)["mae"] == pytest.approx(np.nanmean(np.abs(error[..., 1])))
    assert made.over_all(0)["rmse"] == pytest.approx(np.sqrt(np.nanmean(np.square(error[..., 0]))))


def test_columns_have_names_units_and_scores_of_their_own():
    rng = np.random.default_rng(0)
    warm = Series(10 + rng.standard_normal(200), None, "T", "degC", 24)
    table = {"T": warm, "p": 1000 + 50 * rng.standard_normal(200)}
    forecaster = Forecaster(flat(2), window=5, horizon=1, targets=("p", "T"))
    report = forecaster.fit(table, epochs=1, **QUIET)
    assert report.test.targets == ("p", "T")
    assert report.test.units == ("", "degC")
    assert report.test.score("naive", "p")["mae"] > 10 > report.test.score("naive", "T")["mae"]
    assert np.array_equal(report.test.truth[0, 0], [table["p"][175], warm.values[175]])
    assert forecaster.predict(table).shape == (1, 2)
    assert "T, degC" in repr(report)
    with pytest.raises(ValueError, match="name one of the targets p, T: their errors have no common mean"):
        report.test.score()


def test_a_report_fits_a_terminal_and_says_who_is_best():
    forecaster = Forecaster(flat(12), window=24, horizon=12, lead=3)
    report = forecaster.fit(hourly_temperature(days=30), epochs=5, **QUIET)
    text = repr(report)
    assert max(map(len, text.splitlines())) <= 80
    for word in ("direct: 24 steps in, 3 left out, 12 forecast", "train", "validation", "test MAE", "seasonal naive",
                 "linear least squares", "hourly temperature, degC", "MAE by step ahead", "15"):  # fmt: skip
        assert word in text
    best = min(report.test.scores, key=lambda name: report.test.score(name)["mae"])
    assert ("The model is best" in text) == (best == "model")
    assert "Linear least squares is best on the test part; the model is" in text


def test_an_uncompiled_model_is_compiled_and_told_and_a_compiled_one_is_left_alone():
    values = hourly_temperature(days=8).values
    forecaster = Forecaster(flat(1), window=6, horizon=1)
    assert "Adam with its defaults, loss mse, metric mae" in repr(forecaster.fit(values, epochs=1, **QUIET))
    model = flat(1)
    model.compile("sgd", "huber")
    optimizer = model.optimizer
    assert "compiled" not in repr(Forecaster(model, window=6, horizon=1).fit(values, epochs=1, **QUIET))
    assert model.optimizer is optimizer
    assert list(model.history.history) == ["loss", "val_loss"]


@pytest.mark.slow
@pytest.mark.skipif(not STATION.exists(), reason="the station table is not beside the checkout")
@pytest.mark.parametrize(
    ("method", "layers"),
    [
        ("direct", [GRU(16), Dense(6)]),
        ("iterated", [GRU(16), Dense(1)]),
        ("seq2seq", [GRU(16, return_sequences=True), Dense(6)]),
    ],
    ids=["direct", "iterated", "seq2seq"],
)
def test_each_method_beats_the_last_value_and_the_average_on_the_stations_months(method, layers):
    forecaster = Forecaster(Sequential(layers, seed=0), window=24, horizon=6, method=method)
    report = forecaster.fit(read_giss(STATION), epochs=12, **QUIET)
    assert report.parts[2].first == "row 765 (2013-10)"
    own = report.test.score()["mae"]
    assert own < 1.8  # an untrained network is off by more than 4 degC
    assert own < 0.4 * report.test.score("naive")["mae"]
    assert own < 0.4 * report.test.score("moving average")["mae"]
    made = forecaster.backtest(read_giss(STATION), start="2020-01")
    assert str(made.dates[0, 0]) == "2020-01"


@pytest.mark.parametrize("sums", [1, 2], ids=["a random walk", "a smooth series"])
def test_the_linear_baseline_is_the_least_squares_fit_of_all_training_windows(sums):
    values = 1e3 + np.random.default_rng(2).normal(size=(3000, 2))
    for _ in range(sums):
        values = (values - values.mean(axis=0)).cumsum(axis=0)
    method = Direct(20, 3, 2, (1,), 2)
    made = Linear.fitted(method, Seen(values), values, np.arange(20, 2900 - 5 + 1))
    past, future = windows(values[:2900], 20, 3, lead=2)
    scaled = ((past - values.mean(axis=0)) / values.std(axis=0)).reshape(len(past), -1)
    inputs = np.hstack([scaled, np.ones((len(past), 1))])
    wanted = inputs @ np.linalg.lstsq(inputs, future[..., 1], rcond=None)[0]
    # The products of a smooth series' windows have a condition near 1e12: without the rounds on the errors a forecast
    # would be off by 1e-9 of the values, with them by no more than least squares on the windows themselves, 1e-14.
    assert made(past) == pytest.approx(wanted, rel=0, abs=1e-12 * np.abs(values).max())


def test_a_window_too_wide_for_the_linear_baseline_leaves_it_out_and_says_so():
    values = np.random.default_rng(0).standard_normal((120, 100))
    forecaster = Forecaster(flat(1), window=41, horizon=1, targets=0)
    report = forecaster.fit(values, train=70, validation=0, epochs=0, **QUIET)
    assert list(report.test.scores) == ["model", "naive", "moving average"]
    text = repr(report)
    assert "The linear baseline is left out" in text
    assert "No season is known, so there is no seasonal baseline: period= gives one." in text


def test_a_table_of_the_data_package_brings_names_units_dates_and_season():
    hours = np.datetime64("2009-01-01", "h") + np.arange(200)
    values = 10 + np.random.default_rng(0).standard_normal((200, 2))
    table = Table(values, hours, ("T", "p"), ("degC", "mbar"), 24)
    forecaster = Forecaster(flat(2), window=5, horizon=2, targets="p")
    report = forecaster.fit(table, epochs=0, **QUIET)
    assert (report.test.targets, report.test.units) == (("p",), ("mbar",))
    assert report.test.dates[0, 0] == hours[report.test.origins[0]]
    assert "seasonal naive" in report.test.scores
    assert np.array_equal(forecaster.predict(table), forecaster.predict(values))


def png_size(path):
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", content[16:24])


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_the_picture_of_the_windows_shows_window_lead_and_horizon_and_needs_no_fit(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the extra rnnkit[plot]")
    forecaster = Forecaster(flat(6), window=24, horizon=6, lead=3)
    figure = forecaster.picture(hourly_temperature(days=20), tmp_path / "windows.png")
    assert png_size(tmp_path / "windows.png") == (1596, 864)
    above, below = figure.axes
    assert titles(figure)[1] == "One window: 24 steps in, 3 left out, 6 forecast"
    assert [text.get_text() for text in above.texts] == ["train, 336 rows", "validation, 72 rows", "test, 72 rows"]
    lines = {line.get_label(): line.get_xdata() for line in below.lines}
    # The last window of the training part: 33 rows that end with row 335.
    assert list(lines["window, 24"]) == list(range(303, 327))
    assert list(lines["left out, 3"]) == [327, 328, 329]
    assert list(lines["forecast, 6"]) == list(range(330, 336))
    bars = [list(line.get_xdata()) for line in above.lines[1:]]
    assert sorted(bars)[:2] == [[0, 23], [27, 32]]
    assert len(bars) == 12


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_backtest_draws_its_forecasts_and_its_errors(horizon, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the extra rnnkit[plot]")
    forecaster = Forecaster(flat(horizon), window=24, horizon=horizon)
    report = forecaster.fit(hourly_temperature(days=20), epochs=1, **QUIET)
    figure = report.plot(tmp_path / "report.png", step=horizon)
    assert png_size(tmp_path / "report.png")[0] == 1596
    first, second, _ = titles(figure)
    assert first.startswith(f"hourly temperature: {horizon} step")
    assert second == ("Error by step" if horizon > 1 else "Mean absolute error")
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert np.array_equal(lines["truth"], report.test.truth[:, horizon - 1, 0])
    assert np.array_equal(lines["model"], report.test.forecast[:, horizon - 1, 0])
    with pytest.raises(ValueError, match=f"the steps of this forecast are 1 to {horizon}; got 6"):
        report.plot(step=6)
    with pytest.raises(ValueError, match=r"unknown target 'T'\. Known are: hourly temperature"):
        report.plot(target="T")


def test_a_report_without_a_part_kept_out_has_no_score_and_says_so():
    report = Forecaster(flat(1), window=5, horizon=1).fit(np.sin(np.arange(50.0)), train=1.0, validation=0, epochs=0,
                                                          **QUIET)  # fmt: skip
    assert [part.name for part in report.parts] == ["train"]
    assert "train  45 windows  row 0 to row 49" in repr(report)
    with pytest.raises(ValueError, match="all rows trained and none was kept out: there is no score"):
        report.plot()


def test_a_model_that_answers_at_every_step_of_a_window_as_long_as_its_horizon_is_told_how_it_is_read():
    values = hourly_temperature(days=8)
    said = []
    for layers in ([GRU(2, return_sequences=True), Dense(1)], [GRU(2), Dense(6)]):
        forecaster = Forecaster(Sequential(layers, seed=0), window=6, horizon=6)
        said.append("as many steps as it reads" in repr(forecaster.fit(values, epochs=0, **QUIET)))
    assert said == [True, False]
