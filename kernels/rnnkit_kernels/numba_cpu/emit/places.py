"""Where the values of a level's program lie: loads, stores and the selections that masks ask for.

Every array of rows of units has the same distance between rows, so one offset serves them all. Lanes beyond the last
unit are neither read nor written.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from llvmlite import ir

from ...levels import Gradient
from ..table import Layout, Slot
from .code import Code, Int
from .vec import Lanes, Vec

__all__ = ["Places"]

_AHEAD = 8  # rows


class Places:
    """The arrays of one step, while a function of a level is written."""

    def __init__(
        self, code: Code, lanes: Lanes, layout: Layout, collected: dict[str, str], gradient: Gradient | None,
        table: Int, t: Int, place: Int,
    ) -> None:  # fmt: skip
        self.code, self.lanes, self.layout = code, lanes, layout
        self.collected, self.gradient = collected, gradient
        self.table, self.t, self.place = table, t, place

    def slot(self, which: Slot | str) -> Int:
        number = int(which) if isinstance(which, Slot) else self.layout.of[which]
        return self.code.word(self.table + 8 * number)

    def operand(self, name: str, row: Int) -> tuple[Int, Int, Int]:
        """Address of a row of a product's operand, bytes to the next, and how many k there are."""
        line = self.slot(Slot.LINE)
        if name == "x":
            stride = self.slot(Slot.X_ROW)
            return self.slot(Slot.X) + self.t * self.slot(Slot.X_STEP) + row * stride, stride, self.slot(Slot.FEATURES)
        if name == "h":
            return self.slot(Slot.MET) + self.t * self.slot(Slot.H_STEP) + row * line, line, self.slot(Slot.UNITS)
        if name.startswith("v."):
            return self.slot(name) + self.t * self.slot(Slot.OPERAND_STEP) + row * line, line, self.slot(Slot.UNITS)
        assert self.gradient is not None
        first, last = self.gradient.h_range if name == "d" else (int(name[2:]), int(name[2:]) + 1)
        stride, place = self.slot(Slot.RING_ROW), self.place + 1 if name == "d" else self.place
        address = self.slot(Slot.RING) + place * self.slot(Slot.RING_STEP) + row * stride + line * first
        return address, stride, self.slot(Slot.UNITS) * (last - first)

    def at_row(self, row: Int) -> None:
        self.row = row
        self._line = row * self.slot(Slot.LINE)
        self.live = self._lives(self.t)

    def _lives(self, t: Int) -> Any:
        mask = self.slot(Slot.MASK) + t * self.slot(Slot.MASK_STEP) + self.row * self.slot(Slot.MASK_ROW)
        byte = self.code.load(mask, ir.IntType(8), fixed=True)
        return self.code.b.icmp_unsigned("!=", byte, ir.IntType(8)(0))

    def _goes_on(self) -> Any:
        """Whether the step after exists and happened: else h is owed nothing through U, and 0 * NaN would be NaN."""
        later, steps = self.t + 1, self.slot(Slot.STEPS)
        return self.code.b.and_(later.compare("<", steps), self._lives(later.least(steps - 1)))

    def at_vector(self, vector: Int) -> None:
        self.unit = vector * self.lanes.bytes
        self.inside = self.code.lanes_below(self.slot(Slot.UNITS) - vector * self.lanes.count, self.lanes.count)
        self.vector = vector

    def _base(self, slot: Slot | str, step: Slot, later: int = 0, ring: bool = False) -> Int:
        at = self.t + later
        return self.slot(slot) + (at & self.slot(Slot.STATE_SLOTS) if ring else at) * self.slot(step)

    def _address(self, name: str, later: int = 0) -> Int:
        """Of the vector of units that the program stands at, in the array that a name stands for."""
        kind, rest = name.split(".", 1)
        if kind in "sn":
            step, turns = (Slot.H_STEP, False) if rest == "h" else (Slot.STATE_STEP, True)
            base = self._base(f"s.{rest}", step, later + int(kind == "n"), turns)
        elif kind == "k":
            base = self._base(name, Slot.KEPT_STEP)
        elif kind == "v":
            base = self._base(name, Slot.OPERAND_STEP)
        elif kind == "d":
            base = self._base(name, Slot.D_STEP, later)
        elif kind == "w":
            base = self.slot(Slot.CARRIED) + self.slot(Slot.ROWS) * self.slot(Slot.LINE) * int(rest)
        elif kind == "met":
            base = self._base(Slot.MET, Slot.H_STEP, 1)
        else:
            assert kind == "g", name
            ring = self.slot(Slot.RING) + self.place * self.slot(Slot.RING_STEP)
            column = self.row * self.slot(Slot.RING_ROW) + self.slot(Slot.LINE) * int(rest)
            return ring + column + self.unit
        return base + self._line + self.unit

    def _read(self, address: Int) -> Vec:
        value = self.code.masked_load(address, self.lanes.vector, self.inside, self.lanes.itemsize)
        return Vec(self.code.b, self.lanes, value)

    def load(self, name: str) -> Vec:
        """The value of a leaf at the vector of units that the program stands at."""
        kind = name.split(".", 1)[0]
        if kind == "p":
            at = self.layout.own.index(name)
            address = self.slot(Slot.OWN) + (self.slot(Slot.VECTORS) * at + self.vector) * self.lanes.bytes
            value = self.code.load(address, self.lanes.vector, align=self.lanes.bytes)
            return Vec(self.code.b, self.lanes, value)
        if kind == "d":
            return self._read(self._address(name, later=1))
        if name == "e.h":
            return self._read(self._address("d.h", later=1))
        address = self._address(name)
        return self._far(address, self.slot(Slot.LINE)) if kind in "ksn" else self._read(address)

    def _far(self, address: Int, row: Int) -> Vec:
        """`_read` of an array whose rows are so many bytes apart. On the way back the tape is far from the core, in
        more arrays than it sees coming by itself: rows to come are asked for, beyond the last one to no end."""
        if self.gradient is not None:
            self.code.fetch(address + row * _AHEAD)
        return self._read(address)

    def number(self, name: str) -> Vec:
        """A leaf that is one number a row, in all lanes."""
        code = self.code
        if name == "1/H":
            double = code.load(self.table + 8 * int(Slot.SHARE), ir.DoubleType(), align=8, fixed=True)
            scalar = code.b.fptrunc(double, self.lanes.scalar) if self.lanes.itemsize == 4 else double
        elif name.startswith("r."):
            return self._row_sum(name)
        else:
            scalar = code.load(self._number_address(name), self.lanes.scalar, align=self.lanes.itemsize)
        return Vec(code.b, self.lanes, code.spread(scalar, self.lanes.count))

    def _number_address(self, name: str) -> Int:
        return self._base(name, Slot.KEPT_STEP_1) + self.row * self.lanes.itemsize

    def store_number(self, name: str, value: Vec) -> None:
        scalar = self.code.b.extract_element(value.value, ir.IntType(32)(0))
        self.code.store(scalar, self._number_address(name), align=self.lanes.itemsize)

    def dropped(self, value: Vec) -> Vec:
        """m * value."""
        address = self.slot(Slot.DROP) + self.row * self.slot(Slot.DROP_ROW) + self.unit
        return value * self._read(address)

    def accumulated(self, name: str, value: Vec | None) -> Vec:
        """What a tile's accumulator stands for; `d.h` is everything that h owes, and is written down for later."""
        if value is not None and (name == "d.h" or name.startswith("m.")):
            value = self.dropped(value)
        if name != "d.h":
            assert value is not None
            return value
        stride = self.slot(Slot.DH_ROW)
        emitted = self.slot(Slot.DH) + self.t * self.slot(Slot.DH_STEP) + self.row * stride + self.unit
        total = self._far(emitted, stride) + self._read(self._address("d.h", later=1))
        if value is not None:
            zero = self.lanes.vector([0.0] * self.lanes.count)
            total = total + Vec(self.code.b, self.lanes, self.code.b.select(self._goes_on(), value.value, zero))
        self.code.masked_store(total.value, self._address("d.h", later=1), self.inside, self.lanes.itemsize)
        return total

    def store(self, name: str, value: Vec, collect: str | None, part: Int, opening: Any) -> None:
        """Writes an output of the program; see `levels` for the names."""
        kind, rest = name.split(".", 1)
        if kind == "r":
            self._collect(name, value, collect, part * self.slot(Slot.SPLIT), opening)
            return
        if kind == "n":
            value = self._held(value, self._read(self._address(f"s.{rest}")))
            self._write(value, name)
            if rest == "h":
                self._write(self.dropped(value), "met.h")
        elif kind == "s":
            self._write_back(value, rest)
        elif kind == "v":
            self._write(self.dropped(self._held(value, None)), name)
        elif kind == "g":
            self._write(self._held(value, None), name)
        elif kind == "t":
            self._add(self._held(value, None), int(rest), part)
        else:
            self._write(value, name)

    def _write_back(self, value: Vec, state: str) -> None:
        """What the old state is owed; a held row hands on what the new one was owed."""
        owed = self._read(self._address(f"d.{state}", later=1))
        self._write(self._held(value, owed), f"d.{state}")

    def _write(self, value: Vec, name: str) -> None:
        self.code.masked_store(value.value, self._address(name), self.inside, self.lanes.itemsize)

    def _add(self, value: Vec, column: int, part: Int) -> None:
        """On top of a total; whole vectors, because what a store left out in part cannot be loaded again soon."""
        assert self.gradient is not None
        at = self.slot(Slot.VECTORS) * (column - self.gradient.stored) + self.vector
        total = self.slot(Slot.TOTALS) + part * self.slot(Slot.TOTALS_PART) + self.t * self.slot(Slot.TOTALS_STEP)
        address = total + at * self.lanes.bytes
        old = self.code.load(address, self.lanes.vector, align=self.lanes.itemsize)
        self.code.store(self.code.b.fadd(old, value.value), address, align=self.lanes.itemsize)

    def _held(self, value: Vec, old: Vec | None) -> Vec:
        other = self.lanes.vector([0.0] * self.lanes.count) if old is None else old.value
        return Vec(self.code.b, self.lanes, self.code.b.select(self.live, value.value, other))

    def _sum_address(self, name: str, part: Int) -> Int:
        base = self.slot(Slot.SUMS) + self.slot(Slot.SUM_SIZE) * int(name[2:])
        return base + (part * self.slot(Slot.ROWS) + self.row) * self.lanes.bytes

    def _collect(self, name: str, value: Vec, collect: str | None, part: Int, opening: Any) -> None:
        code, address, vector = self.code, self._sum_address(name, part), self.lanes.vector
        rest = float("-inf") if collect == "rowmax" else 0.0
        new = code.b.select(self.inside, value.value, vector([rest] * self.lanes.count))
        old = code.load(address, vector, align=self.lanes.bytes)
        code.store(code.b.select(opening, new, self._joined(collect, old, new)), address, align=self.lanes.bytes)

    def _joined(self, collect: str | None, a: Any, b: Any) -> Any:
        if collect == "rowsum":
            return self.code.b.fadd(a, b)
        return self.code.b.call(self.code.intrinsic("maximum", a.type, 2), [a, b])

    def _row_sum(self, name: str) -> Vec:
        """The sum over all parts and lanes, in one fixed order, in all lanes."""
        code, collect = self.code, self.collected[name]
        total = code.room(self.lanes.vector)
        first = code.load(self._sum_address(name, code.number(0)), self.lanes.vector, align=self.lanes.bytes)
        code.b.store(first, total)
        each = self.slot(Slot.UNITS_A_PART)
        parts = (self.slot(Slot.VECTORS) + each - 1) // each  # those that have units at all; one where rows are split
        with code.loop(1, parts) as part:
            more = code.load(self._sum_address(name, part), self.lanes.vector, align=self.lanes.bytes)
            code.b.store(self._joined(collect, code.b.load(total, typ=self.lanes.vector), more), total)
        value = code.joined(code.b.load(total, typ=self.lanes.vector), partial(self._joined, collect))
        return Vec(code.b, self.lanes, value)
