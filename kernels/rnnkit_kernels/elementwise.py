"""What runs over single arrays beside the recurrences: dropout's masks, rows of a table, relu, an optimizer's rule.

This is the textbook, on NumPy. `numba_cpu.elementwise` does the same in one pass over memory, to the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .replay import back
from .textbook.functions import Arrays, relu
from .types import Array

__all__ = ["Decay", "Elementwise", "Row", "decayed"]

Row = tuple[Array, ...]
Decay = tuple[float, float]  # the share of a weight that a step takes away, and the learning rate that it is times

_F = Arrays()


def decayed(p: Array, decay: Decay | None) -> Array:
    """A parameter after its decay: itself where there is none."""
    if decay is None:
        return p
    share, rate = decay
    found: Array = p - p * share * rate
    return found


class Elementwise:
    """origin names what really runs. Arrays are of any layout; what comes back is new."""

    origin = "textbook"

    def dropout(self, rng: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: Any) -> Array:
        """0 for a share `rate`, 1 / (1 - rate) for the rest: 0 where `rng` draws a number below the rate."""
        keep = rng.random(shape) >= rate
        scale: Array = keep / np.dtype(dtype).type(1 - rate)
        return scale

    def product(self, a: Array, b: Array) -> Array:
        """a b, in a's shape; b has that shape, or broadcasts to it."""
        found: Array = a * b
        return found

    def total(self, a: Array, b: Array) -> Array:
        """a + b, of one shape."""
        found: Array = a + b
        return found

    def joined(self, *parts: Array) -> Array:
        """Arrays side by side along their last axis."""
        return np.concatenate(parts, axis=-1)

    def relu(self, a: Array) -> Array:
        """max(a, 0); NaN passes."""
        return relu(a)

    def relu_back(self, y: Array, d: Array) -> Array:
        """d where y = relu(a) is above 0, else 0."""
        found: Array = back(_F, "relu", y, None, d)
        return found

    def rows(self, table: Array, index: Array) -> Array:
        """(..., D) from a table (rows, D): for each number of `index` (...) its row. index: int64, checked."""
        found: Array = table[index]
        return found

    def summed_by_row(self, index: Array, d: Array, rows: int) -> Array:
        """(rows, D) from d (..., D): each row of d added to the row of the result that `index` (...) chooses.

        The sum over the places that chose a row, in their order, so the same bits every time. index: int64, checked.

        One axis, because NumPy adds at places on one axis four times as fast as at rows, and faster than it sorts them.
        """
        columns = d.shape[-1]
        total = np.zeros_like(d, shape=rows * columns)
        places = index.reshape(-1, 1) * columns + np.arange(columns)
        np.add.at(total, places.ravel(), d.ravel())
        return total.reshape(rows, columns)

    def moved(
        self, rule: str, numbers: Sequence[float], rows: Sequence[Row], decay: Decay | None = None
    ) -> list[Row | None]:
        """What an optimizer's rule of that name, at those numbers, makes of each row, which is a parameter, its
        gradient and its slots, of one shape: the new parameter, `decayed` first, and the new slots. None for a row
        that no kernel takes: neither decayed nor moved."""
        return [None] * len(rows)
