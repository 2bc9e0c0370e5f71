"""The gradient of an embedding's table on a GPU: sums of rows by index, in one order, the CPU's."""

from __future__ import annotations

from ..types import Array
from .place import Launch, Place
from .words import real_of

__all__ = ["summed_by_row"]

_WARPS = 8  # as in sources/rows.cuh


def summed_by_row(place: Place, index: Array, d: Array, rows: int) -> Array:
    """See `Elementwise.summed_by_row`: the same sums in the same order, so the same bits. Raises TypeError for a d that
    is neither float32 nor float64.

    index  int64, all from 0 to rows - 1
    """
    real, columns, xp = real_of("the sum of rows by index", d.dtype), d.shape[-1], place.xp
    total = xp.zeros((rows, columns), d.dtype)
    if d.size == 0:
        return total
    index, d = xp.ascontiguousarray(index).reshape(-1), xp.ascontiguousarray(d)
    order = xp.ascontiguousarray(xp.argsort(index, kind="stable").astype("int64", copy=False))
    chosen = index[order]
    table = place.table([index.size, columns, *map(place.address, (chosen, order, d, total))])
    blocks = -(-index.size // _WARPS), -(-columns // 32)
    place.module(real, "rows.cuh", "", "rows").repeat([Launch("summed_by_row", blocks, 32 * _WARPS, 0)], table, 1)
    return total
