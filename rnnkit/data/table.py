"""A table of several measured quantities: values, dates, names and units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from rnnkit_kernels.sentences import unknown
from rnnkit_kernels.types import Array

from .checks import numbers
from .series import Series

__all__ = ["Table"]


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Several quantities measured at the same steps of time, oldest first.

    values  (N, D) float64, a column each, NaN where a value is missing; read-only
    dates   (N,) datetime64, or None where the source has none; read-only
    names   D names; units: D units as the source writes them, "" where it does not, or none at all
    period  steps in the calendar's season (24 for hours, 365 for days), None where there is none

    An array function takes the table for its values; `table["T"]` is one column as a `Series`.
    Raises ValueError if values is not (N, D) or dates, names or units differ in number, or two columns have one name;
    TypeError for values that are not numbers.
    """

    values: Array
    dates: Array | None = None
    names: Sequence[str] = ()
    units: Sequence[str] = ()
    period: int | None = None

    def __post_init__(self) -> None:
        values = numbers("values", self.values, ranks=(2,)).astype(np.float64)
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        D = values.shape[1]
        for name, given, default in (
            ("names", self.names, [f"column {k}" for k in range(D)]),
            ("units", self.units, [""] * D),
        ):
            texts = tuple(given) or tuple(default)
            if len(texts) != D:
                raise ValueError(f"{name} are {D}, one for each column; got {len(texts)}")
            object.__setattr__(self, name, texts)
        if len(set(self.names)) < D:
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise ValueError(f"two columns are called {twice!r}; give each its own name")
        if self.dates is not None:  # checked, and made read-only, as those of a series
            object.__setattr__(self, "dates", Series(values[:, 0], self.dates).dates)

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.values, dtype, copy=copy)

    def __getitem__(self, name: str) -> Series:
        """The column of that name. Raises ValueError, with the nearest name, where there is none."""
        if name not in self.names:
            raise unknown("column", name, self.names)
        at = self.names.index(name)
        return Series(self.values[:, at], self.dates, name, self.units[at], self.period)

    def __repr__(self) -> str:
        columns = ", ".join(
            f"{name} ({unit})" if unit else name for name, unit in zip(self.names, self.units, strict=True)
        )
        parts = [f"{len(self)} rows of {columns}"]
        missing = int(np.isnan(self.values).sum())
        parts += [f"{missing} missing"] if missing else []
        parts += [f"{self.dates[0]} to {self.dates[-1]}"] if self.dates is not None else []
        parts += [f"period {self.period}"] if self.period else []
        return f"Table({', '.join(parts)})"
