"""What users hand in, in one form: rows of columns with names, at equal steps of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..data.checks import numbers
from ..data.series import Series, calendar_period
from ..data.table import Table
from .spacing import Spacing, spacing, spelled

__all__ = ["Rows", "read_rows", "refuse_unlike"]


@dataclass(frozen=True, eq=False)
class Rows:
    """values (N, D) float64, NaN where one is missing; names and units of the columns; dates (N,) at equal steps, or
    None; step: between the dates; period: rows of a season, if known; named: whether the names are the user's."""

    values: Array
    names: tuple[str, ...]
    units: tuple[str, ...]
    dates: Array | None = None
    step: Spacing | None = None
    period: int | None = None
    named: bool = True

    def __len__(self) -> int:
        return len(self.values)

    def until(self, row: int) -> Rows:
        """The rows before `row`."""
        return replace(self, values=self.values[:row], dates=None if self.dates is None else self.dates[:row])

    def when(self, row: int) -> str:
        """A row by its number and, where there are dates, its date."""
        return f"row {row}" if self.dates is None else f"row {row} ({self.dates[row]})"

    def same_rows(self, other: Rows) -> bool:
        """Whether row numbers mean the same in both, as far as dates can tell."""
        return self.dates is None or other.dates is None or bool(self.dates[0] == other.dates[0])


def refuse_unlike(table: Rows, fitted: Rows, name: str) -> None:
    """Raises ValueError unless the table has the columns and the step of the one that was fitted on."""
    D, fitted_on = len(table.names), len(fitted.names)
    if fitted_on != D:
        raise ValueError(f"{name} has {D} column{'s' * (D > 1)}; the forecaster was fitted on {fitted_on}")
    if D > 1 and table.named and fitted.named and table.names != fitted.names:
        raise ValueError(
            f"{name} has the columns {', '.join(table.names)}; the forecaster was fitted on {', '.join(fitted.names)}, "
            "in that order"
        )
    if table.step is not None and fitted.step is not None and table.step != fitted.step:
        raise ValueError(
            f"the rows of {name} are {spelled(table.step)} apart; the forecaster was fitted on steps of "
            f"{spelled(fitted.step)}"
        )


def read_rows(given: Any, dates: Any = None, name: str = "series") -> Rows:
    """A `Series`, a `Table`, an array (N,) or (N, D), or several of one length by name, as rows.

    dates    (N,) datetime64 or ISO texts, at equal steps; only where the series does not bring its own
    raises   TypeError for what is not numbers or dates, ValueError for a wrong shape, infinity, columns of different
             length or dates, and dates that are not at equal steps
    """
    parts: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {}
    if isinstance(given, Table):
        parts = {column: given[column] for column in given.names}
    if isinstance(given, Mapping) and not parts:
        raise ValueError(f"{name} has no columns")
    if isinstance(given, Series):
        parts = {given.name or name: given}
    if parts:
        arrays = {key: numbers(f"column {key!r}", part, ranks=(1,)) for key, part in parts.items()}
        if len({len(array) for array in arrays.values()}) > 1:
            sizes = ", ".join(f"{key}: {len(array)}" for key, array in arrays.items())
            raise ValueError(f"the columns of {name} have one length; got {sizes}")
        values = np.stack([array.astype(np.float64) for array in arrays.values()], axis=1)
        names = tuple(str(key) for key in parts)
    else:
        array = numbers(name, given)
        values = np.asarray(array[:, None] if array.ndim == 1 else array, np.float64)
        names = (name,) if array.ndim == 1 else tuple(f"column {k}" for k in range(array.shape[1]))
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise ValueError(f"{name} has infinity at row {row} of {names[column]!r}; only NaN stands for a missing value")
    known = [part for part in parts.values() if isinstance(part, Series)]
    when = _dates(known, dates, len(values), name)
    period = next((part.period for part in known if part.period is not None), None)
    if period is None and when is not None:
        period = calendar_period(when)
    units = tuple(part.unit if isinstance(part, Series) else "" for part in parts.values()) or ("",) * len(names)
    return Rows(values, names, units, when, None if when is None else spacing(when), period, bool(parts))


def _dates(known: list[Series], dates: Any, length: int, name: str) -> Array | None:
    own = [part.dates for part in known if part.dates is not None]
    if own and dates is not None:
        raise ValueError(f"{name} brings its own dates; leave dates= out")
    if not own and dates is None:
        return None
    if own:
        if any(not np.array_equal(own[0], other) for other in own[1:]):
            raise ValueError(f"the columns of {name} have different dates; cut them to the rows that they share")
        return own[0]
    try:
        when = np.asarray(dates)
        when = when.astype("datetime64") if when.dtype.kind == "U" else when
    except ValueError as error:
        raise TypeError(f"dates are datetime64 or ISO texts such as 2009-01-31: {error}") from None
    if when.dtype.kind != "M":
        raise TypeError(f"dates are datetime64 or ISO texts such as 2009-01-31; got {when.dtype}")
    if when.shape != (length,):
        raise ValueError(f"dates has one date for each of the {length} rows; got shape {when.shape}")
    return when
