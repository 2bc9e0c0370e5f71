"""A product with few columns: sums along k instead of tiles, whose vectors would be empty but for a lane or two.

pack_lines  rows of a weight matrix (F, G*H), the gates in another order
narrow      out = A B^T: every number of `out` is the sum of a row of A times a row of B, in vectors along k
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from .code import Code, function
from .vec import Lanes

__all__ = ["NARROW", "Narrow"]

NARROW = 4  # columns up to which sums along k are the faster way
_ROWS = 8  # sums that are under way at once


class Narrow:
    """Writes the two functions into a module."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes

    def pack_lines(self, module: ir.Module) -> ir.Function:
        """f(to, from, bytes of a row, -, H, gates, how many, -, first row, last + 1)"""
        code = function(module, "pack_lines", 10)
        to, source, line, _, units, gates, breadth, _, first, last = code.args
        lanes = self.lanes
        with code.loop(first, last) as row, code.loop(0, breadth) as g:
            start = to + (row * breadth + g) * units * lanes.itemsize
            gate = code.word(gates + g * 8)
            with code.loop(0, units, lanes.count) as unit:
                inside = code.lanes_below(units - unit, lanes.count)
                address = source + row * line + (gate * units + unit) * lanes.itemsize
                vector = code.masked_load(address, lanes.vector, inside, lanes.itemsize)
                code.masked_store(vector, start + unit * lanes.itemsize, inside, lanes.itemsize)
        code.done()
        return code.f

    def narrow(self, module: ir.Module) -> ir.Function:
        """f(out, bytes of a row of out, A, bytes of a row of A, K, B, rows, N)"""
        strips = {count: self._strip(module, count) for count in (_ROWS, 1)}
        code = function(module, "narrow", 8)
        out, out_row, a, a_row, length, b, rows, columns = code.args
        whole = rows - rows % _ROWS
        for count, first, last in ((_ROWS, code.number(0), whole), (1, whole, rows)):
            with code.loop(first, last, count) as row, code.loop(0, columns) as n:
                place = out + row * out_row + n * self.lanes.itemsize
                code.call(
                    strips[count], place, out_row, a + row * a_row, a_row, length, b + n * length * self.lanes.itemsize
                )
        code.done()
        return code.f

    def _strip(self, module: ir.Module, rows: int) -> ir.Function:
        """f(out, bytes to its next row, A, bytes of a row of A, K, a row of B)"""
        code = function(module, f"narrow_{rows}", 6)
        out, out_row, a, a_row, length, b = code.args
        lanes = self.lanes
        rooms = [code.room(lanes.vector) for _ in range(rows)]
        for room in rooms:
            code.b.store(lanes.vector([0.0] * lanes.count), room)
        whole = length - length % lanes.count

        def turn(k: Any, inside: Any | None) -> None:
            at = k * lanes.itemsize
            weight = self._read(code, b + at, inside)
            for r, room in enumerate(rooms):
                number = self._read(code, a + a_row * r + at, inside)
                code.b.store(code.fma(number, weight, code.b.load(room, typ=lanes.vector)), room)

        with code.loop(0, whole, lanes.count) as k:
            turn(k, None)
        with code.when(whole.compare("<", length)):
            turn(whole, code.lanes_below(length - whole, lanes.count))
        for r, room in enumerate(rooms):
            total = code.joined(code.b.load(room, typ=lanes.vector), code.b.fadd)
            number = code.b.extract_element(total, ir.IntType(32)(0))
            code.store(number, out + out_row * r, align=lanes.itemsize)
        code.done()
        return code.f

    def _read(self, code: Code, address: Any, inside: Any | None) -> Any:
        lanes = self.lanes
        if inside is None:
            return code.load(address, lanes.vector, align=lanes.itemsize)
        return code.masked_load(address, lanes.vector, inside, lanes.itemsize)
