"""What the compiled kernels have to compute with, and what they make of it: for `explain` and `rnnkit doctor`."""

from __future__ import annotations

import ctypes
import os
import time
from functools import lru_cache

import numba
import numpy as np

from . import jit, machine
from .drivers import word
from .emit.products import BLOCK
from .emit.vec import Lanes
from .parallel.cores import available
from .programs import products
from .words import address

__all__ = ["PEAK", "cache_folder", "facts", "peak", "threads"]

PEAK = "the tile's own product of a 480 x 64 matrix by one of 4 vectors, in one thread, best of 60, times the threads"
"""How `peak` is measured, times the threads that there are."""

_ROWS, _LENGTH, _CALLS = 480, 64, 60
_product = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 8)


def threads() -> str:
    """How many threads there are for kernels, and where the number comes from."""
    count, wish = available(), os.environ.get("RNNKIT_NUM_THREADS")
    why = "the cores this process may use" if wish is None else f"RNNKIT_NUM_THREADS={wish}"
    return f"{count}, {why}"


def cache_folder() -> str | None:
    """Where compiled code is kept for the next process; None where it is not kept."""
    path: str | None = getattr(getattr(word, "_cache", None), "cache_path", None)
    return path


def facts() -> dict[str, str]:
    """What there is, by name, a sentence each: lanes, threads, cache; and "lost", where something is."""
    found = {"lanes": machine.summary(), "threads": threads(), "cache": cache_folder() or "none"}
    found["numba"] = str(numba.__version__)
    missing = jit.lost()
    return found if missing is None else found | {"lost": missing}


@lru_cache(maxsize=2)
def peak(dtype: str) -> float:
    """Operations a second of one thread in the kernels' own register tile, from the first caches: see PEAK.

    Measured once, in a few milliseconds; what else runs on the machine is measured with it.
    """
    lanes = Lanes(dtype, machine.lanes(dtype))
    columns = BLOCK * lanes.count
    room = np.zeros((_ROWS + _LENGTH + 1) * columns * lanes.itemsize + _ROWS * _LENGTH * lanes.itemsize + 64, np.uint8)
    begin = -(-address(room) // 64) * 64
    panels = begin
    a = panels + _LENGTH * columns * lanes.itemsize
    out = a + _ROWS * _LENGTH * lanes.itemsize
    run = _product(products(lanes, machine.registers())["product"])
    line = columns * lanes.itemsize
    best = float("inf")
    for _ in range(_CALLS):
        start = time.perf_counter()
        run(out, line, a, _LENGTH * lanes.itemsize, _LENGTH, panels, _ROWS, columns)
        best = min(best, time.perf_counter() - start)
    return 2.0 * _ROWS * _LENGTH * columns / best
