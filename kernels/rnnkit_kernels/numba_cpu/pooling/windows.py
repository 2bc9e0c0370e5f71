"""Pooling compiled: the largest or the mean of the steps in each window, and the way back.

What lies beyond the ends of the sequence is not there. Masks are not for this kernel: layers compute those by
themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ...textbook.convolution import Window
from ...types import Array
from .. import machine, memory
from ..convolution.drivers import driver
from ..convolution.table import Table, segments, ways_back
from ..emit.vec import Lanes
from ..parallel import threads
from ..words import Words, address
from .tiles import functions
from .whole import pooled

__all__ = ["CompiledPooling", "PoolingTape"]

_WORTH = 2e5  # numbers of x below which a second thread costs more than it brings
_LONGEST = 1 << 10  # steps of a window: beyond, it has more edges than rows that are alike
_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True)
class Shape:
    """Of a call: x (B, T, F) with `line` and `apart` bytes between two steps and two rows; how: "largest" or "mean"."""

    lanes: Lanes
    how: str
    B: int
    T: int
    F: int
    window: Window
    parts: int
    x_line: int
    x_apart: int

    @property
    def N(self) -> int:
        return self.window.outputs(self.T)

    @property
    def whole(self) -> bool:
        """Whether no window reaches beyond the sequence."""
        return self.window.left == 0 and (self.N - 1) * self.window.stride + self.window.size <= self.T


@dataclass(frozen=True, eq=False)
class PoolingTape:
    """shape; which (B, N, F): of the largest, the number of the tap that it was."""

    shape: Shape
    which: Array | None


def _segments(shape: Shape) -> np.ndarray[Any, Any]:
    window = shape.window
    return segments(shape.N, window.stride, window.left, shape.T, 1, window.size)


@lru_cache(maxsize=64)
def _forward_words(shape: Shape) -> Words:
    table, window, row = Table(shape.lanes, ("x", "y", "which")), shape.window, shape.F * shape.lanes.itemsize
    found, words = _segments(shape), table.words
    table.job(
        FUNCTION=functions(shape.lanes)[shape.how], ROWS=shape.N, SEGMENTS=words.of(found), SEGMENT_COUNT=len(found),
        SOURCE=(-window.left * shape.x_line, "x"), SOURCE_ROW=window.stride * shape.x_line, SOURCE_BATCH=shape.x_apart,
        OFFSETS=words.of(np.arange(window.size, dtype=np.int64) * shape.x_line), COLUMNS=shape.F, OUT=(0, "y"),
        OUT_ROW=row, OUT_BATCH=shape.N * row, OTHER=(0, "which"),
    )  # fmt: skip
    table.done(PARTS=shape.parts, BATCH=shape.B, PIECES=1, SUMS=1)
    return words


@lru_cache(maxsize=64)
def _backward_words(shape: Shape) -> Words:
    table, window, row = Table(shape.lanes, ("dy", "dx", "which")), shape.window, shape.F * shape.lanes.itemsize
    words, jobs = table.words, ways_back(window, shape.T)
    for way in jobs:
        found = segments(way.rows, 1, way.left, shape.N, way.dilation, len(way.taps))
        table.job(
            FUNCTION=functions(shape.lanes)[f"{shape.how}_back"], ROWS=way.rows, SEGMENTS=words.of(found),
            SEGMENT_COUNT=len(found), SOURCE=(-way.left * row, "dy"), SOURCE_ROW=row, SOURCE_BATCH=shape.N * row,
            OFFSETS=words.of(np.arange(len(way.taps), dtype=np.int64) * (way.dilation * row)),
            STEPS=words.of(np.array(way.taps, np.int64)), COLUMNS=shape.F, OUT=(way.first * row, "dx"),
            OUT_ROW=window.stride * row, OUT_BATCH=shape.T * row, OTHER=(0, "which"), START=(0, "dy"),
            DEPTH=window.size if shape.whole else 1,
        )  # fmt: skip
    table.done(PARTS=shape.parts, BATCH=shape.B, PIECES=1, SUMS=len(jobs))
    return words


@lru_cache(maxsize=64)
def _counts(shape: Shape) -> Array:
    """How many steps each window has, (N, 1)."""
    found = _segments(shape)
    return np.repeat(found[:, 3] - found[:, 2], found[:, 1] - found[:, 0]).astype(shape.lanes.dtype)[:, None]


@dataclass(frozen=True)
class CompiledPooling:
    """The pair of both kinds of pooling."""

    origin: str = "numba"

    def takes(self, x: Array, window: Window | None = None) -> bool:
        """Whether the kernel pools this, or without a window all steps; what it does not, layers pool by themselves."""
        return x.dtype in _DTYPES and x.size > 0 and (window is None or window.size <= _LONGEST)

    def forward(
        self, how: str, x: Array, window: Window, *, lanes: Lanes | None = None, parts: int | None = None
    ) -> tuple[Array, PoolingTape]:
        """y (B, N, F) and the tape, for x (B, T, F), float32 or float64; how: "largest" or "mean".

        Every window has a step of the sequence, and its taps lie side by side.
        lanes, parts  which compiled form, and on how many threads; chosen where None
        """
        size = x.itemsize
        if (x.shape[2] > 1 and x.strides[2] != size) or x.strides[0] % size or x.strides[1] % size:
            x = np.ascontiguousarray(x)
        B, T, F = x.shape
        if parts is None:
            parts = threads.available() if x.size > _WORTH else 1
        with threads.team(parts) as team:
            shape = Shape(
                lanes or Lanes(x.dtype.name, machine.lanes(x.dtype)), how, B, T, F, window, min(parts, team.size),
                x.strides[1], x.strides[0],
            )  # fmt: skip
            words = _forward_words(shape)
            y = memory.empty((B, shape.N, F), x.dtype)
            which = memory.empty(y.shape, x.dtype) if how == "largest" else None
            table = words.made((address(x), address(y), 0 if which is None else address(which)))
            team.run(driver(), address(table), shape.parts)
        return y, PoolingTape(shape, which)

    def over_all(self, how: str, x: Array) -> tuple[Array, Callable[[Array], Array]]:
        """See `pooling_all.pooled`."""
        return pooled(how, x)

    def backward(self, tape: PoolingTape, dy: Array) -> Array:
        """dx (B, T, F) for dy (B, N, F)."""
        shape, which = tape.shape, tape.which
        dy = np.ascontiguousarray(dy, shape.lanes.dtype)
        if which is None and not shape.whole:
            dy = dy / _counts(shape)
        with threads.team(shape.parts) as team:
            if team.size < shape.parts:
                shape = replace(shape, parts=team.size)
            words = _backward_words(shape)
            dx = memory.empty((shape.B, shape.T, shape.F), dy.dtype)
            table = words.made((address(dy), address(dx), 0 if which is None else address(which)))
            team.run(driver(), address(table), shape.parts)
        return dx
