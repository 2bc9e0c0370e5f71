"""The jobs that lay weights out for a kernel: where each matrix goes, and how much room all of them take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..levels import Gradient, Level, Lowered
from .drivers import PACK_JOB
from .emit.level import units_a_tile
from .emit.narrow import NARROW
from .emit.products import BLOCK
from .emit.vec import Lanes
from .table import Layout, Slot
from .words import Room, Words

__all__ = ["Packing", "input_gates", "met_gates", "pack_backward", "pack_forward"]


class Packing:
    """The jobs of one kernel, for weights of one shape; each lays out one weight, named by its base, in one place.

    panels  how far into the room each place begins, by its name in the table
    """

    def __init__(
        self, lanes: Lanes, functions: dict[str, int], gates: Sequence[str], units: int, weights: frozenset[str],
        room: Room, words: Words,
    ) -> None:  # fmt: skip
        self.lanes, self._functions, self.units, self.weights = lanes, functions, units, weights
        self._room, self._words = room, words
        self.gates = {q: k for k, q in enumerate(gates)}
        self.vectors = -(-units // lanes.count)
        self.panels: dict[str, int] = {}
        self._jobs: list[tuple[str, int, str, tuple[int, ...]]] = []
        self._line = len(self.gates) * units * lanes.itemsize

    def place(self, name: str, vectors: int) -> int:
        """Room for so many vectors."""
        at = self.panels[name] = self._room.take(vectors * self.lanes.bytes)
        return at

    def _numbers(self, gates: Sequence[str]) -> int:
        return self._words.of(np.array([self.gates[q] for q in gates], np.int64))

    def matrix(self, name: str, source: str, length: int, gates: Sequence[str], upt: int) -> None:
        """Columns of a weight (length, G*H), those of some gates, for tiles of `upt` vectors of units."""
        at = self.place(name, self.vectors * len(gates) * length)
        numbers = self._numbers(gates)
        arguments = self._line, length, self.units, numbers, len(gates), upt, self.vectors, upt
        self._jobs.append(("pack", at, source, arguments))

    def transposed(self, name: str, source: str, rows: int, gates: Sequence[str]) -> None:
        """The same columns as rows: k runs over gates and units, the vectors over the weight's rows."""
        vectors = -(-rows // self.lanes.count)
        at = self.place(name, vectors * len(gates) * self.units)
        arguments = self._line, rows, self.units, self._numbers(gates), len(gates), BLOCK, vectors, BLOCK
        self._jobs.append(("pack_transposed", at, source, arguments))

    def lines(self, name: str, source: str, rows: int, gates: Sequence[str]) -> None:
        """Rows of a weight, its gates in that order, as they are."""
        at = self._room.take(rows * len(gates) * self.units * self.lanes.itemsize)
        self.panels[name] = at
        arguments = self._line, 0, self.units, self._numbers(gates), len(gates), 0, rows, 1
        self._jobs.append(("pack_lines", at, source, arguments))

    def row(self, name: str, source: str, gate: str, first: int, wide: int, add: bool) -> None:
        """A gate's part of a vector, as column `first` of `wide` in a place made before; `add`: on top of what is
        there. A weight that is not there is zeros."""
        arguments = int(add), self.units, self._numbers([gate]), 1, first, wide, self.vectors, 1
        base = source if source in self.weights else "zeros"
        self._jobs.append(("pack_rows", self.panels[name], base, arguments))

    def write(self, layout: Layout, room: str) -> None:
        """The jobs behind the words that are there, and the places where their results lie in the room called so."""
        words = self._words
        words.set(Slot.PACKING, 8 * len(words))
        words.set(Slot.PACKING_COUNT, len(self._jobs))
        for function, at, source, arguments in self._jobs:
            begin = len(words)
            words.add(self._functions[function])
            words.add(at, room)
            words.add(0, source)
            for argument in arguments:
                words.add(argument)
            assert len(words) - begin == PACK_JOB
        for name, at in self.panels.items():
            if name in layout.of:
                words.set(layout.of[name], at, room)
        words.set(Slot.OWN, self.panels["own"], room)


def pack_forward(packing: Packing, lowered: Lowered, layout: Layout, features: int, bias_on_x: bool) -> None:
    """bias_on_x: whether b belongs to x.q, see `Cell.gate_vectors`."""
    for k, level in enumerate(lowered.levels):
        for j, product in enumerate(level.products):
            source, length = ("W", features) if product.operand == "x" else ("U", packing.units)
            packing.matrix(f"panel.{k}.{j}", source, length, product.gates, units_a_tile(level))
        if level.columns:
            _bias(packing, k, level, bias_on_x)
    _own(packing, layout)


def _bias(packing: Packing, number: int, level: Level, bias_on_x: bool) -> None:
    name, wide = f"bias.{number}", len(level.columns)
    packing.place(name, packing.vectors * wide)
    for at, column in enumerate(level.columns):
        sources = [("b" if operand == "x" else "b_h", gate) for operand, gate in column.parts if operand in ("x", "h")]
        found = [(s, q) for s, q in sources if s in packing.weights and (s != "b" or bias_on_x)]
        for k, (source, gate) in enumerate(found or [("zeros", column.parts[0][1])]):
            packing.row(name, source, gate, at, wide, add=k > 0)


def _own(packing: Packing, layout: Layout) -> None:
    packing.place("own", packing.vectors * max(1, len(layout.own)))
    for at, leaf in enumerate(layout.own):
        _, name, *gate = leaf.split(".")
        packing.row("own", name, gate[0] if gate else next(iter(packing.gates)), at * packing.vectors, 1, add=False)


def pack_backward(packing: Packing, lowered: Lowered, layout: Layout, features: int) -> None:
    """features: of the input whose gradient is asked for; 0 where it is not."""
    gradient = lowered.gradient
    assert gradient is not None
    for k, level in enumerate(lowered.levels):
        for j, product in enumerate(level.products):
            through = met_gates(gradient) if product.operand == "d" else product.gates
            packing.transposed(f"panel.{k}.{j}", "U", packing.units, through)
    if 0 < features <= NARROW:
        packing.lines("input", "W", features, input_gates(gradient))
    elif features:
        packing.transposed("input", "W", features, input_gates(gradient))
    _own(packing, layout)


def met_gates(gradient: Gradient) -> tuple[str, ...]:
    """The gates that meet h, in the order of their gradient columns."""
    first, last = gradient.h_range
    return tuple(q for k in range(first, last) for q, at in gradient.u.items() if at == k)


def input_gates(gradient: Gradient) -> tuple[str, ...]:
    """All gates, in the order of the columns that go back through W."""
    return tuple(sorted(gradient.x, key=gradient.x.__getitem__))
