"""Single passes over arrays, compiled: the bits of `elementwise.Elementwise`, which is the textbook.

Every operation is the textbook's, rounded once, in its order: nothing is contracted and no sum is taken in another
order. What is not a contiguous array of float32 or float64 is the textbook's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...elementwise import Decay, Elementwise, Row, decayed
from ...types import Array
from .. import memory
from ..jit import compiled
from .pcg64 import drawn
from .rules import RULES

__all__ = ["CompiledElementwise"]

_LARGE = 1 << 16  # bytes from which on memory is worth its keeping
_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class CompiledElementwise(Elementwise):
    """See `Elementwise`. A generator that is not NumPy's default one draws for itself."""

    origin = "numba"

    def dropout(self, rng: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: Any) -> Array:
        dtype = np.dtype(dtype)
        if dtype not in _DTYPES or type(getattr(rng, "bit_generator", None)) is not np.random.PCG64:
            return super().dropout(rng, shape, rate, dtype)
        scale = memory.empty(shape, dtype)
        drawn(rng, scale.reshape(-1), float(rate), dtype.type(1) / dtype.type(1 - rate))
        return scale

    def product(self, a: Array, b: Array) -> Array:
        if a.dtype != b.dtype:
            return super().product(a, b)
        return np.multiply(a, b, out=_room(a, a.shape) if b.shape != a.shape else memory.empty(a.shape, a.dtype))

    def total(self, a: Array, b: Array) -> Array:
        if a.dtype != b.dtype:
            return super().total(a, b)
        return np.add(a, b, out=_room(a, a.shape))

    def joined(self, *parts: Array) -> Array:
        first = parts[0]
        if any(part.dtype != first.dtype for part in parts):
            return super().joined(*parts)
        return np.concatenate(parts, axis=-1, out=_room(first, (*first.shape[:-1], sum(p.shape[-1] for p in parts))))

    def relu(self, a: Array) -> Array:
        if not _ours(a):
            return super().relu(a)
        y = memory.empty(a.shape, a.dtype)
        _relu(a.reshape(-1), y.reshape(-1))
        return y

    def relu_back(self, y: Array, d: Array) -> Array:
        if not _ours(y) or d.dtype != y.dtype:
            return super().relu_back(y, d)
        d = np.ascontiguousarray(d)
        da = memory.empty(d.shape, d.dtype)
        _relu_back(y.reshape(-1), d.reshape(-1), da.reshape(-1))
        return da

    def rows(self, table: Array, index: Array) -> Array:
        if table.dtype not in _DTYPES:
            return super().rows(table, index)
        found = memory.empty((*index.shape, table.shape[1]), table.dtype)
        # Checked indices need no clipping, and NumPy writes at once where it might.
        return np.take(table, index, axis=0, out=found, mode="clip")

    def summed_by_row(self, index: Array, d: Array, rows: int) -> Array:
        if d.dtype not in _DTYPES:
            return super().summed_by_row(index, d, rows)
        total = memory.zeros((rows, d.shape[-1]), d.dtype)
        _add_rows(index.reshape(-1), d.reshape(-1, d.shape[-1]), total)
        return total

    def moved(
        self, rule: str, numbers: Sequence[float], rows: Sequence[Row], decay: Decay | None = None
    ) -> list[Row | None]:
        kernel = RULES.get(rule)
        if kernel is None:
            return super().moved(rule, numbers, rows)
        if decay is not None:
            rows = [(decayed(p, decay), *rest) for p, *rest in rows]
        typed: dict[np.dtype[Any], Array] = {dtype: np.array(numbers, dtype) for dtype in _DTYPES}
        found: list[Row | None] = []
        for row in rows:
            if not _ours(*row):
                found.append(None)
                continue
            shape, dtype = row[0].shape, row[0].dtype
            make = memory.empty if row[0].nbytes > _LARGE else np.empty
            new = tuple([make(shape, dtype) for _ in row[1:]])
            kernel(*[a.ravel() for a in (*row, *new)], typed[dtype])
            found.append(new)
        return found


def _room(like: Array, shape: tuple[int, ...]) -> Array:
    """A new array of that shape, time-major in memory where `like` is."""
    if like.ndim == 3 and not like.flags.c_contiguous and abs(like.strides[0]) < abs(like.strides[1]):
        return memory.empty((shape[1], shape[0], shape[2]), like.dtype).swapaxes(0, 1)
    return memory.empty(shape, like.dtype)


def _ours(*arrays: Array) -> bool:
    """Whether these are ordinary arrays of one dtype. (A read-only one would be compiled for anew.)"""
    dtype = arrays[0].dtype
    return dtype in _DTYPES and all(a.dtype == dtype and a.flags.carray for a in arrays)


@compiled
def _relu(a, y):  # type: ignore[no-untyped-def]
    zero = a.dtype.type(0)
    for i in range(a.size):
        y[i] = zero if a[i] <= zero else a[i]


@compiled
def _relu_back(y, d, da):  # type: ignore[no-untyped-def]
    zero = y.dtype.type(0)
    for i in range(y.size):
        da[i] = d[i] if zero < y[i] else zero


@compiled
def _add_rows(index, d, total):  # type: ignore[no-untyped-def]
    for k in range(index.size):
        row = index[k]
        for i in range(d.shape[1]):
            total[row, i] += d[k, i]
