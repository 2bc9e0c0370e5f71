"""Arrays whose memory is used again: fresh pages cost more than the arithmetic that fills them.

`empty` and `zeros` give ordinary arrays. When the last view of one dies, its memory goes to a list of the process, and
the next array of about that size gets it.
"""

from __future__ import annotations

import atexit
import math
import os
from bisect import bisect_left, insort
from collections import deque
from operator import index
from threading import Lock
from typing import Any

import numpy as np

from ..types import Array

__all__ = ["Pool", "empty", "held", "release", "zeros"]

_SMALL = 256 << 10  # bytes below which the allocator, once it has grown, is quicker than the list
_PAGE = 4096
_WAIT = 0.01  # seconds to wait for the list: a finaliser that asks for memory while it is held gets fresh pages


class _Lease:
    """What an array's memory belongs to: dies with the array's last view, and gives the memory back."""

    __slots__ = ("__array_interface__", "_address", "_pool", "_raw")

    def __init__(self, pool: Pool, raw: Array, address: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._pool, self._raw, self._address = pool, raw, address
        self.__array_interface__ = {"version": 3, "shape": shape, "typestr": dtype.str, "data": (address, False)}

    def __del__(self) -> None:
        self._pool.give(self._raw, self._address)


class Pool:
    """Memory that is free to be used again. limit: bytes kept at most, the oldest going first.

    A block is used again for an array of at least 4/5 of its size. Safe for threads, for finalisers that run at any
    point of any of them, and after a fork.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._closed = False
        self.forget()

    def forget(self) -> None:
        """Begins anew, whatever another thread was doing: for the child of a fork."""
        self._lock = Lock()
        self._given: deque[tuple[Array, int]] = deque()  # not yet in the list; append and popleft are atomic
        self._blocks: dict[int, tuple[Array, int]] = {}  # serial -> block, oldest first
        self._sizes: list[tuple[int, int]] = []  # (size, serial), sorted
        self._bytes = 0
        self._serial = 0

    def take(self, size: int) -> tuple[Array, int]:
        """A block of at least `size` bytes: what holds it, and the address of its first byte, a multiple of 64."""
        size = -(-size // _PAGE) * _PAGE
        if self._lock.acquire(timeout=_WAIT):
            try:
                self._sort()
                block = self._find(size)
                self._serial += 1
            finally:
                self._lock.release()
            self._settle()
            if block is not None:
                return block
        raw = np.empty(size + _PAGE, np.uint8)
        # The allocator starts every large block at the same place of a page. Arrays that are walked through together
        # would meet in the same sets of the cache: 27 lines on each time, all 64 lines of a page are used in turn.
        line = (self._serial * 27 & 63) * 64
        return raw, raw.ctypes.data + (line - raw.ctypes.data) % _PAGE

    def give(self, raw: Array, address: int) -> None:
        """Takes a block back. Never waits: a finaliser may interrupt the very thread that holds the list."""
        if not self._closed:
            self._given.append((raw, address))
            self._settle()

    def held(self) -> int:
        """Bytes that are free to be used again."""
        return self._bytes + sum(raw.nbytes - _PAGE for raw, _ in self._given.copy())

    def release(self) -> None:
        """Gives all free memory back to the system."""
        with self._lock:
            self._given.clear()
            self._blocks.clear()
            self._sizes.clear()
            self._bytes = 0

    def close(self) -> None:
        """From now on memory goes back to the system at once: the interpreter ends."""
        self._closed = True

    def _settle(self) -> None:
        """Puts what was given into the list, unless somebody holds it: who does looks again after letting it go."""
        while self._given and self._lock.acquire(blocking=False):
            try:
                self._sort()
            finally:
                self._lock.release()

    def _sort(self) -> None:
        while self._given:
            raw, address = self._given.popleft()
            size = raw.nbytes - _PAGE
            if size > self.limit:
                continue
            self._serial += 1
            self._blocks[self._serial] = raw, address
            insort(self._sizes, (size, self._serial))
            self._bytes += size
            while self._bytes > self.limit:
                self._drop(next(iter(self._blocks)))

    def _find(self, size: int) -> tuple[Array, int] | None:
        at = bisect_left(self._sizes, (size, 0))
        if at == len(self._sizes) or self._sizes[at][0] > size * 5 // 4:
            return None
        newest = bisect_left(self._sizes, (self._sizes[at][0] + 1, 0)) - 1  # likeliest to be in the cache
        return self._drop(self._sizes[newest][1])

    def _drop(self, serial: int) -> tuple[Array, int]:
        block = self._blocks.pop(serial)
        size = block[0].nbytes - _PAGE
        del self._sizes[bisect_left(self._sizes, (size, serial))]
        self._bytes -= size
        return block


def _limit() -> int:
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # a system that does not tell
        physical = 0
    return min(256 << 20, physical // 16) if physical > 0 else 256 << 20


_POOL = Pool(_limit())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOL.forget)
atexit.register(_POOL.close)


def empty(shape: int | tuple[int, ...] | list[int], dtype: Any) -> Array:
    """An array of that shape and dtype, C-contiguous and writeable, with any numbers in it.

    From 256 KiB on it starts at a multiple of 64 bytes and its memory is used again after the death of its last view;
    smaller ones, and dtypes that are not plain numbers, are `np.empty`'s. Raises what `np.empty` raises.
    """
    array = _recycled(shape, np.dtype(dtype))
    return np.empty(shape, dtype) if array is None else array


def zeros(shape: int | tuple[int, ...] | list[int], dtype: Any) -> Array:
    """`empty`, filled with zeros."""
    array = _recycled(shape, np.dtype(dtype))
    if array is None:
        return np.zeros(shape, dtype)
    array.fill(0)
    return array


def _recycled(shape: int | tuple[int, ...] | list[int], dtype: np.dtype[Any]) -> Array | None:
    """The array of `empty`, or None where it is NumPy's to make it, or to refuse."""
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    size = math.prod(sizes) * dtype.itemsize
    if size < _SMALL or min(sizes) < 0 or dtype.kind not in "biufc":
        return None
    sizes = tuple(map(index, sizes))
    return np.asarray(_Lease(_POOL, *_POOL.take(size), sizes, dtype))


def held() -> int:
    """Bytes of memory that are free to be used again: 256 MiB or 1/16 of the machine's memory at most."""
    return _POOL.held()


def release() -> None:
    """Gives the memory that is free to be used again back to the system."""
    _POOL.release()
