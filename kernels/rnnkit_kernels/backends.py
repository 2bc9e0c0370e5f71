"""Which kernel runs, and why: `backend("auto" | "numba" | "numpy")`, and `.kernel(cell)` with its `origin`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from .contract import Cell, Gradients, Tape
from .sentences import unknown
from .textbook import recurrence
from .types import Array

__all__ = ["NAMES", "Backend", "Kernel", "backend"]

NAMES = ("auto", "numba", "numpy")

_WITHOUT = "pip install 'rnnkit[numba]' compiles the kernels and makes them several times as fast"


@dataclass(frozen=True)
class Kernel:
    """The pair of one cell on one backend; the contract is `contract`'s. `origin` names what really runs."""

    cell: Cell
    origin: str = "textbook"

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
        tape: bool = True,
    ) -> tuple[Array, dict[str, Array], Tape | None]:
        """tape: False says that nobody will go back; a compiled kernel then keeps nothing, and gives None for it."""
        return recurrence.forward(
            self.cell, weights, x, state0, mask=mask, drop=drop, zone=zone, reset=reset, fresh=fresh
        )

    def backward(
        self, tape: Tape, dh: Array, dstate: dict[str, Array] | None = None, *, clip: float | None = None
    ) -> Gradients:
        return recurrence.backward(tape, dh, dstate, clip=clip)


@dataclass(frozen=True)
class Backend:
    """A place where kernels run. name: "numba" or "numpy"; reason: why it was chosen, in words."""

    name: str
    reason: str

    def kernel(self, cell: Cell) -> Kernel:
        """Raises ImportError, naming what is missing, where the backend's package cannot be loaded."""
        if self.name == "numpy":
            return Kernel(cell)
        try:
            from .numba_cpu.kernel import CompiledKernel
        except ImportError as error:
            raise ImportError(
                f"backend {self.name!r} needs Numba, which cannot be loaded ({error}): pip install 'rnnkit[numba]', "
                "or take backend='numpy'"
            ) from error
        return CompiledKernel(cell)

    def random(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
        """Uniform numbers in [0, 1), drawn in double and cast: a seed gives the same numbers in every dtype."""
        return rng.random(shape).astype(dtype, copy=False)


@lru_cache(maxsize=16)
def backend(name: str = "auto") -> Backend:
    """The backend of that name; "auto" takes the fastest that is there.

    Raises ValueError for a name that this version does not have, ImportError for "numba" where it is not installed.
    """
    if name not in NAMES:
        raise unknown("backend", name, NAMES)
    if name == "numpy":
        return Backend("numpy", "asked for by name")
    installed = find_spec("numba") is not None
    if name == "numba" and not installed:
        raise ImportError(f"backend 'numba' needs Numba, which is not installed: {_WITHOUT}")
    if name == "numba":
        return Backend("numba", "asked for by name")
    if installed:
        return Backend("numba", "Numba is installed")
    return Backend("numpy", f"Numba is not installed: {_WITHOUT}")
