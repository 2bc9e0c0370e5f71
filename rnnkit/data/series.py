"""A series as it is read: values, dates, name and unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from rnnkit_kernels.types import Array

from .checks import numbers

__all__ = ["Series", "calendar_period", "fill_missing"]


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """One measured quantity at equal steps of time, oldest first.

    values  (N,) float64, NaN where a value is missing; read-only
    dates   (N,) datetime64, or None where the source has none; read-only
    name    what is measured or the file it came from; unit: as the source writes it, "" if it does not
    period  steps in the calendar's season (12 for months, 24 for hours, 365 for days), None where there is none

    An array function takes the series for its values.
    Raises ValueError if values is not (N,) or dates differ in length, TypeError for values that are not numbers.
    """

    values: Array
    dates: Array | None = None
    name: str = ""
    unit: str = ""
    period: int | None = None

    def __post_init__(self) -> None:
        values = numbers("values", self.values, ranks=(1,)).astype(np.float64)
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        if self.dates is None:
            return
        dates = np.array(self.dates)
        if dates.dtype.kind != "M" or dates.shape != values.shape:
            raise ValueError(
                f"dates are datetime64 of shape {values.shape}, as the values; got {dates.dtype} {dates.shape}"
            )
        dates.flags.writeable = False
        object.__setattr__(self, "dates", dates)

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.values, dtype, copy=copy)

    def __repr__(self) -> str:
        parts = [self.name or "unnamed", f"{len(self)} values"]
        missing = int(np.isnan(self.values).sum())
        parts += [f"{missing} missing"] if missing else []
        parts += [self.unit] if self.unit else []
        parts += [f"{self.dates[0]} to {self.dates[-1]}"] if self.dates is not None else []
        parts += [f"period {self.period}"] if self.period else []
        return f"Series({', '.join(parts)})"


def fill_missing(values: ArrayLike) -> Array:
    """A new array in which every run of NaN lies on the straight line between its neighbours in time.

    values   (N,) or (N, D), each column for itself
    returns  the same shape, float64
    raises   ValueError if the first or the last row of a column is missing (a line needs both ends), for a column of
             nothing else, for infinity and for a wrong rank; TypeError for what is not numbers
    """
    array = numbers("values", values)
    filled = array.astype(np.float64)
    if np.isinf(filled).any():
        raise ValueError(f"values has infinity at row {int(np.argwhere(np.isinf(filled))[0, 0])}; only NaN is filled")
    columns = filled[:, None] if filled.ndim == 1 else filled
    for number, column in enumerate(columns.T):
        where = "" if filled.ndim == 1 else f" of column {number}"
        known = np.flatnonzero(~np.isnan(column))
        if not len(known):
            raise ValueError(f"all {len(column)} values{where} are missing")
        if known[0] > 0 or known[-1] < len(column) - 1:
            raise ValueError(
                f"the values{where} are known from row {known[0]} to row {known[-1]} only, of 0 to {len(column) - 1}; "
                "cut the series to those rows, the ends cannot be interpolated"
            )
        gaps = np.isnan(column)
        column[gaps] = np.interp(np.flatnonzero(gaps), known, column[known])
    return filled


def calendar_period(dates: Array) -> int | None:
    """Steps in the season that the usual step of `dates` belongs to, or None.

    A step below a day has the day as its season (24 for hours), days and weeks and months and quarters the year (365,
    52, 12, 4). The usual step is the median one, so that single gaps do not matter.
    """
    if len(dates) < 3:
        return None
    step = float(np.median(np.diff(dates.astype("datetime64[s]")).astype(np.int64))) / 86_400
    if 0 < step < 1:
        return round(1 / step) if abs(1 / step - round(1 / step)) < 1e-9 else None
    for low, high, period in ((1, 1, 365), (7, 7, 52), (28, 31, 12), (89, 92, 4)):
        if low <= step <= high:
            return period
    return None
