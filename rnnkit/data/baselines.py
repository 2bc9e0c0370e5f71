"""Forecasts without a network, for a model to beat, and the scores to compare them by.

Every forecast has the same first arguments:

    series   (N,) or (N, D), real, finite, oldest first
    at       (K,) int, the rows to forecast; beyond the end of the series too, as far as what they need is known
    lead     rows between the last known one and the forecast: row t is forecast from rows 0 .. t - 1 - lead only
    returns  (K,) or (K, D) float64

A window of past rows [i, i + length), a lead and a horizon, as `windows` cuts them, ask for the rows
i + length + lead + h, h = 0 .. horizon - 1, each with a lead of lead + h, because what is known ends with the past.
`score_baselines` does that.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from rnnkit_kernels.types import Array

from .checks import count, finite, numbers

__all__ = ["linear", "moving_average", "naive", "score_baselines", "scores", "seasonal_naive"]

_ROWS_AT_ONCE = 4096


def naive(series: ArrayLike, at: ArrayLike, *, lead: int = 0) -> Array:
    """The last known value.

    raises   ValueError for a row whose last known row lies outside the series; see the module for the arguments
    """
    array, rows, lead = _asked(series, at, lead, past=1)
    return np.take(array, rows - 1 - lead, axis=0)


def seasonal_naive(series: ArrayLike, at: ArrayLike, *, period: int, lead: int = 0) -> Array:
    """The latest known value of the same season: row t - m * period with the smallest m that is known by then.

    period   rows of a season, 12 for months
    raises   ValueError for a row with no whole number of seasons before it; see the module for the arguments
    """
    period = count("period", period)
    back = period * (count("lead", lead, least=0) // period + 1)
    array, rows, _ = _asked(series, at, lead, past=back - lead)
    return np.take(array, rows - back, axis=0)


def moving_average(series: ArrayLike, at: ArrayLike, *, length: int, lead: int = 0) -> Array:
    """The mean of the last `length` known values.

    raises   ValueError for a row with fewer known rows before it; see the module for the arguments
    """
    length = count("length", length)
    array, rows, lead = _asked(series, at, lead, past=length)
    means = sliding_window_view(array, length, axis=0).mean(axis=-1)
    return np.take(means, rows - lead - length, axis=0)


def linear(series: ArrayLike, at: ArrayLike, *, length: int, train: int, lead: int = 0) -> Array:
    """A weighted sum of the last `length` known rows and a bias, by least squares over the training part.

    length   rows in the window; all columns of all its rows have a weight
    train    the weights are fitted to every window whose forecast row lies in rows 0 .. train - 1, and to nothing else
    raises   ValueError if that is not one window, or for a row of `at` with fewer known rows before it; see the module
             for the arguments

    Where the windows do not determine the weights, the smallest ones are taken (numpy.linalg.lstsq).
    """
    length, train = count("length", length), count("train", train)
    array, rows, lead = _asked(series, at, lead, past=length)
    span = length + lead
    if train > len(array) or train <= span:
        raise ValueError(
            f"train is {span + 1} to {len(array)} rows for a window of {length} with lead {lead}; got {train}"
        )
    table = array[:, None] if array.ndim == 1 else array
    every = np.moveaxis(sliding_window_view(table, length, axis=0), -1, 1)  # (N - length + 1, length, D), a view

    def inputs(begin: Array) -> Array:
        flat = every[begin].reshape(len(begin), -1)
        return np.hstack([flat, np.ones((len(flat), 1))])

    # R of a QR of [inputs | targets], grown part by part, has the least-squares solution of all rows: a long series
    # would otherwise need `length` copies of itself.
    wide = length * table.shape[1] + 1
    triangle: Array = np.empty((0, wide + table.shape[1]))
    for start in range(span, train, _ROWS_AT_ONCE):
        fitted = np.arange(start, min(start + _ROWS_AT_ONCE, train))
        part = np.hstack([inputs(fitted - span), table[fitted]])
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, part]), mode="r"))
    weights = np.linalg.lstsq(triangle[:, :wide], triangle[:, wide:], rcond=None)[0]
    forecast: Array = inputs(rows - span) @ weights
    return forecast[:, 0] if array.ndim == 1 else forecast


def scores(truth: ArrayLike, forecast: ArrayLike) -> dict[str, float]:
    """Mean absolute error "mae" and root mean squared error "rmse" over all values.

    truth, forecast  of one and the same shape, finite
    raises           ValueError for different shapes (nothing is broadcast), no values, NaN or infinity
    """
    y, x = numbers("truth", truth, ranks=()), numbers("forecast", forecast, ranks=())
    if y.shape != x.shape:
        raise ValueError(f"truth and forecast have one shape; got {y.shape} and {x.shape}")
    finite("truth", y)
    finite("forecast", x)
    error = x.astype(np.float64) - y
    return {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt(np.square(error).mean()))}


def score_baselines(
    series: ArrayLike,
    at: ArrayLike,
    *,
    length: int,
    train: int | None = None,
    period: int | None = None,
    lead: int = 0,
    horizon: int = 1,
) -> dict[str, dict[str, float]]:
    """The scores of every baseline that has what it needs, on the same forecasts as a model of windows.

    series   (N,) or (N, D); at: (K,) the first forecast row of each window, the past of which is
             [at - lead - length, at - lead)
    length   rows of past, for the moving average and the linear forecast; lead, horizon: as for `windows`
    train    rows that the linear forecast may be fitted to; None leaves it out
    period   rows of a season; None leaves the seasonal forecast out. It may use rows older than the window's past
    returns  name -> {"mae", "rmse"} over all K x horizon forecasts
    raises   ValueError as the forecasts do, and for a forecast row that is not in the series
    """
    array = numbers("series", series)
    horizon, lead = count("horizon", horizon), count("lead", lead, least=0)
    steps = [(np.asarray(at) + h, lead + h) for h in range(horizon)]
    _, rows, _ = _asked(array, at, lead, past=length)
    if rows.max() + horizon > len(array):
        raise ValueError(f"the forecasts reach row {rows.max() + horizon - 1}; the series ends at row {len(array) - 1}")
    made = {
        "naive": [naive(array, t, lead=k) for t, k in steps],
        "moving average": [moving_average(array, t, length=length, lead=k) for t, k in steps],
    }
    if period is not None:
        made["seasonal naive"] = [seasonal_naive(array, t, period=period, lead=k) for t, k in steps]
    if train is not None:
        made["linear"] = [linear(array, t, length=length, train=train, lead=k) for t, k in steps]
    truth = np.stack([array[t] for t, _ in steps])
    return {name: scores(truth, np.stack(forecast)) for name, forecast in made.items()}


def _asked(series: ArrayLike, at: ArrayLike, lead: int, past: int) -> tuple[Array, Array, int]:
    """The series in float64 and the rows to forecast, each with `past` known rows before row t - lead."""
    array = numbers("series", series)
    finite("series", array)
    lead = count("lead", lead, least=0)
    rows = np.asarray(at)
    if rows.dtype.kind not in "iu" or rows.ndim != 1 or not rows.size:
        raise ValueError(f"at is a list of rows (K,), whole numbers; got {rows.dtype} {rows.shape}")
    first, last = lead + past, len(array) + lead
    wrong = rows[(rows < first) | (rows > last)]
    if len(wrong):
        raise ValueError(
            f"with lead {lead} and {past} rows of past, rows {first} to {last} can be forecast from {len(array)} rows; "
            f"got {wrong[0]}"
        )
    return array.astype(np.float64, copy=False), rows.astype(np.int64), lead
