"""What a compiled kernel is told: one table of whole numbers, sizes and addresses, with named places.

The first places are the same for every kernel (`Slot`). Behind them come those of the arrays that a cell's program
reads and writes, in the order that `Layout` gives them. Strides and addresses count bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, auto

from ..contract import Cell
from ..levels import Lowered

__all__ = ["Layout", "Slot"]


class Slot(IntEnum):
    """Places that every kernel has."""

    STEPS = 0
    ROWS = auto()  # B
    FEATURES = auto()
    UNITS = auto()
    VECTORS = auto()  # how many vectors hold the units of a row
    LINE = auto()  # bytes of a row of units
    SHARE = auto()  # 1 / H, the bits of a double
    PARTS = auto()  # how many threads share the work
    SPLIT = auto()  # 0: by rows, 1: by units
    UNITS_A_PART = auto()  # vectors of units that a part takes, where they are split
    BARRIER = auto()
    LEVELS = auto()
    LEVEL = auto()  # address of an array of the levels' functions
    X = auto()
    X_STEP = auto()
    X_ROW = auto()
    MASK = auto()  # bytes, 0 holds the row
    MASK_STEP = auto()
    MASK_ROW = auto()
    DROP = auto()  # what h is multiplied by before its products; ones where nothing is dropped
    DROP_ROW = auto()
    STATE_STEP = auto()  # of all states but h
    STATE_SLOTS = auto()  # step t stands at place t & STATE_SLOTS
    H_STEP = auto()
    MET = auto()  # m * h after each step, beside h where nothing is dropped
    KEPT_STEP = auto()
    KEPT_STEP_1 = auto()  # of kept values that are one number a row
    OPERAND_STEP = auto()
    SUMS = auto()  # row sums: (sum, part, row, lane)
    SUM_SIZE = auto()  # bytes of one of them
    CARRIED = auto()  # values carried between levels: (value, row, unit)
    OWN = auto()  # the cell's own vectors, each padded to whole vectors of lanes
    DH = auto()
    DH_STEP = auto()
    DH_ROW = auto()
    D_STEP = auto()  # of the arrays d.*; 0 where each step overwrites the step after
    RING = auto()  # gradient columns of the steps of a chunk: (step, row, column, unit)
    RING_STEP = auto()
    RING_ROW = auto()
    TOTALS = auto()  # of gradient columns that are only summed: (part, step, column, vector)
    TOTALS_PART = auto()  # bytes between two parts', where each sums its own rows, else 0
    TOTALS_STEP = auto()  # 0 where all steps are added up
    CHUNK = auto()  # steps of a chunk
    JOBS = auto()  # how far behind the table the products begin that are done after each chunk
    JOB_COUNT = auto()
    PACKING = auto()  # and the jobs that lay out the weights
    PACKING_COUNT = auto()


@dataclass(frozen=True)
class Layout:
    """Where the arrays of a lowered program stand in its table; `size` places in all.

    of  by name: s.h (the state's whole tape), k.i, v.n, d.h; bias.L and panel.L.P: of product P of level L
    """

    of: dict[str, int] = field(default_factory=dict)
    own: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return len(Slot) + len(self.of)

    @classmethod
    def make(cls, cell: Cell, lowered: Lowered, kept: tuple[str, ...], operands: tuple[str, ...]) -> Layout:
        names = [f"s.{name}" for name in cell.state] + [f"k.{name}" for name in kept]
        names += [f"v.{q}" for q in operands]
        if lowered.gradient is not None:
            names += [f"d.{name}" for name in cell.state]
        for k, level in enumerate(lowered.levels):
            names += [f"bias.{k}"] if lowered.gradient is None and level.columns else []
            names += [f"panel.{k}.{j}" for j in range(len(level.products))]
        own = [f"p.{name}" for name in cell.unit_vectors]
        own += [f"p.{name}.{q}" for name in cell.gate_vectors for q in cell.gates]
        return cls({name: len(Slot) + at for at, name in enumerate(names)}, tuple(own))
