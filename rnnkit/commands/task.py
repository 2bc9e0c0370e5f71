"""A forecasting task: which rows of a series a network sees in training, which it is judged on, and on what scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from .. import data
from ..data import MinMaxScaler, Series, StandardScaler, fill_missing, score_baselines, scores, windows

__all__ = ["Shuffled", "Task", "read", "usual_window"]

TRAIN, VALIDATION = 0.8, 0.1  # of the series; of the training part
VALIDATION_WINDOWS = 2048  # more of them tell no more, and cost time after every epoch


@dataclass(frozen=True, eq=False)
class Task:
    """Windows of `window` rows, `lead` rows left out, `horizon` rows to forecast; the first 80 % of the rows train.

    series   without missing values; unknown (N,) bool, where they were filled in; scaler fitted to the training part
    Window k begins at row k. Those whose forecast ends in the training part train; the last tenth of them validates.
    Those whose whole forecast lies behind the training part test; their past may reach back into it, as it would in
    use. A window whose forecast was filled in tests nothing.
    """

    series: Series
    unknown: Array
    scaler: MinMaxScaler | StandardScaler
    window: int
    lead: int
    horizon: int

    @property
    def cut(self) -> int:
        """The first row of the test part."""
        return cut(self.series.values)

    @cached_property
    def pairs(self) -> tuple[Array, Array]:
        """All windows in units of the scale, float32 views: x (K, window, 1), y (K, horizon)."""
        scaled = self.scaler.transform(self.series.values).astype(np.float32)
        past, future = windows(scaled, self.window, self.horizon, self.lead)
        return past, future[:, :, 0]

    @property
    def fitted(self) -> tuple[Array, Array]:
        """What the network learns from."""
        x, y = self.pairs
        return x[: self._held_from], y[: self._held_from]

    @property
    def held_out(self) -> int:
        """How many windows validate, before any thinning."""
        return self._last - self._held_from

    @property
    def validation(self) -> tuple[Array, Array]:
        """What it is watched on, evenly thinned where there is a lot."""
        x, y = self.pairs
        stride = -(-self.held_out // VALIDATION_WINDOWS)
        part = slice(self._held_from, self._last, stride)
        return x[part], y[part]

    @cached_property
    def test(self) -> Array:
        """The windows that test, by number."""
        first = self.cut - self.window - self.lead
        numbers = np.arange(max(first, 0), len(self.pairs[0]))
        if self.unknown.any():
            filled = np.array([self.unknown[self.rows(h)[numbers]] for h in range(self.horizon)]).any(axis=0)
            numbers = numbers[~filled]
        return numbers

    def rows(self, step: int = 0) -> Array:
        """The row that each window forecasts, `step` rows into its horizon."""
        return np.arange(len(self.pairs[0])) + self.window + self.lead + step

    def truth(self) -> Array:
        """The test part as it came, (tests, horizon)."""
        return np.stack([self.series.values[self.rows(h)[self.test]] for h in range(self.horizon)], axis=1)

    def forecast(self, model: Any) -> Array:
        """The test part as the model forecasts it, in the unit of the series, (tests, horizon)."""
        return self.scaler.inverse(model.predict(self.pairs[0][self.test]))

    def scores(self, name: str, forecast: Array) -> dict[str, dict[str, float]]:
        """MAE and RMSE on the test part: the network's under `name`, first, then those of the baselines."""
        at, period = self.rows()[self.test], self.series.period
        longest = 0 if period is None else period * ((self.lead + self.horizon - 1) // period + 1)
        return {name: scores(self.truth(), forecast)} | score_baselines(
            self.series.values, at, length=self.window, train=self.cut, lead=self.lead, horizon=self.horizon,
            period=period if longest <= self.cut else None,
        )  # fmt: skip

    @property
    def _last(self) -> int:
        return self.cut - self.window - self.lead - self.horizon + 1

    @property
    def _held_from(self) -> int:
        return self._last - max(1, int(VALIDATION * self._last))

    def __post_init__(self) -> None:
        span, n = self.window + self.lead + self.horizon, len(self.series)
        parts = f"window {self.window} + lead {self.lead} + horizon {self.horizon}"
        if self._last < 2:
            raise ValueError(
                f"{parts} = {span} steps are too long for this series: its training part, {TRAIN:.0%} of {n}, "
                f"has {self.cut}, and at least {span + 1} are needed; choose a smaller --window"
            )
        if n - self.cut < self.horizon:
            raise ValueError(
                f"the test part, the last {n - self.cut} of {n} values, is shorter than the horizon {self.horizon}"
            )
        if not len(self.test):
            raise ValueError("no value of the test part is known; there is nothing to compare a forecast with")


class Shuffled:
    """Batches of windows in a new order every epoch, and of at most `limit` windows, drawn anew each time."""

    def __init__(self, x: Array, y: Array, batch: int, limit: int, seed: int) -> None:
        self._x, self._y, self._batch = x, y, batch
        self.samples = min(limit, len(x))
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return -(-self.samples // self._batch)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        order = self._rng.permutation(len(self._x))[: self.samples]
        for start in range(0, self.samples, self._batch):
            rows = order[start : start + self._batch]
            yield self._x[rows], self._y[rows]


def cut(values: Array) -> int:
    """How many of the rows train."""
    return len(data.chronological_split(values, TRAIN, 0)[0])


def read(path: str, column: str | None) -> tuple[Series, Array, list[str]]:
    """A series from a file without missing values, where they were, and a line on each thing that was done to it."""
    series = _series(path, column)
    gone = np.isnan(series.values)
    known = np.flatnonzero(~gone)
    if len(known) < 10:
        raise ValueError(f"{series.name} has {len(known)} known values; at least 10 are needed to train and to test")
    part = slice(known[0], known[-1] + 1)
    when = None if series.dates is None else series.dates[part]
    inside = gone[part]
    notes = []
    if outside := int(gone.sum() - inside.sum()):
        notes.append(f"{outside} missing at the ends: left out")
    if inside.any():
        notes.append(f"{inside.sum()} missing inside: filled linearly, not scored")
    if when is not None and (gaps := _gaps(when)):
        notes.append(f"{gaps} gaps in the dates: rows taken as equal steps")
    values = fill_missing(series.values[part])
    return Series(values, when, series.name, series.unit, series.period), inside, notes


def usual_window(series: Series) -> int:
    """Whole seasons of two dozen steps or more; of a year of days, two months; at most a third of the training part."""
    period = series.period or 24
    window = 60 if period > 60 else period * -(-24 // period)
    return max(1, min(window, cut(series.values) // 3))


def _series(path: str, column: str | None) -> Series:
    try:
        return data.read_series(path, column)
    except ValueError:
        # "2" is the name of a column or, where no column has it, a position.
        if column is None or not column.isdecimal():
            raise
    return data.read_series(path, int(column))


def _gaps(when: Array) -> int:
    steps = np.diff(when.astype("datetime64[s]")).astype(np.int64)
    return int((steps > 1.5 * np.median(steps)).sum()) if len(steps) else 0
