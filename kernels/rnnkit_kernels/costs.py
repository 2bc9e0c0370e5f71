"""What a recurrence costs, counted: multiplications and additions of its products, and bytes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from .contract import Cell
from .levels import forward_levels
from .program import trace

__all__ = ["Cost", "recurrence"]


@dataclass(frozen=True)
class Cost:
    """forward, backward: operations of the products, a multiply-add is two; weights, tape: bytes"""

    forward: int
    backward: int
    weights: int
    tape: int


def recurrence(cell: Cell, shapes: dict[str, tuple[int, ...]], T: int, B: int, itemsize: int) -> Cost:
    """For T steps of B rows, with weights of those shapes. What is computed element by element is not counted: it
    grows with H, the products with H squared.

    The way back multiplies every matrix twice, with the gradients and with what it met. The tape holds the states,
    and what the cell keeps for the way back, see `contract.Tape`.
    """
    matrices = sum(prod(shape) for shape in shapes.values() if len(shape) == 2)
    units = shapes["U"][1] // len(cell.gates)
    sizes = cell.state_sizes(units, shapes["P"][1] if "P" in shapes else None)
    single = forward_levels(cell).uniform
    step = trace(cell)
    kept = sum(1 if f"k.{name}" in single else units for name in step.kept) + units * len(step.operands)
    numbers = (T + 1) * B * sum(sizes.values()) + T * B * kept
    return Cost(
        2 * T * B * matrices, 4 * T * B * matrices, itemsize * sum(map(prod, shapes.values())), itemsize * numbers
    )
