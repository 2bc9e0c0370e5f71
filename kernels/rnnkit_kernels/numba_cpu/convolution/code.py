"""What the functions of a convolution are written with: heights of tiles, and loops over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from ..emit.code import Code, Int
from ..emit.vec import Lanes
from .drivers import Job

__all__ = ["folded", "get", "highest", "lowest", "put", "sizes", "stretches", "turns", "word"]


def sizes(columns: int, registers: int) -> tuple[int, ...]:
    """The heights of tiles of so many vectors of columns, highest first: sums, weights and an operand fit into the
    registers, and the rows' addresses into those for whole numbers."""
    most = max(1, min(8, (registers - 1 - columns) // columns))
    return tuple(sorted({most, max(1, most // 2), 1}, reverse=True))


def word(code: Code, job: Int, slot: Job) -> Int:
    return code.word(job + 8 * slot)


@contextmanager
def stretches(code: Code, rows: Int, height: int) -> Iterator[Int]:
    """The first row of every tile; there are at least as many rows as a tile has."""
    with code.loop(0, rows, height) as at:
        yield at.least(rows - height)


def highest(code: Code, rows: Int, heights: tuple[int, ...]) -> Iterator[int]:
    """for height in highest(...): what is written in the loop's body runs for the highest tile that the rows fill."""
    which = code.number(0)
    for height in heights[:-1]:
        which += code.flag(rows.compare("<", height))
    for k in code.choose(which, range(len(heights))):
        yield heights[k]


def turns(code: Code, length: Int, turn: Callable[[Int], None]) -> None:
    """turn(0) .. turn(length - 1), two to a round."""
    whole = length - length % 2
    with code.loop(0, whole, 2) as k:
        turn(k)
        turn(k + 1)
    with code.when(whole.compare("<", length)):
        turn(whole)


def folded(code: Code, vectors: list[Any]) -> Any:
    """Lane r is the sum over the lanes of vector r; with one vector, lane 0.

    Two vectors become one whose lanes are sums of neighbours, first those of the one, then those of the other.
    """
    count = vectors[0].type.count
    order = ir.VectorType(ir.IntType(32), count)
    while count > 1:
        pairs = list(zip(vectors[::2], vectors[1::2], strict=True)) if len(vectors) > 1 else [(vectors[0], vectors[0])]
        even, odd = order(list(range(0, 2 * order.count, 2))), order(list(range(1, 2 * order.count, 2)))
        vectors = [code.b.fadd(code.b.shuffle_vector(a, b, even), code.b.shuffle_vector(a, b, odd)) for a, b in pairs]
        count //= 2
    return vectors[0]


def lowest(code: Code, height: Int, heights: tuple[int, ...]) -> Iterator[tuple[int, Int, Int]]:
    """Tiles one below the other, as (height, first line, lines left): the lowest that holds all that is left, else the
    highest."""
    with code.loop(0, height, heights[0]) as k:
        left = height - k
        which = code.number(0)
        for m in heights[1:]:
            which += code.flag(left.compare("<=", m))
        for j in code.choose(which, range(len(heights))):
            yield heights[j], k, left


def get(code: Code, lanes: Lanes, address: Int, mask: Any | None) -> Any:
    """Loaded from anywhere; with a mask only its lanes."""
    if mask is None:
        return code.load(address, lanes.vector, align=lanes.itemsize)
    return code.masked_load(address, lanes.vector, mask, lanes.itemsize)


def put(code: Code, lanes: Lanes, value: Any, address: Int, mask: Any | None) -> None:
    """Stored anywhere; with a mask only its lanes."""
    if mask is None:
        code.store(value, address, align=lanes.itemsize)
    else:
        code.masked_store(value, address, mask, lanes.itemsize)
