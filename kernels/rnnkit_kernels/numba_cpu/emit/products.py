"""What all cells share: packing of weights, A^T B, and A B over packed weights, as LLVM functions.

    pack              columns of a weight matrix laid out as tiles read them: (block of units, k, vector, column, lane)
    pack_rows         vectors over units (biases, the cell's own) padded to whole vectors of lanes
    pack_transposed   the same for the transposed matrix: (block of rows, k, vector, lane)
    gradient          C += A^T B, the sum over steps and rows: a tile of C stays in registers over all of them
    product           out = A B with B packed

Sizes count numbers, strides and addresses bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from .code import Code, Int, function
from .narrow import Narrow
from .tile import Phase, fill, heights, vectors_at
from .vec import Lanes

__all__ = ["BLOCK", "NAMES", "Products"]

BLOCK = 2  # vectors of columns of a full tile of a product; four are no faster, and compile twice as long
_WIDTHS = (4, 2, 1)  # vectors of columns of a tile of the gradient
NAMES = ("pack", "pack_rows", "pack_transposed", "gradient", "product", "pack_lines", "narrow")


@dataclass(frozen=True)
class Products:
    """Writes the functions into a module, those of `narrow` among them."""

    lanes: Lanes
    registers: int

    def functions(self, module: ir.Module) -> list[ir.Function]:
        few = Narrow(self.lanes)
        made = {"pack_lines": few.pack_lines, "narrow": few.narrow}
        return [made[name](module) if name in made else getattr(self, f"_{name}")(module) for name in NAMES]

    def _pack(self, module: ir.Module) -> ir.Function:
        """f(to, from, bytes of a row, K, H, gates, gates a product has, vectors a block has, first vector, last + 1)"""
        code = function(module, "pack", 10)
        to, source, line, length, units, gates, breadth, upt, w0, w1 = code.args
        lanes = self.lanes
        with code.loop(w0, w1, upt) as w:
            n = (w1 - w).least(upt)
            start = to + w * length * breadth * lanes.bytes  # every block before it is full
            with code.loop(0, n) as v, code.loop(0, breadth) as c:
                gate = code.word(gates + c * 8)
                unit = (w + v) * lanes.count
                inside = code.lanes_below(units - unit, lanes.count)
                column = source + (gate * units + unit) * lanes.itemsize
                place = start + (v * breadth + c) * lanes.bytes
                with code.loop(0, length) as k:
                    vector = code.masked_load(column + k * line, lanes.vector, inside, lanes.itemsize)
                    code.store(vector, place + k * n * breadth * lanes.bytes, align=lanes.bytes)
        code.done()
        return code.f

    def _pack_rows(self, module: ir.Module) -> ir.Function:
        """f(to, from, add, H, gates, gates, first column, columns, -, -, first vector, last + 1): `add` 1 adds to
        what is there."""
        code = function(module, "pack_rows", 10)
        to, source, add, units, gates, breadth, first, wide, w0, w1 = code.args
        lanes = self.lanes
        keep = add.compare("!=", 0)
        with code.loop(w0, w1) as w, code.loop(0, breadth) as c:
            gate = code.word(gates + c * 8)
            inside = code.lanes_below(units - w * lanes.count, lanes.count)
            address = source + (gate * units + w * lanes.count) * lanes.itemsize
            vector = code.masked_load(address, lanes.vector, inside, lanes.itemsize)
            place = to + (w * wide + first + c) * lanes.bytes
            old = code.load(place, lanes.vector, align=lanes.bytes)
            total = code.b.select(keep, code.b.fadd(old, vector), vector)
            code.store(total, place, align=lanes.bytes)
        code.done()
        return code.f

    def _pack_transposed(self, module: ir.Module) -> ir.Function:
        """f(to, from, bytes of a row, rows, H, gates, how many, vectors a block has, first vector of rows, last + 1)"""
        code = function(module, "pack_transposed", 10)
        to, source, line, rows, units, gates, breadth, upt, w0, w1 = code.args
        lanes, count = self.lanes, self.lanes.count
        with code.loop(w0, w1, upt) as w:
            n = (w1 - w).least(upt)
            start = to + w * units * breadth * lanes.bytes
            with code.loop(0, n) as v, code.loop(0, breadth) as g:
                gate = code.word(gates + g * 8)
                corner = source + (w + v) * count * line + gate * units * lanes.itemsize
                left = rows - (w + v) * count
                with code.loop(0, units, count) as k:
                    inside = code.lanes_below(units - k, count)
                    nothing = inside.type([0] * count)
                    read = []
                    for j in range(count):
                        mask = code.b.select(left.compare(">", j), inside, nothing)
                        address = corner + line * j + k * lanes.itemsize
                        read.append(code.masked_load(address, lanes.vector, mask, lanes.itemsize))
                    place = start + ((g * units + k) * n + v) * lanes.bytes
                    for j, vector in enumerate(_transposed(code, read)):
                        with code.when((units - k).compare(">", j)):
                            code.store(vector, place + n * (j * lanes.bytes), align=lanes.bytes)
        code.done()
        return code.f

    def _gradient(self, module: ir.Module) -> ir.Function:
        """f(C, bytes of a row of C, A, A's step, A's row, B, B's step, B's row, steps, rows, M, first column,
        last + 1)"""
        lanes = self.lanes
        tiles = {(m, n): self._gradient_tile(module, m, n) for n in _WIDTHS for m in self._heights(n)}
        code = function(module, "gradient", 13)
        c, c_row, a, a_step, a_row, b, b_step, b_row, steps, rows, height, first, last = code.args
        column = code.variable(first)
        with code.until(column, last) as at:
            left = last - at
            least = [(n - 1) * lanes.count + 1 for n in _WIDTHS]
            for n in code.choose(_greatest(left, least), range(len(_WIDTHS))):
                vectors, row = _WIDTHS[n], code.variable(0)
                with code.until(row, height) as at_row:
                    sizes = self._heights(vectors)
                    for k in code.choose(_greatest(height - at_row, sizes), range(len(sizes))):
                        code.call(
                            tiles[sizes[k], vectors],
                            c + at_row * c_row + at * lanes.itemsize, c_row,
                            a + at_row * lanes.itemsize, a_step, a_row,
                            b + at * lanes.itemsize, b_step, b_row, steps, rows, left,
                        )  # fmt: skip
                        row.set(at_row + sizes[k])
                column.set(at + vectors * lanes.count)
        code.done()
        return code.f

    def _gradient_tile(self, module: ir.Module, m: int, n: int) -> ir.Function:
        code = function(module, f"gradient_{m}x{n}", 11)
        c, c_row, a, a_step, a_row, b, b_step, b_row, steps, rows, left = code.args
        lanes = self.lanes
        inside = code.lanes_below(left - (n - 1) * lanes.count, lanes.count)
        zero = lanes.vector([0.0] * lanes.count)
        rooms = [[code.room(lanes.vector) for _ in range(n)] for _ in range(m)]
        for row in rooms:
            for room in row:
                code.b.store(zero, room)
        with code.loop(0, steps) as s:
            a_s, b_s = a + s * a_step, b + s * b_step
            with code.loop(0, rows) as r:
                vectors = vectors_at(code, lanes, b_s + r * b_row, n, inside)
                for k in range(m):
                    number = code.load(a_s + r * a_row + k * lanes.itemsize, lanes.scalar, align=lanes.itemsize)
                    spread = code.spread(number, lanes.count)
                    for room, vector in zip(rooms[k], vectors, strict=True):
                        code.b.store(code.fma(spread, vector, code.b.load(room, typ=lanes.vector)), room)
        for k in range(m):
            place = c + c_row * k
            for j, (room, old) in enumerate(zip(rooms[k], vectors_at(code, lanes, place, n, inside), strict=True)):
                total = code.b.fadd(old, code.b.load(room, typ=lanes.vector))
                self._put(code, total, place + j * lanes.bytes, inside if j == n - 1 else None)
        code.done()
        return code.f

    def _put(self, code: Code, value: Any, address: Int, inside: Any | None) -> None:
        if inside is None:
            code.store(value, address, align=self.lanes.itemsize)
        else:
            code.masked_store(value, address, inside, self.lanes.itemsize)

    def _product(self, module: ir.Module) -> ir.Function:
        """f(out, bytes of a row of out, A, bytes of a row of A, K, panels, rows, N)"""
        lanes = self.lanes
        tiles = {
            (rows, n): self._product_tile(module, rows, n) for n in range(1, BLOCK + 1) for rows in self._heights(n)
        }
        most = max(rows for rows, _ in tiles)
        code = function(module, "product", 8)
        out, out_row, a, a_row, length, panels, rows, columns = code.args
        buffer = code.address(code.room(lanes.vector, BLOCK * most))
        with code.loop(0, columns, BLOCK * lanes.count) as column:
            left = columns - column
            vectors = ((left + (lanes.count - 1)) // lanes.count).least(BLOCK)
            panel = panels + column * length * lanes.itemsize
            for n in code.choose(vectors, range(1, BLOCK + 1)):
                at, sizes = code.variable(0), self._heights(n)
                inside = code.lanes_below(left - (n - 1) * lanes.count, lanes.count)
                with code.until(at, rows) as row:
                    place = out + row * out_row + column * lanes.itemsize
                    for k in code.choose(_greatest(rows - row, sizes), range(len(sizes))):
                        code.call(tiles[sizes[k], n], a + row * a_row, a_row, length, panel, buffer)
                        with code.loop(0, sizes[k]) as r:
                            for j in range(n):
                                made = code.load(buffer + (r * n + j) * lanes.bytes, lanes.vector, align=lanes.bytes)
                                to = place + r * out_row + j * lanes.bytes
                                self._put(code, made, to, inside if j == n - 1 else None)
                        at.set(row + sizes[k])
        code.done()
        return code.f

    def _heights(self, vectors: int) -> tuple[int, ...]:
        """Few heights: there are rows enough here for one low tile at the end not to matter."""
        most = heights(vectors, self.registers)[0]
        return (most, 2, 1) if most > 2 else tuple(range(most, 0, -1))

    def _product_tile(self, module: ir.Module, rows: int, n: int) -> ir.Function:
        code = function(module, f"product_{rows}x{n}", 5)
        a, a_row, length, panel, buffer = code.args
        zero = self.lanes.vector([0.0] * self.lanes.count)
        start: Callable[[int], Any] = lambda column: zero  # noqa: E731
        fill(code, self.lanes, rows, n, start, [Phase(a, a_row, length, panel, range(n))], buffer)
        code.done()
        return code.f


def _greatest(left: Int, sizes: Sequence[int]) -> Int:
    """Which of some sizes, greatest first, is the greatest that `left` holds; the last one at least."""
    code = left.code
    which = code.number(len(sizes) - 1)
    for k in reversed(range(len(sizes) - 1)):
        which = Int(code, code.b.select(left.compare(">=", sizes[k]), code.raw(k), which.value))
    return which


def _transposed(code: Code, rows: list[Any]) -> list[Any]:
    """Columns of a square of vectors: in each stage blocks of twice the size change their corners."""
    count = len(rows)
    order = ir.VectorType(ir.IntType(32), count)
    rows, size = list(rows), 1
    while size < count:
        for k in range(count):
            if not k & size:
                a, b = rows[k], rows[k + size]
                low = [j if not j & size else count + j - size for j in range(count)]
                high = [j + size if not j & size else count + j for j in range(count)]
                rows[k] = code.b.shuffle_vector(a, b, order(low))
                rows[k + size] = code.b.shuffle_vector(a, b, order(high))
        size *= 2
    return rows
