"""A cell compiled: its lowered programs, the places of their tables, the addresses of their functions."""

from __future__ import annotations

import hashlib
from functools import cached_property, lru_cache

import numpy as np

from ..contract import Cell
from ..levels import Lowered, backward_levels, forward_levels
from ..program import reachable, trace
from . import machine
from .emit.entry import Source, addresses
from .emit.level import Emitter
from .emit.products import NAMES, Products
from .emit.vec import Lanes
from .jit import emitters
from .table import Layout

__all__ = ["Compiled", "compiled_cell", "products", "width"]


class Compiled:
    """A cell for one dtype and width of vectors. Nothing is compiled before its addresses are asked for."""

    def __init__(self, cell: Cell, lanes: Lanes, registers: int) -> None:
        self.cell, self.lanes, self.registers = cell, lanes, registers
        self.forward, self.backward = forward_levels(cell), backward_levels(cell)
        self.kept = tuple(trace(cell).kept)
        self.operands = tuple(trace(cell).operands)
        self.single = self.forward.uniform  # kept values that are one number a row
        self.forward_layout = Layout.make(cell, self.forward, self.kept, self.operands)
        self.backward_layout = Layout.make(cell, self.backward, self.kept, self.operands)

    @cached_property
    def forward_addresses(self) -> np.ndarray:
        """Of the functions of the forward levels, as the drivers read them."""
        return self._compiled(self.forward, self.forward_layout, "forward")

    @cached_property
    def backward_addresses(self) -> np.ndarray:
        return self._compiled(self.backward, self.backward_layout, "backward")

    def _compiled(self, lowered: Lowered, layout: Layout, prefix: str) -> np.ndarray:
        key = f"{self.cell.name},{prefix},{self.lanes.dtype},{self.lanes.count},{self.registers}#"
        key += fingerprint(lowered, layout)
        source = Source(
            key,
            lambda module: Emitter(module, self.lanes, self.registers, lowered, layout, prefix).functions(),
            len(lowered.levels),
        )
        return np.array(addresses(source), np.int64)


def fingerprint(lowered: Lowered, layout: Layout) -> str:
    """Of a program and of what turns it into machine code."""
    digest = hashlib.sha256(emitters().encode())
    for level in lowered.levels:
        digest.update(repr((level.columns, level.products, tuple(level.outputs), level.sums)).encode())
        nodes = reachable(level.outputs.values())
        number = {node: k for k, node in enumerate(nodes)}
        lines = [(n.op, tuple(number[a] for a in n.args), n.attr) for n in nodes]
        digest.update(repr((lines, [number[n] for n in level.outputs.values()])).encode())
    digest.update(repr((lowered.gradient, sorted(lowered.uniform), layout)).encode())
    return digest.hexdigest()[:24]


@lru_cache(maxsize=256)
def compiled_cell(cell: Cell, dtype: str, lanes: int | None = None, registers: int | None = None) -> Compiled:
    """For the widest vectors of this processor, or for as many lanes and registers as are given."""
    return Compiled(cell, Lanes(dtype, lanes or machine.lanes(dtype)), registers or machine.registers())


def width(dtype: str, units: int) -> int:
    """Lanes for a recurrence of so many units: half of the widest where the whole would leave half of them idle.

    On processors that take a vector of 512 bits in two halves nothing is lost by it, and elsewhere little.
    """
    lanes = machine.lanes(dtype)
    return lanes // 2 if lanes > 4 and 0 < units % lanes <= lanes // 2 and units < 4 * lanes else lanes


@lru_cache(maxsize=16)
def products(lanes: Lanes, registers: int) -> dict[str, int]:
    """Addresses of the functions of `products`, by name."""
    key = f"products,{lanes.dtype},{lanes.count},{registers}#{emitters()}"
    source = Source(key, Products(lanes, registers).functions, len(NAMES))
    return dict(zip(NAMES, addresses(source), strict=True))
