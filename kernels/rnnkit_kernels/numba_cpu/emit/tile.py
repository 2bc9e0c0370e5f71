"""The register tile: accumulators for some rows and units, filled by loops over k, held in vector registers.

With R rows and C vectors of columns there are R C accumulators. Each turn of a k loop loads C vectors of weights and
R numbers of the operand and multiplies them all: R C fused multiply-adds for R + C loads. The accumulators of one tile
go through all of its products (x, then h) before they are written to a small buffer on the stack.

Few accumulators cannot hide the time that a multiply-add takes, so small tiles have several sets of them, which take
turns in k and are added up at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .code import Code, Int
from .vec import Lanes

__all__ = ["WIDEST", "Phase", "fill", "heights", "vectors_at"]

WIDEST = 4  # vectors of columns of the widest tile
_IN_FLIGHT = 8  # multiply-adds that are on their way at any time on current processors


@dataclass(frozen=True)
class Phase:
    """One product of a tile.

    operand  address of the first row; stride: bytes to the next
    length   how many k
    panel    address of the weights, (k, the phase's columns, lanes)
    columns  which accumulators of a row it adds to
    """

    operand: Int
    stride: Int
    length: Int
    panel: Int
    columns: Sequence[int]


def vectors_at(code: Code, lanes: Lanes, address: Int, count: int, inside: Any) -> list[Any]:
    """So many vectors that lie in a row, of the last one only the lanes inside."""
    vectors = [code.load(address + k * lanes.bytes, lanes.vector, align=lanes.itemsize) for k in range(count - 1)]
    last = code.masked_load(address + (count - 1) * lanes.bytes, lanes.vector, inside, lanes.itemsize)
    return [*vectors, last]


def heights(columns: int, registers: int) -> tuple[int, ...]:
    """How many rows a tile of so many vectors of columns may have: as many as the registers hold, at most 6."""
    most = max(1, min(6, (registers - 1 - columns) // columns))
    return tuple(range(most, 0, -1))


def fill(
    code: Code, lanes: Lanes, rows: int, columns: int, start: Callable[[int], Any], phases: Sequence[Phase], into: Int
) -> None:
    """Writes a tile: start(column) + the sum of all phases, stored to `into` as (row, column, lanes)."""
    sets = max(1, min(4, _IN_FLIGHT // (rows * columns)))
    zero = lanes.vector([0.0] * lanes.count)
    rooms = [[[code.room(lanes.vector) for _ in range(columns)] for _ in range(rows)] for _ in range(sets)]
    for column in range(columns):
        first = start(column)
        for k in range(sets):
            for r in range(rows):
                code.b.store(first if k == 0 else zero, rooms[k][r][column])
    for phase in phases:
        _run(code, lanes, rows, rooms, phase)
    for r in range(rows):
        for column in range(columns):
            parts = [code.b.load(rooms[k][r][column], typ=lanes.vector) for k in range(sets)]
            while len(parts) > 1:
                parts = [code.b.fadd(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            code.store(parts[0], into + (r * columns + column) * lanes.bytes, align=lanes.bytes)


def _run(code: Code, lanes: Lanes, rows: int, rooms: list[list[list[Any]]], phase: Phase) -> None:
    sets, width = len(rooms), len(phase.columns)
    turns = sets * max(1, min(4, 24 // (rows * width)) // sets) if sets > 1 else (2 if rows * width > 12 else 4)
    bases = [phase.operand + phase.stride * r for r in range(rows)]

    def turn(k: Int, which: int) -> None:
        weights = phase.panel + k * (width * lanes.bytes)
        at = k * lanes.itemsize
        vectors = [code.load(weights + c * lanes.bytes, lanes.vector, align=lanes.bytes) for c in range(width)]
        for r, base in enumerate(bases):
            a = code.spread(code.load(base + at, lanes.scalar, align=lanes.itemsize), lanes.count)
            for c, vector in zip(phase.columns, vectors, strict=True):
                room = rooms[which][r][c]
                code.b.store(code.fma(a, vector, code.b.load(room, typ=lanes.vector)), room)

    whole = phase.length - phase.length % turns
    with code.loop(0, whole, turns) as k:
        for j in range(turns):
            turn(k + j, j % sets)
    with code.loop(whole, phase.length) as k:
        turn(k, 0)
