"""A table as it is known at an origin: gaps filled, and nothing used that comes later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnnkit_kernels.types import Array

from .rows import Rows

__all__ = ["Seen", "refuse_missing", "seen"]

_NAMED = 3


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of a table at each origin, the number of rows that have been measured by then.

    A value that was measured is itself. In a gap that has ended before the origin a value lies on the line between its
    neighbours in time; in a gap that has not, it is the last measured one.

    closed  (N, D) with gaps as lines
    open    (N, D) with gaps holding the last value, or None where nothing is missing
    until   (N, D) the row whose measurement ends the gap, -1 where a value was measured; None with `open`
    """

    closed: Array
    open: Array | None = None
    until: Array | None = None

    def __len__(self) -> int:
        return len(self.closed)

    def at(self, origins: Array, rows: Array) -> Array:
        """The rows (K, R), all before their origins (K,), as known there: (K, R, D)."""
        x = self.closed[rows]
        if self.open is not None and self.until is not None:
            later = self.until[rows] >= origins[:, None, None]
            x[later] = self.open[rows][later]
        return x

    def past(self, origins: Array, window: int) -> Array:
        """The last `window` rows before each origin, (K, window, D)."""
        return self.at(origins, origins[:, None] + np.arange(-window, 0))

    def map(self, f: Callable[[Array], Array]) -> Seen:
        """The same with every value turned into another, column by column, by an affine f."""
        return Seen(f(self.closed), None if self.open is None else f(self.open), self.until)


def seen(table: Rows) -> Seen:
    """The table with its gaps filled. Raises ValueError for a column that begins with a missing value."""
    values = table.values
    missing = np.isnan(values)
    if not missing.any():
        return Seen(values)
    if missing[0].any():
        column = int(np.argmax(missing[0]))
        known = np.flatnonzero(~missing[:, column])
        first = f"its first value is in {table.when(int(known[0]))}" if len(known) else "it has no value at all"
        raise ValueError(
            f"{table.names[column]!r} begins with a missing value, and {first}: nothing before it can fill it; begin "
            "later, or pass more of the past"
        )
    N = len(values)
    rows = np.broadcast_to(np.arange(N)[:, None], values.shape)
    before = np.maximum.accumulate(np.where(missing, -1, rows), axis=0)
    after = np.minimum.accumulate(np.where(missing, N, rows)[::-1], axis=0)[::-1]
    held = np.take_along_axis(values, before, axis=0)
    next_known = np.take_along_axis(values, np.minimum(after, N - 1), axis=0)
    share = (rows - before) / np.maximum(after - before, 1)
    # A gap that never ends has no line; whoever asks for it stands before its end and gets the held value.
    line = np.where(missing & (after < N), held + (next_known - held) * share, held)
    return Seen(line, held, np.where(missing, after, -1))


def refuse_missing(table: Rows, name: str) -> None:
    """Raises ValueError, with the first places, if any value is missing."""
    places = np.argwhere(np.isnan(table.values))
    if not len(places):
        return
    column = [f" of {table.names[d]!r}" if len(table.names) > 1 else "" for _, d in places[:_NAMED]]
    named = ", ".join(f"{table.when(int(n))}{c}" for (n, _), c in zip(places[:_NAMED], column, strict=True))
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    raise ValueError(
        f"{name} has {len(places)} missing value{'s' * (len(places) > 1)}: {named}{more}. Leave those rows out by "
        "cutting the series, or choose missing='linear' to have the past filled from what was known at the time"
    )
