"""The table of a compiled convolution, and the loops over rows of the batch, pieces of them, and segments.

A part takes a stretch of all pieces of all rows. What is computed there is called by address. The places of the table
stand here because compiled loops are kept on disk for as long as their own file does not change.
Strides, offsets and addresses count bytes.
"""

from __future__ import annotations

from enum import IntEnum, auto
from functools import lru_cache

from ..jit import c_function, compiled
from ..parallel.atomics import call, flush_denormals, load, restore_denormals

__all__ = ["GRAIN", "SEGMENT", "Head", "Job", "driver"]

SEGMENT = 4  # words of a segment: its first row, its last + 1, the first tap that meets its rows, the last + 1
GRAIN = 64  # rows that a tile of dW sums before it is added to memory: they stay in the first cache meanwhile


class Head(IntEnum):
    """Places of the table. Behind them stand the jobs, first those that write y or dx, then those that sum dW, db."""

    PARTS = 0
    BATCH = auto()  # rows of the batch
    PIECES = auto()  # into how many pieces the steps of each are cut
    SUMS = auto()  # how many jobs there are of the first kind
    GRADIENTS = auto()  # and of the second
    PACK = auto()  # the function that lays out the weights
    PANELS = auto()  # where it lays them
    VECTORS = auto()  # how many vectors of them there are
    WEIGHTS = auto()
    PLACES = auto()  # (vector, 2): how far into the weights its first number stands, and how many numbers it has
    LANE = auto()  # bytes between two of them


class Job(IntEnum):
    """Places of a job. Its rows are output steps r of one row of the batch; what meets row r with tap j begins at
    SOURCE + r ROW + (the tap's offset)."""

    FUNCTION = 0
    ROWS = auto()
    SEGMENTS = auto()  # address: rows that the same taps meet
    SEGMENT_COUNT = auto()
    SOURCE = auto()
    SOURCE_ROW = auto()
    SOURCE_BATCH = auto()
    OFFSETS = auto()  # address: how far behind a row's beginning each of its numbers stands
    TAPS = auto()
    DEPTH = auto()  # numbers of a tap; whole vectors of them where vectors lie along them
    TAIL = auto()  # numbers of a tap behind its last whole vector
    PANELS = auto()
    START = auto()  # address of the bias
    COLUMNS = auto()  # of the result
    OUT = auto()
    OUT_ROW = auto()
    OUT_BATCH = auto()
    COPY = auto()  # bytes between the results of two parts
    OTHER = auto()  # dy, where the result is dW
    OTHER_ROW = auto()
    OTHER_BATCH = auto()
    STEPS = auto()  # address: a number of each tap
    BESIDE = auto()  # address: an array that lies as the result does


_HEAD, _JOB, _SEGMENT, _GRAIN = 8 * len(Head), 8 * len(Job), 8 * SEGMENT, GRAIN


@compiled
def word(table, slot):  # type: ignore[no-untyped-def]
    return load(table + 8 * slot)


@compiled
def pack(table, part):  # type: ignore[no-untyped-def]
    """Lays out a part's share of the weights."""
    parts, vectors = word(table, Head.PARTS), word(table, Head.VECTORS)
    call(
        word(table, Head.PACK), word(table, Head.PANELS), word(table, Head.WEIGHTS), word(table, Head.PLACES),
        word(table, Head.LANE), vectors * part // parts, vectors * (part + 1) // parts,
    )  # fmt: skip


@compiled
def run(table, part):  # type: ignore[no-untyped-def]
    mode = flush_denormals()
    parts, pieces = word(table, Head.PARTS), word(table, Head.PIECES)
    items = word(table, Head.BATCH) * pieces
    for item in range(items * part // parts, items * (part + 1) // parts):
        row, piece = item // pieces, item % pieces
        job = table + _HEAD
        for _ in range(word(table, Head.SUMS)):
            _sums(job, row, piece, pieces)
            job += _JOB
        for _ in range(word(table, Head.GRADIENTS)):
            _gradients(job, row, piece, pieces, part)
            job += _JOB
    restore_denormals(mode)


@compiled
def _sums(job, row, piece, pieces):  # type: ignore[no-untyped-def]
    """What one job writes of a piece of a row of the batch."""
    rows, segment = word(job, Job.ROWS), word(job, Job.SEGMENTS)
    first, last = rows * piece // pieces, rows * (piece + 1) // pieces
    out = word(job, Job.OUT) + row * word(job, Job.OUT_BATCH)
    source = word(job, Job.SOURCE) + row * word(job, Job.SOURCE_BATCH)
    for _ in range(word(job, Job.SEGMENT_COUNT)):
        r0, r1 = max(first, load(segment)), min(last, load(segment + 8))
        if r0 < r1:
            call(
                word(job, Job.FUNCTION), job, out + r0 * word(job, Job.OUT_ROW),
                source + r0 * word(job, Job.SOURCE_ROW), r1 - r0, load(segment + 16), load(segment + 24),
            )  # fmt: skip
        segment += _SEGMENT


@compiled
def _gradients(job, row, piece, pieces, part):  # type: ignore[no-untyped-def]
    """What a piece of a row of the batch adds to dW."""
    rows, segment = word(job, Job.ROWS), word(job, Job.SEGMENTS)
    first, last = rows * piece // pieces, rows * (piece + 1) // pieces
    out = word(job, Job.OUT) + part * word(job, Job.COPY)
    source = word(job, Job.SOURCE) + row * word(job, Job.SOURCE_BATCH)
    other = word(job, Job.OTHER) + row * word(job, Job.OTHER_BATCH)
    for _ in range(word(job, Job.SEGMENT_COUNT)):
        r0, r1 = max(first, load(segment)), min(last, load(segment + 8))
        while r0 < r1:
            count = min(r1 - r0, _GRAIN)
            call(
                word(job, Job.FUNCTION), job, out, source + r0 * word(job, Job.SOURCE_ROW),
                other + r0 * word(job, Job.OTHER_ROW), count, load(segment + 16), load(segment + 24),
            )  # fmt: skip
            r0 += count
        segment += _SEGMENT


@lru_cache(maxsize=2)
def driver(which: str = "run") -> int:
    """The address of the C function `void f(int64 table, int64 part)` of "pack" or "run"."""
    return c_function({"pack": pack, "run": run}[which], "void(int64, int64)")
