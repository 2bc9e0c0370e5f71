"""The products of a convolution as LLVM functions: y from x, and dx from dy.

    pack    the weights' numbers, gathered into the vectors that the others read
    across  vectors lie over the columns of the result, and each number of the operand meets a vector of weights
    along   vectors lie along the numbers of a tap, for results of few columns: a sum over lanes at the end
    apart   each channel by itself (depthwise): vectors lie over the channels of operand, weights and result alike

No row of the matrix that a textbook would gather is ever made: the numbers that a row meets are read where they stand,
by a list of offsets that is the same for all rows. Rows are computed in tiles of one height; the last tile of a stretch
reaches back over rows that are there already, and writes the same numbers again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from ..emit.code import Int, function
from ..emit.vec import Lanes
from .code import folded, get, highest, put, sizes, stretches, turns, word
from .drivers import Job

__all__ = ["BLOCK", "NAMES", "Sums"]

BLOCK = 4  # vectors of columns of a full tile
NAMES = ("pack", "across", "along", "apart")


@dataclass(frozen=True)
class Sums:
    """Writes the four functions into a module; all but `pack` are f(job, out, source, rows, first tap, last + 1)."""

    lanes: Lanes
    registers: int

    def functions(self, module: ir.Module) -> list[ir.Function]:
        return [getattr(self, f"_{name}")(module) for name in NAMES]

    def _pack(self, module: ir.Module) -> ir.Function:
        """f(to, weights, places, bytes between lanes, first vector, last + 1); see `Head.PLACES`"""
        code = function(module, "convolution_pack", 6)
        to, weights, places, lane, first, last = code.args
        lanes = self.lanes
        zero = lanes.vector([0.0] * lanes.count)
        near = lane.compare("==", lanes.itemsize)
        with code.loop(first, last) as k:
            source, count = weights + code.word(places + k * 16), code.word(places + k * 16 + 8)
            place = to + k * lanes.bytes
            with code.b.if_else(near) as (then, otherwise):
                with then:
                    inside = code.lanes_below(count, lanes.count)
                    vector = code.masked_load(source, lanes.vector, inside, lanes.itemsize)
                    code.store(vector, place, align=lanes.bytes)
                with otherwise:
                    code.store(zero, place, align=lanes.bytes)
                    with code.loop(0, count) as j:
                        number = code.load(source + j * lane, lanes.scalar, align=lanes.itemsize)
                        code.store(number, place + j * lanes.itemsize, align=lanes.itemsize)
        code.done()
        return code.f

    def _across(self, module: ir.Module) -> ir.Function:
        tiles = {
            (rows, n): self._across_tile(module, rows, n)
            for n in range(1, BLOCK + 1)
            for rows in sizes(n, self.registers)
        }
        code = function(module, "convolution_across", 6)
        job, out, source, rows, tap0, tap1 = code.args
        lanes = self.lanes
        depth, columns = word(code, job, Job.DEPTH), word(code, job, Job.COLUMNS)
        total = depth * word(code, job, Job.TAPS)
        offsets = word(code, job, Job.OFFSETS) + tap0 * depth * 8
        with code.loop(0, columns, BLOCK * lanes.count) as column:
            left = columns - column
            vectors = ((left + (lanes.count - 1)) // lanes.count).least(BLOCK)
            panel = (
                word(code, job, Job.PANELS) + (column * total + tap0 * depth * vectors * lanes.count) * lanes.itemsize
            )
            start = word(code, job, Job.START) + column * lanes.itemsize
            for n in code.choose(vectors, range(1, BLOCK + 1)):
                for height in highest(code, rows, sizes(n, self.registers)):
                    code.call(
                        tiles[height, n], job, out + column * lanes.itemsize, source, rows, offsets,
                        (tap1 - tap0) * depth, panel, start, left,
                    )  # fmt: skip
        code.done()
        return code.f

    def _across_tile(self, module: ir.Module, height: int, n: int) -> ir.Function:
        code = function(module, f"convolution_across_{height}x{n}", 9)
        job, out, source, rows, offsets, length, panel, start, left = code.args
        lanes = self.lanes
        out_row, row_bytes = word(code, job, Job.OUT_ROW), word(code, job, Job.SOURCE_ROW)
        inside = code.lanes_below(left - (n - 1) * lanes.count, lanes.count)
        full = left.compare(">=", n * lanes.count)  # a store with a mask is slow on processors that have no masks
        rooms = [[code.room(lanes.vector) for _ in range(n)] for _ in range(height)]
        apart = [row_bytes * r for r in range(height)]
        with stretches(code, rows, height) as row:
            for j in range(n):
                first = get(code, lanes, start + j * lanes.bytes, inside if j == n - 1 else None)
                for r in range(height):
                    code.b.store(first, rooms[r][j])
            here = source + row * row_bytes

            def turn(k: Int, here: Int = here) -> None:
                weights = panel + k * (n * lanes.bytes)
                vectors = [code.load(weights + j * lanes.bytes, lanes.vector, align=lanes.bytes) for j in range(n)]
                at = here + code.word(offsets + k * 8)
                for r in range(height):
                    number = code.load(at + apart[r], lanes.scalar, align=lanes.itemsize)
                    spread = code.spread(number, lanes.count)
                    for room, vector in zip(rooms[r], vectors, strict=True):
                        code.b.store(code.fma(spread, vector, code.b.load(room, typ=lanes.vector)), room)

            turns(code, length, turn)
            with code.b.if_else(full) as (plainly, partly):
                for way, mask in ((plainly, None), (partly, inside)):
                    with way:
                        for r in range(height):
                            place = out + (row + r) * out_row
                            for j in range(n):
                                value = code.b.load(rooms[r][j], typ=lanes.vector)
                                put(code, lanes, value, place + j * lanes.bytes, mask if j == n - 1 else None)
        code.done()
        return code.f

    def _along(self, module: ir.Module) -> ir.Function:
        heights = tuple(sorted({self.lanes.count, 1}, reverse=True))
        tiles = {height: self._along_tile(module, height) for height in heights}
        code = function(module, "convolution_along", 6)
        job, out, source, rows, tap0, tap1 = code.args
        lanes = self.lanes
        depth, taps, tail = (word(code, job, slot) for slot in (Job.DEPTH, Job.TAPS, Job.TAIL))
        whole = depth * taps
        vectors = whole + taps * code.flag(tail.compare(">", 0))
        with code.loop(0, word(code, job, Job.COLUMNS)) as column:
            panel = word(code, job, Job.PANELS) + column * vectors * lanes.bytes
            start = word(code, job, Job.START) + column * lanes.itemsize
            for height in highest(code, rows, heights):
                code.call(
                    tiles[height], job, out + column * lanes.itemsize, source, rows, tap0, tap1, panel, start, whole
                )
        code.done()
        return code.f

    def _along_tile(self, module: ir.Module, height: int) -> ir.Function:
        """A row's sum is spread over lanes until its end; then a tile's rows are folded into one vector."""
        code = function(module, f"convolution_along_{height}", 9)
        job, out, source, rows, tap0, tap1, panel, start, whole = code.args
        lanes = self.lanes
        out_row, row_bytes = word(code, job, Job.OUT_ROW), word(code, job, Job.SOURCE_ROW)
        depth, tail = word(code, job, Job.DEPTH), word(code, job, Job.TAIL)
        offsets = word(code, job, Job.OFFSETS)
        inside = code.lanes_below(tail, lanes.count)
        rooms = [code.room(lanes.vector) for _ in range(height)]
        apart = [row_bytes * r for r in range(height)]
        zero = lanes.vector([0.0] * lanes.count)
        made = code.room(lanes.vector)
        with stretches(code, rows, height) as row:
            for room in rooms:
                code.b.store(zero, room)
            here = source + row * row_bytes

            def turn(k: Int, mask: Any, here: Int = here) -> None:
                weights = code.load(panel + k * lanes.bytes, lanes.vector, align=lanes.bytes)
                at = here + code.word(offsets + k * 8)
                for r, room in enumerate(rooms):
                    vector = get(code, lanes, at + apart[r], mask)
                    code.b.store(code.fma(vector, weights, code.b.load(room, typ=lanes.vector)), room)

            with code.loop(tap0 * depth, tap1 * depth) as k:
                turn(k, None)
            with code.when(tail.compare(">", 0)), code.loop(whole + tap0, whole + tap1) as k:
                turn(k, inside)
            bias = code.spread(code.load(start, lanes.scalar, align=lanes.itemsize), lanes.count)
            total = folded(code, [code.b.load(room, typ=lanes.vector) for room in rooms])
            code.b.store(code.b.fadd(total, bias), made)
            for r in range(height):
                number = code.load(code.address(made) + r * lanes.itemsize, lanes.scalar, align=lanes.itemsize)
                code.store(number, out + (row + r) * out_row, align=lanes.itemsize)
        code.done()
        return code.f

    def _apart(self, module: ir.Module) -> ir.Function:
        heights = sizes(1, self.registers)
        tiles = {height: self._apart_tile(module, height) for height in heights}
        code = function(module, "convolution_apart", 6)
        job, out, source, rows, tap0, tap1 = code.args
        lanes = self.lanes
        columns, taps = word(code, job, Job.COLUMNS), word(code, job, Job.TAPS)
        with code.loop(0, columns, lanes.count) as column:
            across = column * lanes.itemsize
            panel = word(code, job, Job.PANELS) + (column * taps + tap0 * lanes.count) * lanes.itemsize
            for height in highest(code, rows, heights):
                code.call(
                    tiles[height], job, out + across, source + across, rows, tap0, tap1 - tap0, panel,
                    word(code, job, Job.START) + across, columns - column,
                )  # fmt: skip
        code.done()
        return code.f

    def _apart_tile(self, module: ir.Module, height: int) -> ir.Function:
        code = function(module, f"convolution_apart_{height}", 9)
        job, out, source, rows, tap0, length, panel, start, left = code.args
        lanes = self.lanes
        out_row, row_bytes = word(code, job, Job.OUT_ROW), word(code, job, Job.SOURCE_ROW)
        offsets = word(code, job, Job.OFFSETS) + tap0 * 8
        inside = code.lanes_below(left, lanes.count)
        rooms = [code.room(lanes.vector) for _ in range(height)]
        apart = [row_bytes * r for r in range(height)]
        with stretches(code, rows, height) as row:
            first = get(code, lanes, start, inside)
            for room in rooms:
                code.b.store(first, room)
            with code.loop(0, length) as k:
                weights = code.load(panel + k * lanes.bytes, lanes.vector, align=lanes.bytes)
                at = source + row * row_bytes + code.word(offsets + k * 8)
                for r, room in enumerate(rooms):
                    vector = get(code, lanes, at + apart[r], inside)
                    code.b.store(code.fma(vector, weights, code.b.load(room, typ=lanes.vector)), room)
            for r, room in enumerate(rooms):
                put(code, lanes, code.b.load(room, typ=lanes.vector), out + (row + r) * out_row, inside)
        code.done()
        return code.f
