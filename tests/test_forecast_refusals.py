"""What cannot be forecast is refused in a sentence: sizes, models, gaps."""

import numpy as np
import pytest
from forecast_cases import QUIET, VALUES, hours, made

from rnnkit import Sequential
from rnnkit.callbacks import LambdaCallback
from rnnkit.data import MinMaxScaler, Series
from rnnkit.forecast import Forecaster
from rnnkit.layers import GRU, Bidirectional, Conv1D, Dense, Flatten


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"method": "iterate"}, "unknown method 'iterate'; did you mean 'iterated'?"),
        ({"missing": "cubic"}, "unknown missing 'cubic'. Known are: linear, refuse"),
        ({"scaler": "standart"}, "unknown scaler 'standart'; did you mean 'standard'?"),
        ({"window": 0}, "window is at least 1; got 0"),
        ({"horizon": 0}, "horizon is at least 1; got 0"),
        ({"lead": -1}, "lead is at least 0; got -1"),
        ({"period": 0}, "period is at least 1; got 0"),
    ],
)
def test_arguments_that_mean_nothing_are_refused_at_once(arguments, sentence):
    with pytest.raises(ValueError, match=sentence.replace("?", r"\?")):
        made(**arguments)


def test_things_of_another_kind_are_refused_at_once():
    with pytest.raises(TypeError, match="model is a Sequential; got Dense"):
        Forecaster(Dense(1), window=3, horizon=1)
    with pytest.raises(TypeError, match="scaler is 'standard', 'minmax', None, or StandardScaler or MinMaxScaler"):
        made(scaler=7)
    with pytest.raises(ValueError, match="GRU is stateful: its state would go from one window to another"):
        Forecaster(Sequential([GRU(2, stateful=True), Dense(1)]), window=3, horizon=1)


@pytest.mark.parametrize(
    ("layers", "arguments", "sentence"),
    [
        ([Flatten(), Dense(2)], {}, r"needs a model that makes \(None, 3\) or \(None, 3, 1\) of windows \(None, 6, 1\);"
                                    r" this one makes \(None, 2\): let its last layer be Dense\(3\)"),
        ([Dense(3)], {}, "a Flatten is absent before the first Dense"),
        ([GRU(4, return_sequences=True), Dense(3)], {}, "its last recurrent layer returns sequences"),
        ([Flatten(), Dense(3)], {"method": "iterated"}, r"makes \(None, 1\) or \(None, 1, 1\)"),
        ([GRU(4), Dense(3)], {"method": "seq2seq"}, "let its last recurrent layer return sequences"),
        ([GRU(4, return_sequences=True), Dense(1)], {"method": "seq2seq"}, r"keep every step and end in Dense\(3\)"),
        ([Bidirectional(GRU(2, return_sequences=True)), Dense(3)], {"method": "seq2seq"},
         "output at step 2 changes with step 3"),
        ([Conv1D(4, 3, padding="same"), Dense(3)], {"method": "seq2seq"}, "make its layers causal"),
    ],
)  # fmt: skip
def test_a_model_that_does_not_fit_the_method_is_refused(layers, arguments, sentence):
    forecaster = Forecaster(Sequential(layers, seed=0), window=6, horizon=3, **arguments)
    with pytest.raises(ValueError, match=sentence):
        forecaster.fit(VALUES, **QUIET)
    assert forecaster.report is None


def test_a_causal_convolution_is_a_model_for_every_step():
    forecaster = Forecaster(
        Sequential([Conv1D(4, 3, padding="causal"), Dense(3)], seed=0), window=6, horizon=3, method="seq2seq"
    )
    forecaster.fit(VALUES, **QUIET)


@pytest.mark.parametrize(
    ("series", "arguments", "sentence"),
    [
        (np.where(np.arange(120) % 50 == 7, np.nan, VALUES), {}, r"3 missing values: row 7, row 57, row 107\. Leave"),
        (np.append(VALUES, np.inf), {}, "series has infinity at row 120 of 'series'; only NaN"),
        (np.full(120, 3.0), {}, "constant"),
        (np.zeros((0,)), {}, "series is empty"),
        (VALUES, {"train": 6}, "the training part has 6 rows, and a window and what is learnt from it take 7 rows"),
        (VALUES, {"train": 100, "validation": 5}, "the validation part has 5 rows"),
        (VALUES, {"train": 100, "validation": 15}, r"the test part has 5 rows, .* take a larger share"),
        (VALUES, {"train": 1.2}, r"train is a share in \[0, 1\]"),
        (VALUES, {"dates": np.arange(120)}, "dates are datetime64 or ISO texts"),
        (VALUES, {"dates": ["soon"] * 120}, "dates are datetime64 or ISO texts"),
        (VALUES, {"dates": hours(119)}, "one date for each of the 120 rows"),
        (Series(VALUES, hours(120)), {"dates": hours(120)}, "series brings its own dates"),
        ({"a": VALUES, "b": VALUES[1:]}, {}, "the columns of series have one length; got a: 120, b: 119"),
        ({"a": Series(VALUES, hours(120)), "b": Series(VALUES, hours(120, "2010-01-01"))}, {}, "different dates"),
        ({}, {}, "series has no columns"),
        (VALUES, {"batch_size": 0}, "batch_size is a whole number from 1 up"),
    ],
)  # fmt: skip
def test_a_series_that_cannot_be_learnt_from_is_refused(series, arguments, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        made().fit(series, **QUIET | arguments)


def test_missing_values_are_named_with_their_dates_and_columns():
    table = {"T": VALUES.copy(), "p": VALUES.copy()}
    table["p"][[4, 9]] = np.nan
    with pytest.raises(
        ValueError, match=r"2 missing values: row 4 \(2009-01-01T04\) of 'p', row 9 \(2009-01-01T09\) of 'p'"
    ):
        made().fit(table, dates=hours(120), **QUIET)
    forecaster = made(2, missing="linear")
    forecaster.fit(table, dates=hours(120), **QUIET)
    history = np.array([table["T"], table["p"]]).T[4:20]
    with pytest.raises(ValueError, match="'column 1' begins with a missing value, and its first value is in row 1"):
        forecaster.predict(history)


def test_targets_are_columns_that_there_are():
    two = {"T": VALUES, "p": VALUES}
    for targets, sentence in (
        ("q", "unknown target 'q'"),
        (2, "the columns are 0 to 1; got the target 2"),
        (["T", 0], "every target is named once"),
        ([], "targets is empty"),
    ):
        with pytest.raises(ValueError, match=sentence):
            made(targets=targets).fit(two, **QUIET)
    with pytest.raises(ValueError, match=r"'iterated' reads its own forecasts .* got 1 of 2 as targets"):
        made(targets="T", method="iterated").fit(two, **QUIET)
    with pytest.raises(ValueError, match="4 columns"):
        made(2, scaler=MinMaxScaler(np.zeros(4), np.ones(4))).fit(two, **QUIET)


def test_an_unfitted_forecaster_says_so_and_a_failed_fit_leaves_all_as_it_was():
    forecaster = made()
    for use in (forecaster.predict, forecaster.backtest):
        with pytest.raises(ValueError, match="needs a fitted forecaster"):
            use(VALUES)
    forecaster.fit(VALUES, epochs=1, verbose=0)
    weights, report = forecaster.model.get_weights(), forecaster.report

    class Stop(Exception):
        pass

    def stop(epoch, logs):
        raise Stop

    with pytest.raises(Stop):
        forecaster.fit(VALUES, epochs=3, verbose=0, callbacks=[LambdaCallback(on_epoch_end=stop)])
    assert all(map(np.array_equal, weights, forecaster.model.get_weights()))
    assert forecaster.report is report


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"start": 5}, "origins lie between row 6, after the first window, and row 119, .* got start = 5"),
        ({"start": 120}, "got start = 120"),
        ({"start": 1.5}, r"start is a row, a share of the rows in \[0, 1\], or a date; got 1.5"),
        ({"start": "2009-01-03"}, "start is the date 2009-01-03, and the series has no dates"),
        ({"stride": 0}, "stride is a whole number from 1 up"),
        ({"refit": -1}, "refit is a whole number from 0 up"),
    ],
)
def test_a_backtest_that_cannot_start_is_refused(arguments, sentence):
    forecaster = made()
    forecaster.fit(VALUES, **QUIET)
    with pytest.raises(ValueError, match=sentence):
        forecaster.backtest(VALUES, **arguments)


def test_a_backtest_starts_where_it_is_told_and_warns_of_rows_that_trained():
    forecaster = made()
    forecaster.fit(VALUES, dates=hours(120), **QUIET)
    starts = [forecaster.backtest(VALUES, dates=hours(120), start=s).origins[0]
              for s in (None, 50, 0.5, "2009-01-02T12", np.datetime64("2009-01-03"))]  # fmt: skip
    assert starts == [102, 50, 60, 36, 48]
    assert "52 of the origins lie in the rows that the model was trained or chosen on" in repr(
        forecaster.backtest(VALUES, start=50)
    )
    assert "no test" not in repr(forecaster.backtest(VALUES))
    assert "no test" not in repr(forecaster.backtest(VALUES, dates=hours(120, "2012-01-01"), start=50))
    with pytest.raises(ValueError, match="history has 5 rows; a window takes 6"):
        forecaster.predict(VALUES[:5])


def test_a_part_that_can_be_learnt_from_but_not_scored_is_refused():
    forecaster = made(method="iterated", horizon=8)
    with pytest.raises(ValueError, match="the validation part has 10 rows, and a window with its forecast takes 14"):
        forecaster.fit(VALUES, train=90, validation=10, **QUIET)
