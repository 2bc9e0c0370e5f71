"""How the work of a recurrence is divided among threads.

By rows: each thread takes some rows through all steps and never waits. By units: each takes some units of every row,
and all meet after every level of every step. The second pays where there are few rows, or where the weights of all
units do not fit into the cache of one core while its rows are too few to read them seldom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..contract import Cell
from .emit.tile import WIDEST
from .machine import cache_bytes
from .parallel.cores import available

__all__ = ["Split", "choose"]

_WORTH = 4e5  # multiply-adds of all steps below which a second thread costs more than it brings
_WORTH_A_STEP = 3e4  # of one step, below which meeting after it costs more
_CACHES = 2  # of a core's second caches: weights beyond that are divided rather than read by every thread
_ROWS = 12  # a part with fewer rows than this reads its weights too often


@dataclass(frozen=True)
class Split:
    """parts  how many; by_units: what is divided; reason: why, in words"""

    parts: int
    by_units: bool
    reason: str

    def among(self, threads: int) -> Split:
        """The same with the threads that there are."""
        if threads >= self.parts:
            return self
        return replace(self, parts=threads, by_units=self.by_units and threads > 1, reason="other threads are busy")

    def vectors(self, count: int) -> int:
        """Vectors of units that a part takes: whole tiles."""
        if not self.by_units:
            return count
        tiles = -(-count // WIDEST)
        return -(-tiles // self.parts) * WIDEST


_LITTLE = Split(1, False, "too little work to share")


def choose(cell: Cell, T: int, B: int, F: int, H: int, itemsize: int, lanes: int) -> Split:
    """The division for a recurrence of those sizes on the threads that this process may use."""
    step = float(B * len(cell.gates) * H * (F + H))
    if step * T < _WORTH:
        return _LITTLE
    threads = available()
    if threads == 1:
        return Split(1, False, "one thread")
    tiles = math.ceil(math.ceil(H / lanes) / WIDEST)
    few = _ROWS * threads > B
    if few and tiles >= 2 and step >= _WORTH_A_STEP:
        return Split(min(threads, tiles), True, f"{B} rows are few for {threads} threads")
    weights = (F + H) * len(cell.gates) * H * itemsize
    if tiles >= 2 * threads and weights > _CACHES * cache_bytes(2):
        return Split(threads, True, f"{weights >> 20} MiB of weights do not fit into the cache of a core")
    if B == 1:
        return Split(1, False, "one row, and too few units to share")
    return Split(min(threads, B), False, "every thread has rows enough")
