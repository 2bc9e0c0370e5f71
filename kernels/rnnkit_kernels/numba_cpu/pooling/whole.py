"""Pooling over all steps compiled: the largest, whose gradient all that are equally large share, and the mean."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ...types import Array
from .. import machine, memory
from ..convolution.drivers import driver
from ..convolution.table import Table
from ..emit.vec import Lanes
from ..parallel import threads
from ..words import Words, address
from .tiles import functions

__all__ = ["pooled"]

_WORTH = 2e5  # numbers of x below which a second thread costs more than it brings

Sizes = tuple[Lanes, int, int, int, int]


def pooled(
    how: str, x: Array, *, lanes: Lanes | None = None, parts: int | None = None
) -> tuple[Array, Callable[[Array], Array]]:
    """y (B, 1, F), and what makes dx (B, T, F) of dy (B, 1, F), for x (B, T, F), float32 or float64.

    how  "largest" or "mean"
    lanes, parts  which compiled form, and on how many threads; chosen where None
    """
    x = np.ascontiguousarray(x)
    B, T, F = x.shape
    form = lanes or Lanes(x.dtype.name, machine.lanes(x.dtype))
    if parts is None:
        parts = threads.available() if x.size > _WORTH else 1
    y = memory.empty((B, 1, F), x.dtype)
    which = memory.empty(y.shape, x.dtype)

    def run(name: str, shape: tuple[int, int, int], source: Array, out: Array, other: Array, beside: Array) -> None:
        with threads.team(parts) as team:
            words = _words(name, (form, *shape, min(parts, team.size)))
            table = words.made((address(source), address(out), address(other), address(beside)))
            team.run(driver(), address(table), min(parts, team.size))

    run(how, (B, T, F), x, y, which, x)

    def back(dy: Array) -> Array:
        dy = np.ascontiguousarray(dy, x.dtype)
        dx = memory.empty((B, T, F), x.dtype)
        if how == "mean":
            run("mean_back", (B, T, F), dy, dx, dy, x)
        else:
            ties = memory.empty(y.shape, x.dtype)
            run("ties", (B, T, F), x, ties, y, x)
            run("ties_back", (B, T, F), dy / np.maximum(ties, 1), dx, y, x)
        return dx

    return y, back


@lru_cache(maxsize=128)
def _words(name: str, sizes: Sizes) -> Words:
    """The table of one function: every step is a tap of the one row of y; on the way back each row of dx has one."""
    lanes, B, T, F, parts = sizes
    table, row, back = Table(lanes, ("source", "out", "other", "beside")), F * lanes.itemsize, "_back" in name
    words = table.words
    rows, taps = (T, 1) if back else (1, T)
    table.job(
        FUNCTION=functions(lanes)[name], ROWS=rows, SEGMENTS=words.of(np.array([0, rows, 0, taps], np.int64)),
        SEGMENT_COUNT=1, SOURCE=(0, "source"), SOURCE_BATCH=taps * row, START=(0, "source"),
        OFFSETS=words.of(np.arange(taps, dtype=np.int64) * row), COLUMNS=F, DEPTH=T, OUT=(0, "out"), OUT_ROW=row,
        OUT_BATCH=rows * row, OTHER=(0, "other"), BESIDE=(0, "beside"),
    )  # fmt: skip
    table.done(PARTS=parts, BATCH=B, PIECES=1, SUMS=1)
    return words
