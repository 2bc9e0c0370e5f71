"""What runs over single arrays on a GPU, see `elementwise.Elementwise`: kernels of our own where they do in one pass
what would else be several, CuPy's functions for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..elementwise import Decay, Elementwise, Row
from ..types import Array
from .place import Place
from .random import dropout, uniform
from .rows import summed_by_row
from .rules import RULES, moved

__all__ = ["CudaElementwise"]


class CudaElementwise(Elementwise):
    """See `Elementwise`; arrays lie at the place, generators on the host.

    A seed gives the masks that it gives on a CPU, a step moves parameters as far, and rows are summed in the same
    order: the bits are the same, but for float32 numbers too small to be normal, which are 0 on a GPU.
    """

    origin = "cuda"

    def __init__(self, place: Place) -> None:
        self._place, self._xp = place, place.xp

    def dropout(self, rng: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: Any) -> Array:
        return dropout(self._place, rng, shape, rate, dtype)

    def random(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
        """Uniform numbers in [0, 1), drawn in double and cast: those of `rng.random(shape)`."""
        return uniform(self._place, rng, shape, dtype)

    def joined(self, *parts: Array) -> Array:
        return self._xp.concatenate(parts, axis=-1)

    def relu(self, a: Array) -> Array:
        return self._xp.where(a <= 0, a.dtype.type(0), a)

    def relu_back(self, y: Array, d: Array) -> Array:
        return self._xp.where(y > 0, d, d.dtype.type(0))

    def rows(self, table: Array, index: Array) -> Array:
        return self._xp.take(table, index, axis=0)

    def summed_by_row(self, index: Array, d: Array, rows: int) -> Array:
        return summed_by_row(self._place, index, d, rows)

    def moved(
        self, rule: str, numbers: Sequence[float], rows: Sequence[Row], decay: Decay | None = None
    ) -> list[Row | None]:
        if rule not in RULES:
            return super().moved(rule, numbers, rows)
        return moved(self._place, rule, numbers, rows, decay)
