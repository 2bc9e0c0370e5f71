"""Which kernel runs, and why: `backend("numpy" | "auto")`, and `.kernel(cell)` with its `origin`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .contract import Cell, Gradients, Tape
from .sentences import unknown
from .textbook import recurrence
from .types import Array

__all__ = ["NAMES", "Backend", "Kernel", "backend"]

NAMES = ("auto", "numpy")


@dataclass(frozen=True)
class Kernel:
    """The pair of one cell on one backend; the contract is `contract`'s. `origin` names what really runs."""

    cell: Cell
    origin: str

    def forward(
        self,
        weights: dict[str, Array],
        x: Array,
        state0: dict[str, Array],
        *,
        mask: Array | None = None,
        drop: Array | None = None,
        zone: dict[str, Any] | None = None,
        reset: Array | None = None,
        fresh: dict[str, Array] | None = None,
    ) -> tuple[Array, dict[str, Array], Tape]:
        return recurrence.forward(
            self.cell, weights, x, state0, mask=mask, drop=drop, zone=zone, reset=reset, fresh=fresh
        )

    def backward(
        self, tape: Tape, dh: Array, dstate: dict[str, Array] | None = None, *, clip: float | None = None
    ) -> Gradients:
        return recurrence.backward(tape, dh, dstate, clip=clip)


@dataclass(frozen=True)
class Backend:
    """A place where kernels run. name: "numpy"; reason: why it was chosen, in words."""

    name: str
    reason: str

    def kernel(self, cell: Cell) -> Kernel:
        return Kernel(cell, origin="textbook")

    def random(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
        """Uniform numbers in [0, 1), drawn in double and cast: a seed gives the same numbers in every dtype."""
        return rng.random(shape).astype(dtype, copy=False)


@lru_cache(maxsize=16)
def backend(name: str = "auto") -> Backend:
    """The backend of that name; "auto" takes the fastest that is there.

    Raises ValueError for a name that this version does not have.
    """
    if name == "auto":
        return Backend("numpy", "the only backend of this version")
    if name == "numpy":
        return Backend("numpy", "asked for by name")
    raise unknown("backend", name, NAMES)
