"""A level of a cell as LLVM functions: product tiles, and the level's program as their epilogue.

The tile's accumulators reach the program through a buffer on the stack, and the program stands once, in a loop over the
rows and vectors of the tile: every height of tile gives the same bits for the same products, and compiles no more code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from ...expressions import Node, substitute
from ...levels import Level, Lowered, is_uniform
from ...replay import Replay
from ..table import Layout
from .code import Code, Int, function
from .places import Places
from .products import BLOCK
from .tile import WIDEST, Phase, fill, heights
from .vec import Lanes, Vec, VecFunctions

__all__ = ["Emitter", "units_a_tile"]


def units_a_tile(level: Level) -> int:
    """How many vectors of units a tile of the level takes; on the way back as many as weights are packed for there."""
    if any(column.name == "d.h" or column.name.startswith("m.") for column in level.columns):
        return BLOCK
    return max(1, WIDEST // max(1, len(level.columns)))


@dataclass(frozen=True)
class Emitter:
    """Writes the functions of a lowered program into a module.

    Each is  f(table, t, place, part, first row, last row + 1, first vector of units, last + 1):  step t, which stands
    at `place` in the ring of gradient columns.
    """

    module: ir.Module
    lanes: Lanes
    registers: int
    lowered: Lowered
    layout: Layout
    prefix: str

    @property
    def collected(self) -> dict[str, str]:
        """How each row sum is collected."""
        return {name: how for level in self.lowered.levels for name, how in level.sums.items()}

    def functions(self) -> list[ir.Function]:
        """One for each level."""
        return [self._level(k, level) for k, level in enumerate(self.lowered.levels)]

    def _level(self, number: int, level: Level) -> ir.Function:
        epilogue = self._epilogue(number, level)
        code = function(self.module, f"{self.prefix}_level{number}", 8)
        table, t, place, part, r0, r1, w0, w1 = code.args
        if not level.columns:
            code.call(epilogue, table, t, place, part, r0, r1 - r0, w0, w1 - w0, 1, 0)
            code.done()
            return code.f
        upt, wide = units_a_tile(level), len(level.columns)
        tiles = {
            (n, rows): self._tile(number, level, n, rows)
            for n in range(1, upt + 1)
            for rows in heights(n * wide, self.registers)
        }
        most = {n: max(rows for m, rows in tiles if m == n) for n in range(1, upt + 1)}
        buffer = code.address(code.room(self.lanes.vector, max(n * wide * most[n] for n in most)))
        with code.loop(w0, w1, upt) as w:
            first = code.flag(w.compare("==", w0))
            for n in code.choose((w1 - w).least(upt), range(1, upt + 1)):
                at = code.variable(r0)
                with code.until(at, r1) as row:
                    left = r1 - row
                    count = (left + (most[n] - 1)) // most[n]
                    rows = (left + count - 1) // count  # tiles of about the same height: a low one wastes its loads
                    for height in code.choose(rows, range(1, most[n] + 1)):
                        code.call(tiles[n, height], table, t, place, row, w, buffer)
                    code.call(epilogue, table, t, place, part, row, rows, w, n, first, buffer)
                    at.set(row + rows)
        code.done()
        return code.f

    def _tile(self, number: int, level: Level, n: int, rows: int) -> ir.Function:
        code = function(self.module, f"{self.prefix}_level{number}_{rows}x{n}", 6)
        table, t, place, row, w, buffer = code.args
        places = self._places(code, table, t, place)
        wide, upt, lanes = len(level.columns), units_a_tile(level), self.lanes
        if self.lowered.gradient is None:
            bias = places.slot(f"bias.{number}") + w * (wide * lanes.bytes)

            def start(column: int) -> Any:
                return code.load(bias + column * lanes.bytes, lanes.vector, align=lanes.bytes)
        else:

            def start(column: int) -> Any:
                return lanes.vector([0.0] * lanes.count)

        phases = []
        for j, product in enumerate(level.products):
            operand, stride, length = places.operand(product.operand, row)
            breadth = product.last - product.first
            panel = places.slot(f"panel.{number}.{j}") + (w // upt) * length * (upt * breadth * lanes.bytes)
            columns = [v * wide + c for v in range(n) for c in range(product.first, product.last)]
            phases.append(Phase(operand, stride, length, panel, columns))
        fill(code, lanes, rows, n * wide, start, phases, buffer)
        code.done()
        return code.f

    def _epilogue(self, number: int, level: Level) -> ir.Function:
        """f(table, t, place, part, first row, rows, first vector of units, vectors, whether it is the row's first,
        buffer)"""
        code = function(self.module, f"{self.prefix}_level{number}_program", 10)
        table, t, place, part, row0, rows, w0, count, first, buffer = code.args
        F = VecFunctions(code.b, self.lanes)
        places = self._places(code, table, t, place)
        uniform, program = _parted(level, self.lowered.uniform)
        wide = len(level.columns)
        at_column = {c.name: k for k, c in enumerate(level.columns)}
        with code.loop(0, rows) as r:
            row = row0 + r
            places.at_row(row)
            known = uniform(F, _Leaves(places.number, uniform.leaves))
            for name, value in known.items():
                if not name.startswith("uniform."):
                    places.store_number(name, F.value(value))
            with code.loop(0, count) as v:
                places.at_vector(w0 + v)

                def leaf(name: str) -> Any:
                    if name in known:
                        return known[name]
                    if name in at_column:
                        offset = ((r * count + v) * wide + at_column[name]) * self.lanes.bytes
                        return places.accumulated(name, self._buffered(code, buffer + offset))
                    return places.load(name)

                values = program(F, _Leaves(leaf, tuple(dict.fromkeys((*at_column, *program.leaves)))))
                opening = code.b.and_(first.compare("==", 1), v.compare("==", 0))
                for name, value in values.items():
                    places.store(name, F.value(value), level.sums.get(name), part, opening)
        code.done()
        return code.f

    def _places(self, code: Code, table: Int, t: Int, place: Int) -> Places:
        return Places(code, self.lanes, self.layout, self.collected, self.lowered.gradient, table, t, place)

    def _buffered(self, code: Code, address: Int) -> Vec:
        return Vec(code.b, self.lanes, code.load(address, self.lanes.vector, align=self.lanes.bytes))


class _Leaves(dict[str, Any]):
    """Leaves by name, each loaded once, all before the program begins."""

    def __init__(self, load: Callable[[str], Any], names: tuple[str, ...]) -> None:
        super().__init__({name: load(name) for name in names})


def _parted(level: Level, known: frozenset[str]) -> tuple[Replay, Replay]:
    """The part of a level's program that is one number a row, and the rest of it, which finds those as leaves."""
    numbers = {name: node for name, node in level.outputs.items() if name.startswith("k.") and is_uniform(node, known)}
    vectors = {name: node for name, node in level.outputs.items() if name not in numbers}
    once, given = dict(numbers), dict[Node, Node]()

    def visit(node: Node) -> None:
        if node.op == "const" or node in given:
            return
        if is_uniform(node, known):
            name = f"uniform.{len(given)}"
            once[name], given[node] = node, node.graph.leaf(name)
        else:
            for a in node.args:
                visit(a)

    for node in vectors.values():
        visit(node)
    return Replay(once), Replay(substitute(vectors, given))
