"""The jobs of a compiled convolution: which taps meet which rows, where the weights are laid out, and what is called.

Rows are output steps. The taps that meet a row are those whose input step is there: zeros before and after the sequence
are never read, and rows that the same taps meet make a segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from ...textbook.convolution import Window
from ..emit.vec import Lanes
from ..words import Room, Words
from .drivers import Head, Job
from .tiles import BLOCK

__all__ = ["Operand", "Sweep", "Table", "Way", "kind", "segments", "ways_back"]

_FOLD = 3  # multiply-adds that the sum over the lanes of a row costs, about


def kind(lanes: Lanes, taps: int, depth: int, columns: int, groups: int) -> str:
    """Which function of `Sums` takes the fewest multiply-adds for a row.

    taps, and numbers of each; columns of the result; a group's share of both
    """
    if groups > 1 and depth == columns == 1:
        return "apart"
    across = taps * depth * -(-columns // lanes.count)
    along = columns * (taps * -(-depth // lanes.count) + _FOLD)
    return "along" if along < across else "across"


@dataclass(frozen=True)
class Operand:
    """An array (batch, steps, channels) of a call: its base, and bytes between two steps and two rows of the batch."""

    base: str
    line: int
    apart: int


@dataclass(frozen=True)
class Sweep:
    """A convolution that writes rows: row r begins `step` r - left in a source of so many steps; so do rows of dx.

    taps, dilation  how many taps meet a row at most, and how many source steps they stand apart
    tap     bytes into the weights of each of them
    across, inner, group  bytes between two weights of neighbouring columns of the result, of neighbouring channels of
            the source, and of neighbouring groups
    """

    rows: int
    step: int
    left: int
    steps: int
    dilation: int
    tap: tuple[int, ...]
    across: int
    inner: int
    group: int

    @property
    def segments(self) -> np.ndarray[Any, Any]:
        return segments(self.rows, self.step, self.left, self.steps, self.dilation, len(self.tap))


@dataclass(frozen=True)
class Way:
    """Rows of x~ that the same taps see on the way back: every `stride`-th, beginning with row `first` of x.

    Row r of them goes back to the output steps r - left + i dilation, with tap taps[i].
    """

    first: int
    rows: int
    left: int
    dilation: int
    taps: tuple[int, ...]


def ways_back(window: Window, steps: int) -> list[Way]:
    """For every remainder of t + left by the stride that a step of x has; with stride 1 there is one."""
    found = []
    for remainder in range(window.stride):
        taps = tuple(j for j in reversed(range(window.size)) if (j * window.dilation - remainder) % window.stride == 0)
        skipped = max(0, -(-(window.left - remainder) // window.stride))  # rows of x~ before the first of x
        first = remainder + skipped * window.stride - window.left
        reach = (taps[0] * window.dilation - remainder) // window.stride if taps else 0
        if first < steps:
            rows = -(-(steps - first) // window.stride)
            found.append(
                Way(first, rows, reach - skipped, window.dilation // gcd(window.dilation, window.stride), taps)
            )
    return found


def segments(rows: int, step: int, left: int, steps: int, dilation: int, taps: int) -> np.ndarray[Any, Any]:
    """Stretches of rows that the same taps meet; for the words of each see `SEGMENT`.

    Row r begins at step r `step` - left of a source of so many steps; its taps stand `dilation` steps apart.
    """
    stand = np.arange(taps) * dilation
    begins, ends = -((stand - left) // step), (steps - 1 + left - stand) // step + 1  # of each tap's rows; both fall
    cuts = np.unique(np.concatenate([[0, rows], begins.clip(0, rows), ends.clip(0, rows)]))
    first, last = cuts[:-1], cuts[1:]
    low = taps - np.searchsorted(begins[::-1], first, "right")
    high = taps - np.searchsorted(ends[::-1], last, "left")
    return np.stack([first, last, *np.where(low < high, (low, high), 0)], axis=1).astype(np.int64)


class Table:
    """The words of a call: head, jobs, and the weights' vectors in the order they are laid out."""

    def __init__(self, lanes: Lanes, bases: Sequence[str]) -> None:
        self.lanes, self.words, self.room = lanes, Words(bases), Room()
        self.panels = self.room.size
        self.places: list[np.ndarray[Any, Any]] = []
        self.vectors = 0
        self.lane = 0
        self.words.grow(len(Head))

    def job(self, **numbers: int | tuple[int, str]) -> None:
        begin = len(self.words)
        self.words.grow(begin + len(Job))
        for name, number in numbers.items():
            self.words.set(begin + Job[name], *(number if isinstance(number, tuple) else (number, "")))

    def packed(self, offsets: np.ndarray[Any, Any], counts: np.ndarray[Any, Any], lane: int) -> tuple[int, str]:
        """Where the vectors that begin so many bytes into the weights and have so many numbers will stand."""
        at = self.panels + self.vectors * self.lanes.bytes
        pairs = np.stack(np.broadcast_arrays(offsets, counts), axis=-1).reshape(-1, 2).astype(np.int64)
        self.places.append(pairs)
        self.vectors += len(pairs)
        self.lane = lane
        return at, "work"

    def sweep(
        self, sweep: Sweep, name: str, function: int, source: Operand, out: Operand, out_at: int,
        start: int | tuple[int, str], depth: int, columns: int, groups: int,
    ) -> int:  # fmt: skip
        """Writes the jobs of one sweep, and says how many.

        depth, columns  channels of source and of out that a group has
        """
        segments = sweep.segments
        taps, size = np.arange(len(sweep.tap)), self.lanes.itemsize
        stand = taps[:, None] * (sweep.dilation * source.line)
        if name == "along":
            whole, tail = divmod(depth, self.lanes.count)
            full = stand + np.arange(whole) * self.lanes.bytes
            offsets = np.concatenate(
                [full.ravel(), (stand + whole * self.lanes.bytes).ravel()[: len(taps) * (tail > 0)]]
            )
            inner = whole
        else:
            offsets, inner, tail = (stand + np.arange(depth) * size).ravel(), depth, 0
        common = {
            "FUNCTION": function, "ROWS": sweep.rows, "SEGMENTS": self.words.of(segments),
            "SEGMENT_COUNT": len(segments), "SOURCE_ROW": sweep.step * source.line, "SOURCE_BATCH": source.apart,
            "OFFSETS": self.words.of(offsets.astype(np.int64)), "TAPS": len(taps), "DEPTH": inner, "TAIL": tail,
            "OUT_ROW": out.line, "OUT_BATCH": out.apart,
        }  # fmt: skip
        if name == "apart":  # all groups at once: a channel is a lane
            depth, columns, groups = 1, columns * groups, 1
        for g in range(groups):
            shift = g * columns * size
            self.job(
                **common, COLUMNS=columns, PANELS=self._weights(sweep, name, depth, columns, g),
                SOURCE=(g * depth * size - sweep.left * source.line, source.base), OUT=(out_at + shift, out.base),
                START=start if isinstance(start, int) else (start[0] + shift, start[1]),
            )  # fmt: skip
        return groups

    def _weights(self, sweep: Sweep, name: str, depth: int, columns: int, group: int) -> tuple[int, str]:
        """Lays out the weights of a group as its function reads them."""
        count = self.lanes.count
        taps = np.array(sweep.tap, np.int64) + group * sweep.group
        if name == "along":
            whole, tail = divmod(depth, count)
            full = taps[:, None] + np.arange(whole) * (count * sweep.inner)
            last = (taps + whole * count * sweep.inner)[: len(taps) * (tail > 0)]
            stand = np.concatenate([full.ravel(), last])
            lengths = np.repeat([count, tail], [full.size, last.size])
            return self.packed(np.arange(columns)[:, None] * sweep.across + stand, lengths, sweep.inner)
        block, across = (1, sweep.group) if name == "apart" else (BLOCK, sweep.across)
        numbers = (taps[:, None] + np.arange(depth) * sweep.inner).ravel()
        places, counts = [], []
        for w in range(0, columns, block * count):
            first = np.arange(w, min(columns, w + block * count), count)
            places.append((numbers[:, None] + first * across).ravel())
            counts.append(np.tile(np.minimum(count, columns - first), len(numbers)))
        return self.packed(np.concatenate(places), np.concatenate(counts), across)

    def done(self, **head: int) -> None:
        """No job is added from here on."""
        numbers: dict[str, int | tuple[int, str]] = {**head, "VECTORS": self.vectors}
        if self.vectors:
            self.room.take(self.vectors * self.lanes.bytes)
            places = self.words.of(np.concatenate(self.places))
            numbers |= {"PANELS": (self.panels, "work"), "WEIGHTS": (0, "W"), "PLACES": places, "LANE": self.lane}
        for name, number in numbers.items():
            self.words.set(Head[name], *(number if isinstance(number, tuple) else (number, "")))
        self.words.ready()
