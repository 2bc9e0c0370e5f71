"""The sum of a matrix's rows on a GPU: as many blocks as it takes to read it fast, and the same bits always."""

from __future__ import annotations

from ..types import Array
from .place import Launch, Place
from .words import real_of

__all__ = ["sum_of_rows"]

_THREADS = 256  # as in sources/sums.cuh
_BLOCKS = 264  # that a large GPU is given to read, twice as many as it has multiprocessors
_FEWEST = 64  # rows of a chunk


def sum_of_rows(place: Place, a: Array) -> Array:
    """(columns,) from a (rows, columns), C-contiguous. How rows are cut depends on nothing but the shape. Raises
    TypeError for an a that is neither float32 nor float64.

    CuPy sums along the first axis too, by a block for 32 columns: with few columns and many rows most of a GPU idles.
    """
    real, (rows, columns), xp = real_of("the sum of rows", a.dtype), a.shape, place.xp
    if not a.size:
        return xp.zeros(columns, a.dtype)
    across = -(-columns // 32)
    chunk = max(_FEWEST, -(-rows // max(1, _BLOCKS // across)))
    chunks = -(-rows // chunk)
    parts, total = xp.empty((chunks, columns), a.dtype), xp.empty(columns, a.dtype)
    table = place.table([rows, columns, chunk, chunks, *map(place.address, (a, parts, total))])
    first = Launch("column_parts", (across, chunks), _THREADS, _THREADS * a.dtype.itemsize, as_argument=True)
    second = Launch("column_totals", (-(-columns // _THREADS), 1), _THREADS, 0, as_argument=True)
    place.module(real, "sums.cuh", "", "sums").repeat([first, second], table, 1)
    return total
