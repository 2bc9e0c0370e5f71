"""What a call of a compiled recurrence needs that depends on shapes alone: made once, used by every call of that shape.

CALL names what only a call knows: where x and the memory for results lie, and behind them its weights and zeros.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..levels import Lowered
from .packing import Packing, pack_forward
from .parallel.atomics import BARRIER_BYTES
from .programs import Compiled, products
from .split import Split
from .table import Layout, Slot
from .words import Room, Words

__all__ = ["CALL", "ForwardPlan", "Shape", "begun", "forward_plan"]

CALL = ("work", "x", "x_step", "x_row", "mask", "drop", "h", "met", "rest")

_ALWAYS = np.ones(64, bool)


class Shape(NamedTuple):
    """steps T, rows B, features F, units H; weights: their names; masked, dropped: whether there is a mask, a drop"""

    T: int
    B: int
    F: int
    H: int
    weights: tuple[str, ...]
    masked: bool
    dropped: bool


@lru_cache(maxsize=64)
def constant(value: float, count: int, dtype: str) -> np.ndarray[Any, Any]:
    """Numbers that stay where they are."""
    return np.full(count, value, dtype)


def begun(
    program: Compiled, lowered: Lowered, layout: Layout, shape: Shape, split: Split, more: tuple[str, ...] = ()
) -> tuple[Words, Packing, Room]:
    """The words that both directions have alike; the room is of the base "work". more: bases that one has besides."""
    words, room, size = Words((*CALL, *shape.weights, "zeros", *more)), Room(), program.lanes.itemsize
    words.grow(layout.size)
    gates = program.cell.gates
    functions = products(program.lanes, program.registers)
    packing = Packing(program.lanes, functions, gates, shape.H, frozenset(shape.weights), room, words)
    line, sum_size = shape.H * size, split.parts * shape.B * program.lanes.bytes
    for slot, number in (
        (Slot.STEPS, shape.T),
        (Slot.ROWS, shape.B),
        (Slot.FEATURES, shape.F),
        (Slot.UNITS, shape.H),
        (Slot.VECTORS, packing.vectors),
        (Slot.LINE, line),
        (Slot.SHARE, struct.unpack("q", struct.pack("d", 1 / shape.H))[0]),
        (Slot.PARTS, split.parts),
        (Slot.SPLIT, int(split.by_units)),
        (Slot.UNITS_A_PART, split.vectors(packing.vectors)),
        (Slot.LEVELS, len(lowered.levels)),
        (Slot.H_STEP, shape.B * line),
        (Slot.STATE_STEP, shape.B * line),
        (Slot.SUM_SIZE, sum_size),
        (Slot.MASK_STEP, shape.B if shape.masked else 0),
        (Slot.MASK_ROW, int(shape.masked)),
        (Slot.DROP_ROW, line if shape.dropped else 0),
    ):
        words.set(slot, number)
    for slot, base in (
        (Slot.X, "x"), (Slot.X_STEP, "x_step"), (Slot.X_ROW, "x_row"), (Slot.MET, "met"),
    ):  # fmt: skip
        words.set(slot, 0, base)
    if shape.masked:
        words.set(Slot.MASK, 0, "mask")
    else:
        words.set(Slot.MASK, words.of(_ALWAYS))
    if shape.dropped:
        words.set(Slot.DROP, 0, "drop")
    else:
        words.set(Slot.DROP, words.of(constant(1.0, shape.H, program.lanes.dtype)))
    room.take(BARRIER_BYTES)  # the first thing in the room
    words.set(Slot.BARRIER, 0, "work")
    words.set(Slot.SUMS, room.take(lowered.sums * sum_size), "work")
    words.set(Slot.CARRIED, room.take(lowered.carried * shape.B * line), "work")
    return words, packing, room


class ForwardPlan:
    """work, rest: bytes of the memory that a call brings for scratch, and for what the tape keeps beside h.

    at  how far into `rest` each array begins, by its place in the table
    zeros  the address of zeros for all columns of a row
    """

    def __init__(self, program: Compiled, shape: Shape, split: Split, tape: bool) -> None:
        lowered, layout, size = program.forward, program.forward_layout, program.lanes.itemsize
        words, packing, room = begun(program, lowered, layout, shape, split)
        self.zeros = words.of(constant(0.0, len(program.cell.gates) * shape.H, program.lanes.dtype))
        pack_forward(packing, lowered, layout, shape.F, "b" not in program.cell.gate_vectors)
        words.set(Slot.LEVEL, words.of(program.forward_addresses))
        steps, row = shape.T if tape else 1, shape.B * shape.H * size
        words.set(Slot.STATE_SLOTS, -1 if tape else 1)
        words.set(Slot.KEPT_STEP, row if tape else 0)
        words.set(Slot.KEPT_STEP_1, shape.B * size if tape else 0)
        words.set(Slot.OPERAND_STEP, row if tape else 0)
        rest = Room()
        self.at: dict[str, int] = {}
        for name in program.cell.state:
            if name == "h":
                words.set(layout.of["s.h"], 0, "h")
            else:
                self.at[f"s.{name}"] = rest.take((steps + 1) * row)
        for name in program.kept:
            one = f"k.{name}" in program.single
            self.at[f"k.{name}"] = rest.take(steps * shape.B * size if one else steps * row)
        for q in program.operands:
            self.at[f"v.{q}"] = rest.take(steps * row)
        for name, offset in self.at.items():
            words.set(layout.of[name], offset, "rest")
        packing.write(layout, "work")
        words.ready()
        self.program, self.shape = program, shape
        self.words, self.work, self.rest = words, room.size, rest.size


@lru_cache(maxsize=512)
def forward_plan(program: Compiled, shape: Shape, split: Split, tape: bool) -> ForwardPlan:
    return ForwardPlan(program, shape, split, tape)
