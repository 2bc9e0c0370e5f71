"""Rows are at equal steps of time, or refused with the place."""

import numpy as np
import pytest
from forecast_cases import QUIET, VALUES, few, hours, made
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.forecast.spacing import spacing, spelled


@given(
    unit=st.sampled_from(["Y", "M", "W", "D", "h", "m", "s", "ms"]),
    step=st.integers(1, 40),
    n=st.integers(2, 50),
    start=st.integers(0, 400),
)
@few
def test_equal_steps_of_every_unit_are_taken(unit, step, n, start):
    dates = np.datetime64(start, unit) + step * np.arange(n)
    found = spacing(dates)
    if unit in "YM":
        assert found == (step * (12 if unit == "Y" else 1), "months")
    elif found[1] == "microseconds":
        assert np.timedelta64(found[0], "us") == np.timedelta64(step, unit)
    else:  # a few dates such as 1970-01-01 and 1970-02-01 are months apart too
        assert n <= 3


@given(day=st.integers(1, 28), months=st.integers(1, 12), n=st.integers(3, 40))
@few
def test_the_same_day_of_every_month_is_a_regular_step_and_so_is_the_last(day, months, n):
    month = np.datetime64("1999-02", "M") + months * np.arange(n)
    first = month.astype("datetime64[D]")
    assert spacing(first + (day - 1)) == (months, "months")
    assert spacing((month + 1).astype("datetime64[D]") - 1) == (months, "months")


@pytest.mark.parametrize(
    ("dates", "sentence"),
    [
        (np.delete(hours(40), 12), r"step is 1 hour, but 2 hours lie between row 11 \(2009-01-01T11\) and row 12"),
        (np.delete(hours(40), [12, 20]), "the first of 2 such places"),
        (hours(40)[[*range(20), 19, *range(20, 40)]], r"row 20 \(2009-01-01T19\) follows row 19 .* keep one of each"),
        (hours(40)[::-1], "the dates do not go forward: row 1"),
        (np.append(hours(5), np.datetime64("NaT")), "NaT, no date at all, at row 5"),
        (np.array(["2009-01-30", "2009-02-28", "2009-03-30"], "datetime64[D]"), "are not at equal steps"),
    ],
)  # fmt: skip
def test_irregular_dates_are_refused_with_the_place(dates, sentence):
    with pytest.raises(ValueError, match=sentence):
        spacing(dates)
    with pytest.raises(ValueError, match=sentence):
        made(window=1).fit(np.arange(float(len(dates))), dates=dates, train=0.5, **QUIET)


def test_steps_are_spelled_as_people_say_them():
    steps = [(1, "months"), (3, "months"), (86_400_000_000, "microseconds"), (4_800_000_000, "microseconds"),
             (1500, "microseconds")]  # fmt: skip
    assert [spelled(s) for s in steps] == ["1 month", "3 months", "1 day", "80 minutes", "1500 microseconds"]


def test_a_history_with_another_step_or_other_columns_than_the_fitted_is_refused():
    forecaster = made()
    forecaster.fit(VALUES, dates=hours(120), **QUIET)
    forecaster.predict(VALUES[:6], dates=hours(6))
    forecaster.predict(VALUES[:6])
    with pytest.raises(
        ValueError, match="the rows of history are 2 hours apart; the forecaster was fitted on steps of 1"
    ):
        forecaster.predict(VALUES[:6], dates=hours(6, step=2))
    with pytest.raises(ValueError, match="history has 2 columns; the forecaster was fitted on 1"):
        forecaster.predict(np.zeros((9, 2)))
    two = made(2)
    two.fit({"T": VALUES, "p": VALUES**2}, **QUIET)
    with pytest.raises(
        ValueError, match="series has the columns p, T; the forecaster was fitted on T, p, in that order"
    ):
        two.backtest({"p": VALUES, "T": VALUES})
