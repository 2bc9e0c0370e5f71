"""The sums over rows of a convolution's way back as LLVM functions: dW and db.

    summed  dW[k, o] += sum over rows of (number k of what the row meets) dy[row, o]
    turned  dW[tap, o, c] += sum over rows of dy[row, o] (channel c of what the tap meets): for few filters
    parted  dW[tap, c] += sum over rows of (what the tap meets)[c] dy[row, c]: each channel by itself (depthwise)

A tile of dW stays in registers over all rows of a call, and is then added to memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from ..emit.code import function
from ..emit.tile import vectors_at
from ..emit.vec import Lanes
from .code import lowest, sizes, word
from .drivers import Job
from .tiles import BLOCK

__all__ = ["GRADIENT_NAMES", "Gradients"]

GRADIENT_NAMES = ("summed", "turned", "parted")


@dataclass(frozen=True)
class Gradients:
    """Writes the three functions into a module; each is f(job, dW, source, dy, rows, first tap, last + 1)."""

    lanes: Lanes
    registers: int

    def functions(self, module: ir.Module) -> list[ir.Function]:
        product = self._product(module)
        return [self._summed(module, product), self._turned(module, product), self._parted(module)]

    def _summed(self, module: ir.Module, product: ir.Function) -> ir.Function:
        code = function(module, "convolution_summed", 7)
        job, out, source, other, rows, tap0, tap1 = code.args
        depth, line = word(code, job, Job.DEPTH), word(code, job, Job.OUT_ROW)
        code.call(
            product, out + tap0 * depth * line, line, source, word(code, job, Job.SOURCE_ROW),
            word(code, job, Job.OFFSETS) + tap0 * depth * 8, (tap1 - tap0) * depth, other,
            word(code, job, Job.OTHER_ROW), rows, word(code, job, Job.COLUMNS),
        )  # fmt: skip
        code.done()
        return code.f

    def _turned(self, module: ir.Module, product: ir.Function) -> ir.Function:
        code = function(module, "convolution_turned", 7)
        job, out, source, other, rows, tap0, tap1 = code.args
        height, line = word(code, job, Job.DEPTH), word(code, job, Job.OUT_ROW)
        steps = word(code, job, Job.STEPS)
        with code.loop(tap0, tap1) as tap:
            code.call(
                product, out + tap * height * line, line, other, word(code, job, Job.OTHER_ROW),
                word(code, job, Job.OFFSETS), height, source + code.word(steps + tap * 8),
                word(code, job, Job.SOURCE_ROW), rows, word(code, job, Job.COLUMNS),
            )  # fmt: skip
        code.done()
        return code.f

    def _parted(self, module: ir.Module) -> ir.Function:
        heights = sizes(1, self.registers)
        tiles = {m: self._tile(module, m, 1, spread=False) for m in heights}
        code = function(module, "convolution_parted", 7)
        job, out, source, other, rows, tap0, tap1 = code.args
        line, columns = word(code, job, Job.OUT_ROW), word(code, job, Job.COLUMNS)
        offsets = word(code, job, Job.OFFSETS)
        with code.loop(0, columns, self.lanes.count) as column:
            at = column * self.lanes.itemsize
            for m, k, left in lowest(code, tap1 - tap0, heights):
                code.call(
                    tiles[m], out + (tap0 + k) * line + at, line, source + at, word(code, job, Job.SOURCE_ROW),
                    offsets + (tap0 + k) * 8, left, other + at, word(code, job, Job.OTHER_ROW), rows, columns - column,
                )  # fmt: skip
        code.done()
        return code.f

    def _product(self, module: ir.Module) -> ir.Function:
        """f(C, bytes of a row of C, A, bytes of a row of A, offsets of A's columns, how many, B, bytes of a row of B,
        rows, columns of B): C += A^T B"""
        tiles = {
            (m, n): self._tile(module, m, n, spread=True) for n in range(1, BLOCK + 1) for m in sizes(n, self.registers)
        }
        code = function(module, "convolution_product", 10)
        c, c_row, a, a_row, offsets, height, b, b_row, rows, columns = code.args
        lanes = self.lanes
        with code.loop(0, columns, BLOCK * lanes.count) as column:
            left = columns - column
            vectors = ((left + (lanes.count - 1)) // lanes.count).least(BLOCK)
            at = column * lanes.itemsize
            for n in code.choose(vectors, range(1, BLOCK + 1)):
                for m, k, more in lowest(code, height, sizes(n, self.registers)):
                    code.call(
                        tiles[m, n], c + k * c_row + at, c_row, a, a_row, offsets + k * 8, more, b + at, b_row, rows,
                        left,
                    )  # fmt: skip
        code.done()
        return code.f

    def _tile(self, module: ir.Module, m: int, n: int, spread: bool) -> ir.Function:
        """spread: a number of A meets a whole row of B; else a vector of A meets the vector of B of its own lanes.

        What a tile has more than is left is computed from the last offset again, and not added.
        """
        code = function(module, f"convolution_{'sum' if spread else 'part'}_{m}x{n}", 10)
        c, c_row, a, a_row, offsets, left, b, b_row, rows, columns = code.args
        lanes = self.lanes
        inside = code.lanes_below(columns - (n - 1) * lanes.count, lanes.count)
        zero = lanes.vector([0.0] * lanes.count)
        rooms = [[code.room(lanes.vector) for _ in range(n)] for _ in range(m)]
        for row in rooms:
            for room in row:
                code.b.store(zero, room)
        at = [a + code.word(offsets + (left - 1).least(k) * 8) for k in range(m)]
        with code.loop(0, rows) as r:
            vectors = vectors_at(code, lanes, b + r * b_row, n, inside)
            for k in range(m):
                place = at[k] + r * a_row
                if spread:
                    number = code.load(place, lanes.scalar, align=lanes.itemsize)
                    factor = code.spread(number, lanes.count)
                else:
                    factor = code.masked_load(place, lanes.vector, inside, lanes.itemsize)
                for room, vector in zip(rooms[k], vectors, strict=True):
                    code.b.store(code.fma(factor, vector, code.b.load(room, typ=lanes.vector)), room)
        for k in range(m):
            with code.when(left.compare(">", k)):
                place = c + c_row * k
                for j, (room, old) in enumerate(zip(rooms[k], vectors_at(code, lanes, place, n, inside), strict=True)):
                    total = code.b.fadd(old, code.b.load(room, typ=lanes.vector))
                    if j < n - 1:
                        code.store(total, place + j * lanes.bytes, align=lanes.itemsize)
                    else:
                        code.masked_store(total, place + j * lanes.bytes, inside, lanes.itemsize)
        code.done()
        return code.f
